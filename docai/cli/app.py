"""The ``docai`` command: every command in one place. A new one is a module and a line here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from docai._version import __version__
from docai.cli import (
    about,
    assistants,
    batch,
    calibrate,
    convert,
    evaluate,
    harvest,
    models,
    process,
    serve,
    synth,
    train,
    view,
)
from docai.cli.common import EXIT_CODES, FAILED, INTERRUPTED, USAGE, show_error, stderr_console
from docai.environment import spin_less
from docai.errors import SETUP_ERRORS, DocaiError, SettingError

app = typer.Typer(
    name="docai",
    help="Documents into typed, checked data on your own machine.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    *(process, convert, view, batch, serve, assistants),
    *(evaluate, calibrate, about, models, synth, harvest, train),
):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"docai {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _check_command(words: Sequence[str]) -> None:
    """Raises :class:`docai.errors.SettingError` where a document stands in the place of the command."""
    commands = [command.name for command in app.registered_commands]
    if words and words[0] not in commands and Path(words[0]).exists():
        raise SettingError(
            f"There is no command {words[0]!r}. To read a document: docai process {shlex.join(words)}"
        )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code. ``arguments`` are those of the process if None."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    spin_less()
    try:
        _check_command(words)
        app(args=words, prog_name="docai")
    except DocaiError as error:
        show_error(error)
        is_setup = isinstance(error, SETUP_ERRORS)
        raise SystemExit(USAGE if is_setup else FAILED) from None
    except KeyboardInterrupt:
        # Before or between the inputs of a command that has its own word on what was finished.
        stderr_console().print("Interrupted.")
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(0)
