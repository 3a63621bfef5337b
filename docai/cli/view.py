"""``docai view``: a result as a page in a browser, to look at and to correct."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from docai.cli.common import EXIT_CODES, keep_output_clean, make_folder, stderr_console
from docai.errors import OutputError, SettingError
from docai.files import DOCUMENT_SUFFIXES, write_atomically

PAGE_SUFFIX = ".view.html"


def register(app: typer.Typer) -> None:
    app.command("view", epilog=EXIT_CODES)(view)


def view(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULT…", help="JSON that docai wrote, or with --serve folders of it."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Where the page is written. Default: beside the result, as NAME.view.html.",
        ),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="The document, or a folder with it; can be repeated. Default: beside the result, the "
            "folder above it, and this folder.",
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve on the loopback address, and keep corrections.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Of --serve; 0: a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens an encrypted PDF.")] = None,
) -> None:
    """Look at what was read, beside the page, and put it right.

    Without --serve it writes one HTML file that needs nothing beside it: corrections made there are saved by
    its button, as NAME.corrections.json to be put beside the result. With --serve each correction is kept
    there at once, and molecules and scores are drawn anew as they are edited; Ctrl-C ends it.
    """
    keep_output_clean()
    from docai.corrections import Corrections, corrections_path
    from docai.pipelines.ingest.result_source import find_source, read_result
    from docai.viewer import ViewServer, write_view
    from docai.viewer.page import is_own_page

    console = stderr_console()
    if serve:
        if out is not None:
            raise SettingError("With --serve no file is written: leave out -o.")
        server = ViewServer(results, port=port, places=source or (), password=password)
        console.print(f"{server.url}   (Ctrl-C ends it)", soft_wrap=True)
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve()
        except KeyboardInterrupt:
            console.print("Ended.")
        finally:
            server.close()
        return
    if len(results) > 1 or results[0].is_dir():
        raise SettingError("One page shows one result: several, or a folder, are shown with --serve.")
    (path,) = results
    if path.suffix.lower() in DOCUMENT_SUFFIXES and path.is_file():
        raise SettingError(
            f"{path} is a document: read it first with docai process {path}, and view its JSON."
        )
    document = read_result(path)
    made = corrections_path(path)
    corrections = Corrections.read(made) if made.exists() else None
    found = find_source(document, path, source or ())
    page = write_view(document, found, result=path, corrections=corrections, password=password)
    target = out or path.with_name(path.name.removesuffix(".json") + PAGE_SUFFIX)
    if target.exists() and not is_own_page(target):
        raise SettingError(f"{target} is there and is no page of docai view: choose another with -o.")
    make_folder(target.parent)
    try:
        write_atomically(target, page)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}.") from None
    console.print(f"{target}", soft_wrap=True)
    if browser:
        webbrowser.open(target.resolve().as_uri())
