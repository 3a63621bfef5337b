"""Verovio in a process of its own, because it crashes on some input.

A script that :mod:`docai.pipelines.external.engraving` runs; it imports nothing of docai. It writes ``{}``
when it is ready, and answers each line of JSON with ``kern`` and ``options`` by one with ``svg``, empty where
Verovio refuses the music.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any


def main() -> None:
    # On Windows Ctrl-C reaches this process too; it ends when its owner does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import verovio

    def write(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    verovio.enableLog(verovio.LOG_OFF)
    write({})
    for line in sys.stdin:
        request = json.loads(line)
        # A new one each time (4 ms): resetOptions leaves some options as the last drawing had them.
        toolkit = verovio.toolkit()
        toolkit.setOptions(request["options"])
        write({"svg": toolkit.renderToSVG(1) if toolkit.loadData(request["kern"]) else ""})


if __name__ == "__main__":
    main()
