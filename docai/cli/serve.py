"""``docai serve``: docai over HTTP on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docai.cli import common
from docai.cli.common import keep_output_clean, listed, stderr_console
from docai.environment import TOKEN_VARIABLE
from docai.errors import SettingError, needs

if TYPE_CHECKING:
    from docai.pipelines.batch.run import Setup
    from docai.settings import Settings

EXIT_CODES = "Exit codes: 0 it was stopped · 2 usage or configuration."


def register(app: typer.Typer) -> None:
    app.command("serve", epilog=EXIT_CODES)(serve)


Roots = Annotated[
    list[Path] | None,
    typer.Option(
        "--root", metavar="DIR", help="Callers may name files in this folder; can be repeated. Default: none."
    ),
]

Heads = Annotated[
    str | None, typer.Option(metavar="LIST", help="Heads to use, such as table,text. Default: all.")
]


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Others than this machine reach any but the default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: a free one.")] = 8765,
    root: Roots = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the token of callers. Default: DOCAI_SERVE_TOKEN."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of this machine, by which callers may call it; can be repeated."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM, for https; with --key.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM, of --certificate.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Documents read at a time. Default: one for two cores."),
    ] = None,
    queue: Annotated[int, typer.Option(metavar="N", min=0, help="Documents that may wait.")] = 16,
    seconds: Annotated[
        float, typer.Option(metavar="S", min=1, help="For one document; what was read by then is sent.")
    ] = 1800.0,
    keep: Annotated[
        float, typer.Option(metavar="S", min=0, help="For which the result of a job is kept.")
    ] = 900.0,
    grace: Annotated[
        float, typer.Option(metavar="S", min=0, help="To finish in, after Ctrl-C or SIGTERM.")
    ] = 30.0,
    heads: Heads = None,
    model: common.Model = None,
    device: common.Device = None,
    dtype: common.Dtype = None,
    batch: common.Batch = None,
    adapters: common.Adapters = None,
    quantization: common.Quantization = None,
    text_layer: common.TextLayer = None,
    drawings: common.Drawings = None,
    effort: common.Effort = None,
    witnesses: common.Witnesses = None,
    readback: common.ReadBack = None,
    retry: common.Retry = None,
    download: common.Download = None,
    max_bytes: common.MaxBytes = None,
    max_pages: common.MaxPages = None,
    max_pixels: common.MaxPixels = None,
    max_seconds_per_page: common.SecondsPerPage = None,
    max_seconds_per_step: common.SecondsPerStep = None,
    max_memory: common.MaxMemory = None,
    max_regions_per_page: common.MaxRegions = None,
    max_tokens_per_region: common.MaxTokens = None,
) -> None:
    """Answer over HTTP: documents in, JSON or any other format out, with a queue and the viewer.

    It listens on this machine alone. Elsewhere it does not start without a token. Some limits are narrower
    than those of `docai process` where none is set: 128 MiB, 300 pages, 120 s a page, 60 s a step.
    """
    keep_output_clean()
    with needs("docai[serve]", "docai serve"):
        from docai.service.app import LOOPBACK_NAMES, create_app
        from docai.service.running import address, listen, run
    from docai.service.terms import Terms, check_roots, check_token, is_loopback

    token = _token(token_file)
    check_token(host, token)
    if (certificate is None) != (key is None):
        raise SettingError("https needs both: --certificate and --key.")
    terms = Terms(max_waiting=queue, max_seconds=seconds, keep_seconds=keep, stop_seconds=grace)
    setup = make_service_setup(context, heads, workers)
    names = None
    if is_loopback(host) or name:
        names = [*LOOPBACK_NAMES, *(name or ())]
    app = create_app(setup, terms=terms, roots=check_roots(root or ()), token=token, hosts=names)
    console = stderr_console()
    listening = listen(host, port)
    url = address(listening, is_tls=certificate is not None)

    def say() -> None:
        console.print(f"{url}   {url}/docs says what can be asked (Ctrl-C ends it)", soft_wrap=True)

    run(app, listening, certificate=certificate, key=key, on_start=say)
    console.print("Stopped.")


def make_service_setup(context: typer.Context, heads: str | None, workers: int | None) -> Setup:
    """How documents are read, by the options of a command; where nothing was set, some limits are narrower.

    Raises:
        ConfigurationError, CheckpointError: as :func:`docai.batch.make_setup`.
    """
    from docai.batch import make_setup
    from docai.service.terms import LIMITS
    from docai.settings import load_settings

    given: dict[str, Any] = common.given_settings(context)
    loaded = load_settings(given, as_flags=True)
    settings: Settings = loaded.values
    narrow = {name: value for name, value in LIMITS.items() if loaded.origins[name] == "default"}
    settings = settings.model_copy(update=narrow)
    return make_setup(
        settings.options(None if heads is None else listed(heads)),
        settings.model,
        device=settings.device,
        model_options=settings.model_options,
        workers=workers,
        download=settings.download,
    )


def _token(file: Path | None) -> str | None:
    """From the file, or from the environment, where no process that is started finds it any more."""
    found = os.environ.pop(TOKEN_VARIABLE, None)
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"The token file {file} cannot be read ({error}).") from None
    return found or None
