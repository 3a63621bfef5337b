"""``docai batch`` with a model that says nothing, for measuring what is around the model.

    python benchmarks/silent_batch.py IN… -o RUN [--workers 1] [--resume | --retry-failed]

Second readers and read-back are off. Every event is a line of JSON on standard output, as with ``docai batch
--progress json``; messages and exit codes are those of ``docai batch``, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from common import script_parser

from docai import DocaiError, ScriptedEngine
from docai.batch import make_setup, open_run
from docai.cli.batch_progress import show_progress
from docai.cli.common import FAILED, ISSUES, USAGE, show_error, stderr_console
from docai.models.heads import HEADS
from docai.options import Options


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--retry-failed", action="store_true")
    args = parser.parse_args()
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(Options(witnesses="off", readback="off"), engine=engine, workers=args.workers)
    try:
        is_going_on = args.resume or args.retry_failed
        folder, run = open_run(
            args.out, args.inputs, setup, resume=is_going_on, retry_failed=args.retry_failed
        )
        with folder:
            show_progress(run, "json", stderr_console())
            counts = folder.manifest.counts()
    except DocaiError as error:
        show_error(error)
        return USAGE
    return FAILED if counts["failed"] else ISSUES if counts["partial"] else 0


if __name__ == "__main__":
    sys.exit(main())
