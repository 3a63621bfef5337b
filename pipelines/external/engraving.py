"""Music drawn by Verovio (https://www.verovio.org), for all of docai that draws music."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from docai.pipelines.external.workers import JsonWorker, WorkerError

SECONDS = 60.0
"""For one drawing."""

OPTIONS: Final[Mapping[str, float | str]] = {
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
    # Verovio names elements at random otherwise; the names of notes come from the kern in any case.
    "xmlIdSeed": 1,
}
"""Of Verovio, where the caller says nothing else: one system on a page cut to its size."""

_WORKER = JsonWorker("-I", str(Path(__file__).with_name("engraver.py")))


def engrave(
    kern: str, options: Mapping[str, float | str] | None = None, *, seconds: float = SECONDS
) -> str | None:
    """The first page of the music as SVG; None where Verovio refuses it, crashes or takes too long.

    Verovio is in the extra ``synth``; None where it is not installed, too.

    Args:
        kern: ``**kern``, as a rule ending with a newline.
        options: of Verovio, before :data:`OPTIONS`.
        seconds: for the drawing alone.
    """
    request = {"kern": kern, "options": {**OPTIONS, **(options or {})}}
    try:
        return _WORKER.request(request, seconds=seconds)["svg"] or None
    except WorkerError:
        return None


def close() -> None:
    """End Verovio's process; the next drawing starts another."""
    _WORKER.close()
