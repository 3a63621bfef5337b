"""Parse all kern scores of music21's corpus and list the issues by code.

    python benchmarks/kern_corpus.py [--every N] [--musicxml]

``tests/parsers/kern_corpus.json`` lists the files with real errors and their issue codes; the exit status is
1 if other issues are found. MusicXML is made only with ``--musicxml``, which takes about a second for each
file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import docai.parsers.score as score_parser

KNOWN = Path(__file__).parents[1] / "tests" / "parsers" / "kern_corpus.json"
_MAX_SHOWN_CASES = 10


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th file")
    options.add_argument("--musicxml", action="store_true", help="also make MusicXML, however long it takes")
    chosen = options.parse_args()
    score_parser.MAX_WORK = sys.maxsize if chosen.musicxml else -1
    spec = find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("music21 is not installed.")
    corpus = Path(spec.submodule_search_locations[0]) / "corpus"
    files = sorted(corpus.rglob("*.krn"))[:: chosen.every]
    known = json.loads(KNOWN.read_text("utf-8"))
    started = time.process_time()
    cases_by_code: dict[str, list[tuple[str, str]]] = defaultdict(list)
    n_events, n_wrong = 0, 0
    for file in files:
        name = file.relative_to(corpus).as_posix()
        parsed = score_parser.parse_score(file.read_bytes().decode("utf-8", "replace"))
        n_events += len(parsed.content.events)
        issues = [issue for issue in parsed.issues if issue.code != "score-too-long"]
        for issue in issues:
            cases_by_code[issue.code].append((name, issue.message))
        if sorted(issue.code for issue in issues) != sorted(known.get(name, [])):
            n_wrong += 1
            print(f"{name}: {[issue.code for issue in issues]}, known: {known.get(name, [])}")
    for code, cases in sorted(cases_by_code.items()):
        print(f"{code}: {len(cases)} of {len(files)} files")
        for name, message in cases[:_MAX_SHOWN_CASES]:
            print(f"    {name}: {message}")
    seconds = time.process_time() - started
    print(
        f"{len(files)} files, {n_events:,} notes and rests, {seconds:.0f} s; "
        f"{n_wrong} files with other issues than known."
    )
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
