"""A letter of a drawing."""

from __future__ import annotations

from dataclasses import dataclass

from docai.geometry import BBox


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One character as drawn; lengths in points of the page."""

    text: str
    """What it most likely is; empty where nothing fits."""
    bbox: BBox
    """Around its ink."""
    size: float
    """Points an em; of an outline without a font estimated from its height."""
    baseline: float
    """y of its base line; of an outline without a font estimated."""
    order: int
    """Of painting, see :class:`~docai.pipelines.ingest.drawing.PaintedPath`."""
    score: float = 1.0
    """How sure ``text`` is, 0…1."""
    others: tuple[str, ...] = ()
    """What else it may be, likeliest first, such as ``O`` and ``0`` for ``o``."""
    angle: float = 0.0
    """Degrees clockwise by which its base line is turned."""
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of the outlines that it is made of; empty for a glyph of a font."""
    glyph: int | None = None
    """Index in ``Drawing.glyphs``; None for outlines."""
