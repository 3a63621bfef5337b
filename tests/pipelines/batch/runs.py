"""What tests of whole runs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pymupdf

from docai import ScriptedEngine
from docai.batch import make_setup, open_run
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.batch.events import Event
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


def run_all(
    folder: Path, sources: Sequence[Path], *, options: Options = ALONE, workers: int = 1, **more: object
) -> list[Event]:
    """Run to the end, with a model that says nothing. ``more`` goes to ``open_run``."""
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(options, engine=engine, workers=workers)
    opened, run = open_run(folder, sources, setup, **more)  # type: ignore[arg-type]
    with opened:
        return list(run)


def results_of(folder: Path) -> dict[str, bytes]:
    """The results of a run as JSON."""
    results = folder / "results"
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in results.rglob("*.json")}
