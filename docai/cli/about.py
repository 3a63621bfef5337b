"""``docai doctor`` and ``docai schema``: what this installation can do, and the format that it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import USAGE

if TYPE_CHECKING:
    from docai.doctor import ModelReport


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("schema")(print_schema)


def doctor(
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Look at this model.")] = None,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="Look at this device.")] = None,
) -> None:
    """Show versions, device, memory, heads that can run, second readers, what draws records again, and each
    setting with its origin.

    The exit code is 2 where a setting, or the chosen model or device, cannot be used.
    """
    from docai.doctor import diagnose, gigabytes
    from docai.settings import check_settings, describe_settings, unknown_variables

    settings, problems = check_settings({"model": model, "device": device}, as_flags=True)
    diagnosis = diagnose(settings.values.model, settings.values.device, settings.values.model_options)
    _section("Versions", ((name, value or "NOT INSTALLED") for name, value in diagnosis.versions.items()))
    _section(
        "Machine",
        [
            ("device", diagnosis.device or f"PROBLEM: {diagnosis.device_problem}"),
            *(tuple(line.split(": ", 1)) for line in diagnosis.devices),
            ("memory", f"{gigabytes(total)} in all" if (total := diagnosis.memory_total) else "unknown"),
            ("available", gigabytes(free) if (free := diagnosis.memory_available) else "unknown"),
        ],
    )
    for model_report in diagnosis.models:
        _section(f"Model {model_report.name}", _model_rows(model_report))
    _section(
        "Second readers",
        [
            (reader.name, f"head {reader.head}", reader.problem or "installed")
            for reader in diagnosis.second_readers
        ],
    )
    _section(
        "Read-back",
        [
            (f"head {report.head}", report.renderer, report.problem or "installed")
            for report in diagnosis.readback
        ],
    )
    _section("Settings", describe_settings(settings))
    for problem in problems.values():
        typer.echo(f"PROBLEM: {problem}")
    for name in unknown_variables():
        typer.echo(f"\nThe environment variable {name} is no setting of docai; is it a typing error?")
    if problems or not diagnosis.is_healthy:
        raise typer.Exit(USAGE)


def print_schema() -> None:
    """Print the JSON Schema of the documents that docai writes."""
    from docai.schema import read_schema

    typer.echo(read_schema(), nl=False)


def _model_rows(report: ModelReport) -> list[tuple[str, str]]:
    if report.problem:
        return [("PROBLEM", report.problem)]
    if report.folder is None:
        # A server, which is not asked here.
        rows = [("server", f"{report.checkpoint}")]
        return rows + [
            (f"head {head}", f"model: {name}" if name else "no model") for head, name in report.heads.items()
        ]
    size = f"{report.n_bytes / 2**20:.1f} MiB of weights"
    rows = [("checkpoint", f"{report.checkpoint} ({size})"), ("folder", str(report.folder))]
    for head, weights in report.heads.items():
        rows.append((f"head {head}", f"can run, weights: {weights}" if weights else "no weights"))
    return rows


def _section(title: str, rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns in plain text, so that the output can be pasted into a bug report."""
    table = [tuple(row) for row in rows]
    widths = [
        max(len(row[column]) for row in table if len(row) > column + 1) for column in range(len(table[0]) - 1)
    ]
    typer.echo(f"{title}")
    for row in table:
        cells = [
            cell.ljust(widths[column]) if column < len(widths) else cell for column, cell in enumerate(row)
        ]
        typer.echo("  " + "  ".join(cells).rstrip())
    typer.echo()
