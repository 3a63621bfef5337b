"""``docai schema``: the JSON Schema of the output."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    app.command("schema")(print_schema)


def print_schema() -> None:
    """Print the JSON Schema of the documents that docai writes."""
    from docai.schema import read_schema

    typer.echo(read_schema(), nl=False)
