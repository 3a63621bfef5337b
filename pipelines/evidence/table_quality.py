"""How well a reader of pictures thinks that it read a table, from what speaks against its grid."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from docai.contents import TableContent
from docai.geometry import PageTransform
from docai.pipelines.evidence import structure
from docai.pipelines.evidence.base import Picture, Reading
from docai.pipelines.evidence.ppocr import OcrPageWord, words_in_rows
from docai.pipelines.evidence.structure.judge import measure
from docai.pipelines.evidence.structure.view import TableView
from docai.pipelines.evidence.table_sheet import prepare
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rulings
from docai.pipelines.tables.word_rows import grid_from_words
from docai.records import Evidence

COEFFICIENTS_FILE: Final = "pictures.json"

CLEAR: Final = 0.4
"""Quality from which a table is what its reader can read. It says nothing of whether all of it is right."""

_MAX_ODDS: Final = 30.0


@dataclass(frozen=True)
class TableClues:
    """What is known of a table in a picture beside its grid."""

    words: Sequence[PageWord]
    """Row by row, in points of the frame of :mod:`~docai.pipelines.evidence.table_sheet`."""
    rules: Rulings
    """In the same points."""
    frame: PageTransform
    """From points of the page (``to_page``) to those of the frame (``to_pixels``)."""
    confidence: float
    """Mean of the confidences of the words, 0…1."""

    @classmethod
    def of_picture(cls, picture: Picture, words: Sequence[OcrPageWord]) -> TableClues:
        """Of words in page points, at least one, with the rules that the picture shows."""
        sheet = prepare(picture.image)
        return cls.of_words(sheet.rules, sheet.frame(picture), words)

    @classmethod
    def of_words(cls, rules: Rulings, frame: PageTransform, words: Sequence[OcrPageWord]) -> TableClues:
        """Of words in page points, at least one."""
        placed = [word._replace(bbox=frame.to_pixels(word.bbox)) for word in words_in_rows(words)]
        return cls(placed, rules, frame, sum(one.confidence for one in words) / len(words))


@dataclass(frozen=True)
class SeenTable:
    """A table with what its quality is judged by."""

    table: TableContent
    """Boxes of its cells are those of their words, points of the page."""
    clues: TableClues
    own: Mapping[str, float] = field(default_factory=dict)
    """What the reader itself says of its grid, by names of the coefficients."""


def reading_of_table(source: Evidence, seen: SeenTable) -> Reading:
    """A reading with its quality."""
    quality = rate(source, features_of(seen))
    return Reading(source, seen.table, seen.table.html, complete=quality >= CLEAR, quality=quality)


def features_of(seen: SeenTable) -> dict[str, float]:
    """What speaks against a grid, as :mod:`docai.pipelines.evidence.structure.judge` measures it of a page,
    against its words, and what its reader says."""
    table, clues = seen.table, seen.clues
    view = TableView(clues.words, clues.rules, grid_from_words(clues.words, Rulings()))
    features, _ = measure(table.map_boxes(clues.frame.to_pixels), view)
    least = min((cell.confidence for cell in table.cells if cell.confidence is not None), default=1.0)
    return features | {
        "unsure_words": 1 - clues.confidence,
        "unsure_cell": 1 - least,
        "places": math.log1p(table.n_rows * table.n_cols),
        **seen.own,
    }


def rate(source: Evidence, features: Mapping[str, float]) -> float:
    """The share of a table (canonical TEDS, 0…1) that a reader gets right where its grid has these features;
    of a reader for which none was fitted that of PP-OCR, whose grid is made in the same way."""
    return _logistic(coefficients().get(source) or coefficients()["ppocr"], features)


def wholly_right(quality: float, *, agrees: bool, differs: bool, least: float) -> float:
    """The probability that every cell of a table is right.

    Args:
        agrees: another reader has the same rows, columns and spans.
        differs: others were asked, and none has.
        least: confidence of the least sure cell.
    """
    odds = math.log(max(quality, 1e-9) / max(1 - quality, 1e-9))
    features = {
        "quality_odds": odds,
        "agrees": float(agrees),
        "differs": float(differs),
        "unsure_cell": 1 - least,
    }
    return _logistic(coefficients()["all"], features)


def _logistic(model: Mapping[str, float], features: Mapping[str, float]) -> float:
    odds = model["bias"]
    odds += sum(weight * features.get(name, 0.0) for name, weight in model.items() if name != "bias")
    return 1 / (1 + math.exp(-min(max(odds, -_MAX_ODDS), _MAX_ODDS)))


@cache
def coefficients() -> dict[str, dict[str, float]]:
    """By reader, as stored in :data:`COEFFICIENTS_FILE` of :mod:`docai.pipelines.evidence.structure`."""
    data = json.loads(files(structure).joinpath(COEFFICIENTS_FILE).read_text("utf-8"))
    models: dict[str, dict[str, float]] = data["models"]
    return models
