"""Verovio in a process of its own, because it takes the whole process down on some input.

Run as a script it is that process: one JSON object a line on standard input, ``kern`` and ``options``,
answered by one with ``svg``, empty where Verovio refuses. It imports nothing of docai.
"""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
from functools import lru_cache

OPTIONS = {
    "inputFrom": "humdrum",
    "breaks": "none",
    "adjustPageWidth": True,
    "adjustPageHeight": True,
    "header": "none",
    "footer": "none",
    "pageMarginLeft": 40,
    "pageMarginRight": 40,
    "pageMarginTop": 40,
    "pageMarginBottom": 40,
    # Verovio names elements at random otherwise; the notes' names come from the kern in any case.
    "xmlIdSeed": 1,
}


class Engraver:
    """The process, started when it is first needed and again after each fall."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def engrave(self, kern: str, options: dict[str, float | str]) -> str | None:
        """The music as one SVG system, or None where Verovio refused it or fell."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        try:
            pipe_in.write(json.dumps({"kern": kern, "options": options}) + "\n")
            pipe_in.flush()
            answer = pipe_out.readline()
        except BrokenPipeError:
            self.close()
            return None
        except BaseException:
            # Its answer is still to come and would be taken for that to the next question.
            self.close()
            raise
        if not answer:
            self.close()
            return None
        return json.loads(answer)["svg"] or None

    def close(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@lru_cache(maxsize=1)
def engraver() -> Engraver:
    """The one engraver of this process. It ends when its standard input does, so with its owner."""
    shared = Engraver()
    atexit.register(shared.close)
    return shared


def _serve() -> None:
    # Ctrl-C reaches every process of a terminal; this one ends when its owner does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    for line in sys.stdin:
        request = json.loads(line)
        toolkit.resetOptions()
        toolkit.setOptions(OPTIONS | request["options"])
        svg = toolkit.renderToSVG(1) if toolkit.loadData(request["kern"]) else ""
        sys.stdout.write(json.dumps({"svg": svg}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
