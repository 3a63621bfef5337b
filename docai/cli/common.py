"""What all commands share: the exit codes, and the console for people on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Embedded name, folder, or hub id@revision. Default: nano."),
]

Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1. Default: auto.")]

TextLayer = Annotated[
    str | None,
    typer.Option(
        metavar="USE",
        help="Use of the PDF's own words: prefer, verify (by the model) or ignore. Default: prefer.",
    ),
]

Witnesses = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Ask second readers that are installed (OSRA, Tesseract), or none. Default: auto.",
    ),
]

ReadBack = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Draw each record again, compare it with the page and say how alike they are. Default: auto.",
    ),
]

Retry = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Ask the model again where its answer is invalid, looping or cut. Default: off.",
    ),
]

Download = Annotated[
    bool | None,
    typer.Option("--download/--offline", help="Fetch weights that are not here. Default: offline."),
]

FAILED = 1

USAGE = 2

ISSUES = 3

INTERRUPTED = 130

LOG_WIDTH = 110

EXIT_CODES = (
    "Exit codes: 0 all succeeded · 1 an input failed (the others are still written) · 2 usage or "
    "configuration · 3 finished, with error-level issues in some records · 130 interrupted."
)


def people() -> Console:
    """A console on standard error; standard output is for data.

    Made when it is needed, so that it follows a redirected stream.
    """
    from rich.console import Console

    # A log has no width of its own; Rich would take 80 columns.
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else LOG_WIDTH)


def keep_output_clean() -> None:
    """Send the messages of PyMuPDF, which it writes to standard output by default, to standard error."""
    import pymupdf

    pymupdf.set_messages(stream=sys.stderr)


def show_error(error: Exception, *, console: Console | None = None) -> None:
    """One line that a person understands; an error without words shows its type."""
    from rich.text import Text

    message = Text("error: ", style="bold red").append(str(error) or type(error).__name__, style="default")
    (console or people()).print(message, soft_wrap=True)
