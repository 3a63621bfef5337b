"""What all commands share: options, exit codes, and the console on standard error."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docai import files
from docai.errors import ConfigurationError
from docai.limits import FLAGS, Limits

if TYPE_CHECKING:
    from rich.console import Console

Model = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Embedded name, folder, hub id@revision, or server http://HOST:PORT#NAME. Default: nano.",
    ),
]

Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1. Default: auto.")]

Dtype = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="Number format of the weights: auto (bfloat16 on a GPU, else float32), float32 or bfloat16. "
        "Default: auto.",
    ),
]

Batch = Annotated[
    str | None,
    typer.Option(metavar="N", help="Most answers written at a time. Default: as memory allows, on a CPU 8."),
]

Adapters = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        metavar="HEAD=FOLDER",
        help="LoRA adapter for a head, as `docai train` writes it; one option for each.",
    ),
]

Quantization = Annotated[
    str | None,
    typer.Option(metavar="none|nf4", help="Weights in 4 bits, on a GPU; not measured. Default: none."),
]

TextLayer = Annotated[
    str | None,
    typer.Option(
        metavar="USE",
        help="Use of the PDF's own words: prefer, verify (by the model) or ignore. Default: prefer.",
    ),
]

Drawings = Annotated[
    str | None,
    typer.Option(
        metavar="USE",
        help="Use of molecules and scores drawn in a PDF: prefer, verify (by the model) or ignore. "
        "Default: prefer.",
    ),
]

Effort = Annotated[
    str | None,
    typer.Option(
        metavar="MUCH",
        help="Readers of pictures asked about a region: fast (one), auto (more in doubt) or best (all). "
        "Default: auto.",
    ),
]

Witnesses = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Ask second readers that are installed (PP-OCR, Imago, …), or none. Default: auto.",
    ),
]

ReadBack = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Render records again and compare them with the page, for the confidence. Default: auto.",
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

_LIMITS = "Limits: a number, or none for no limit"
"""Title of their options in the help."""


def _limit(name: str, metavar: str, text: str) -> Any:
    default = Limits.model_fields[name].default
    shown = f"{default:,}".removesuffix(".0")
    return typer.Option(
        FLAGS[name], metavar=metavar, help=f"{text} Default: {shown}.", rich_help_panel=_LIMITS
    )


MaxPages = Annotated[str | None, _limit("max_pages", "N", "Refuse to read more pages of one input.")]

SecondsPerPage = Annotated[
    str | None, _limit("max_seconds_per_page", "S", "Leave the rest of a page unread after this time.")
]

SecondsPerStep = Annotated[
    str | None, _limit("max_seconds_per_step", "S", "Give up a step on a PDF after this time.")
]

MaxMemory = Annotated[
    str | None, _limit("max_memory", "N", "Bytes of memory of the process that reads a PDF (Linux).")
]

MaxBytes = Annotated[str | None, _limit("max_bytes", "N", "Refuse larger files.")]

MaxPixels = Annotated[str | None, _limit("max_pixels", "N", "Refuse larger images, and pages drawn larger.")]

MaxRegions = Annotated[
    str | None, _limit("max_regions_per_page", "N", "Put no more regions of a page to the model.")
]

MaxTokens = Annotated[
    str | None, _limit("max_tokens_per_region", "N", "Cut what the model writes for one region.")
]


def given_settings(context: typer.Context) -> dict[str, Any]:
    """The settings among the options of a command, under their names; those not given are None."""
    from docai.settings import Settings

    given = {name: context.params[name] for name in Settings.model_fields if name in context.params}
    # An option that can be given several times is an empty list where it is not.
    return {name: None if value == [] else value for name, value in given.items()}


def is_given(context: typer.Context, name: str) -> bool:
    """Whether a parameter of a command was given, and is not the default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def listed(text: str) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


FAILED = 1
"""Exit code: an input failed; the others are still written."""

USAGE = 2
"""Exit code: the command line, a setting, the model or the installation is wrong."""

ISSUES = 3
"""Exit code: all inputs were read, and some records have issues of severity ``error``."""

INTERRUPTED = 130
"""Exit code: the user pressed Ctrl-C; what was finished is written."""

LOG_WIDTH = 110
"""Characters of a line where standard error is no terminal and has no width of its own."""

EXIT_CODES = (
    "Exit codes: 0 all succeeded · 1 an input failed (the others are still written) · 2 usage or "
    "configuration · 3 finished, with error-level issues in some records · 130 interrupted."
)


def make_folder(path: Path) -> Path:
    """The folder of ``-o``, made where it is missing. Raises :class:`docai.errors.SettingError`."""
    return files.make_folder(path, "Choose another with -o.")


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def stderr_console() -> Console:
    """A console on standard error; standard output is for data.

    Made when it is needed, so that it follows a redirected stream.
    """
    # A log has no width of its own; Rich would take 80 columns.
    return plain_console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else LOG_WIDTH)


def plain_console(**options: Any) -> Console:
    """A console that shows characters of names which would control a terminal as a mark."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        def print(self, *objects: Any, **how: Any) -> None:
            shown: list[Any] = []
            for one in objects:
                if isinstance(one, Text):
                    one.plain = without_controls(one.plain)
                shown.append(without_controls(one) if isinstance(one, str) else one)
            super().print(*shown, **how)

    return PlainConsole(**options)


def without_controls(text: str) -> str:
    """Each control character but a line break or a tab as �: a name of a file may hold any."""
    return _CONTROLS.sub("�", text)


def keep_output_clean() -> None:
    """Send the messages of PyMuPDF, which it writes to standard output by default, to standard error."""
    try:
        import pymupdf
    except Exception as error:
        # It loads onnxruntime, which is seen to raise anything where it does not fit the system.
        raise ConfigurationError(
            f"PyMuPDF, which reads PDFs, cannot be loaded ({type(error).__name__}: {error}): "
            "`pip install --force-reinstall pymupdf onnxruntime`."
        ) from error
    pymupdf.set_messages(stream=sys.stderr)


def show_error(error: Exception, *, console: Console | None = None) -> None:
    """One line that a person understands; an error without words shows its type."""
    from rich.text import Text

    message = Text("error: ", style="bold red").append(str(error) or type(error).__name__, style="default")
    (console or stderr_console()).print(message, soft_wrap=True)
