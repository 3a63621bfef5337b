"""``docai doctor``: what this installation can do, and where each setting comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import USAGE

if TYPE_CHECKING:
    from docai.doctor import ModelReport


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Look at this model.")] = None,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="Look at this device.")] = None,
) -> None:
    """Show versions, device, memory, heads that can run, second readers, what draws records again, and each
    setting with its origin.

    The exit code is 2 where the chosen model or device cannot be used.
    """
    from docai.doctor import diagnose, gigabytes
    from docai.settings import describe_settings, load_settings, unknown_variables

    settings = load_settings({"model": model, "device": device}, as_flags=True)
    found = diagnose(settings.values.model, settings.values.device)
    _section("Versions", ((name, value or "NOT INSTALLED") for name, value in found.versions.items()))
    _section(
        "Machine",
        [
            ("device", found.device or f"PROBLEM: {found.device_problem}"),
            *(tuple(line.split(": ", 1)) for line in found.devices),
            ("memory", f"{gigabytes(found.memory_total)} in all" if found.memory_total else "unknown"),
            ("available", gigabytes(found.memory_available) if found.memory_available else "unknown"),
        ],
    )
    for report in found.models:
        _section(f"Model {report.name}", _model_rows(report))
    _section(
        "Witnesses",
        [(one.name, f"head {one.head}", one.problem or "installed") for one in found.witnesses],
    )
    _section(
        "Read-back",
        [(f"head {one.head}", one.renderer, one.problem or "installed") for one in found.readback],
    )
    _section("Settings", describe_settings(settings))
    for name in unknown_variables():
        typer.echo(f"\nThe environment variable {name} is no setting of docai; is it a typing error?")
    if not found.is_healthy:
        raise typer.Exit(USAGE)


def _model_rows(report: ModelReport) -> list[tuple[str, str]]:
    if report.problem:
        return [("PROBLEM", report.problem)]
    size = f"{report.n_bytes / 2**20:.1f} MiB of weights"
    rows = [("checkpoint", f"{report.checkpoint} ({size})"), ("folder", str(report.folder))]
    for head, weights in report.heads.items():
        rows.append((f"head {head}", f"can run, weights: {weights}" if weights else "no weights"))
    return rows


def _section(title: str, rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns in plain text, so that the output can be pasted into a bug report."""
    kept = [tuple(row) for row in rows]
    widths = [
        max(len(row[column]) for row in kept if len(row) > column + 1) for column in range(len(kept[0]) - 1)
    ]
    typer.echo(f"{title}")
    for row in kept:
        cells = [
            cell.ljust(widths[column]) if column < len(widths) else cell for column, cell in enumerate(row)
        ]
        typer.echo("  " + "  ".join(cells).rstrip())
    typer.echo()
