"""What tests of whole runs share."""

from __future__ import annotations

from pathlib import Path

import pymupdf

from docai.options import Options
from docai.pipelines.batch.manifest import Manifest, Row

ALONE = Options(witnesses="off", readback="off")
"""Nothing is asked but the model."""


def write_pdf(path: Path, *texts: str, **save: object) -> Path:
    """A PDF with a page for each of the texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pymupdf.open() as document:
        for text in texts:
            document.new_page(width=300, height=200).insert_text((20, 40), text, fontsize=12)
        document.save(path, **save)
    return path


def draw_picture(path: Path) -> Path:
    """A page about which the model is asked."""
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        shape = page.new_shape()
        for step in range(12):
            shape.draw_rect((40 + 18 * step, 60 + 7 * (step % 9), 52 + 18 * step, 150))
        shape.finish(fill=(0.2, 0.2, 0.2))
        shape.commit()
        path.parent.mkdir(parents=True, exist_ok=True)
        page.get_pixmap(dpi=120).save(path)
    return path


def rows_of(folder: Path) -> dict[str, Row]:
    """The rows of a run by the names of their inputs."""
    with Manifest(folder / "manifest.sqlite") as manifest:
        return {row.name: row for row in manifest.rows()}
