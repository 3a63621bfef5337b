"""``docai mcp``: docai as tools of an assistant, over the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from docai.cli import common
from docai.cli.common import keep_output_clean
from docai.cli.serve import EXIT_CODES, Heads, make_service_setup
from docai.errors import SettingError, needs


def register(app: typer.Typer) -> None:
    app.command("mcp", epilog=EXIT_CODES)(serve_tools)


def serve_tools(
    context: typer.Context,
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="DIR", help="Folder with documents to read; can be repeated."),
    ] = None,
    heads: Heads = None,
    model: common.Model = None,
    device: common.Device = None,
    text_layer: common.TextLayer = None,
    drawings: common.Drawings = None,
    effort: common.Effort = None,
    witnesses: common.Witnesses = None,
    readback: common.ReadBack = None,
    retry: common.Retry = None,
    max_bytes: common.MaxBytes = None,
    max_pages: common.MaxPages = None,
) -> None:
    """Give an assistant three tools, over standard input and output: read a document, show a record with its
    picture, search records. Only files in the folders of --root are read.

    It is started by the assistant's program, not by hand.
    """
    if not root:
        raise SettingError(
            "docai mcp reads only files in folders that you name: `docai mcp --root DIR`, in the settings of "
            "your assistant's program."
        )
    keep_output_clean()
    with needs("docai[mcp]", "docai mcp"):
        from docai.service.tools import make_tools
    from docai.service.terms import check_roots

    make_tools(make_service_setup(context, heads, 1), check_roots(root)).run()
