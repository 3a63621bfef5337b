"""The probability that a grid is right, from what speaks against it.

A grid can hold every word of the PDF and be wrong. What it is held against is independent of how it was
found: the drawn rules, the white lanes between words, the lines of text, the kinds of values in a column, the
grid that the words alone would give, and the tables that the layout model sees there. Each is measured as a
number that grows with the damage (:data:`REASONS` says which), and a logistic model makes a probability of
them:

    probability = 1 / (1 + exp(-(bias + sum_i weight_i * x_i)))

No weight is positive. They are fitted by ``python benchmarks/tables/structure.py --fit``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from docai.contents import TableContent
from docai.geometry import BBox
from docai.pipelines.evidence.structure import lanes, lines, rules
from docai.pipelines.evidence.structure.view import Grid, TableView, observe
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.words import agreement, cell_words, native_words

REASONS: Final[Mapping[str, str]] = {
    "torn_cells": "cells whose words stand as far apart as columns do",
    "split_phrases": "neighboring cells whose words are only a space apart",
    "inner_lanes": "columns with a white lane of their own through several cells",
    "crossing_cells": "cells that reach into the next column",
    "narrow_lanes": "columns with hardly any white between them, and no rule",
    "rules_inside": "rules through rows or cells",
    "unruled": "boundaries of rows and columns that no rule backs",
    "unruled_rows": "rows without a rule between them where most others have one",
    "open_rows": "cells without the rule between them that others of these two rows have",
    "open_columns": "cells without the rule between them that others of these two columns have",
    "close_rows": "rows as close as the lines of one cell",
    "merged_rows": "rows in which several cells have several lines",
    "loose_breaks": "cells whose lines end before they are full",
    "open_titles": "a first or last row that is one cell over all columns, beyond the rules",
    "lone_cells": "rows with text in one column alone",
    "empty_share": "places without text",
    "loose_empties": "places without text in rows that stand close, or columns that are not aligned",
    "sparse_columns": "columns that are nearly empty",
    "headless_columns": "columns without a head",
    "loose_spans": "spanning cells that are not over the middle of their columns, and have no rule below",
    "ragged_columns": "columns whose cells are not aligned",
    "other_columns": "the words alone give another number of columns",
    "other_rows": "the words alone give another number of rows",
    "lost_words": "words of the region that are in no cell",
    "several_tables": "the layout model sees several tables there",
    "model_rows": "the layout model sees another number of rows",
    "model_columns": "the layout model sees another number of columns",
}
"""Feature → what it says against a grid, as a phrase for people.

Counts are taken as ``log(1 + n)``. What rules make harmless is taken times the share of the boundaries that
have none: places without text, nearly empty columns and the like are as usual in a ruled form as not."""

OF_PICTURES: Final = frozenset(("empty_share",))
"""Features that are weighed in pictures alone: an empty place may be a word that nobody read there. On a page
with words of its own it says nothing where its row and its column are plain."""

COEFFICIENTS_FILE: Final = "coefficients.json"

SURE: Final = 0.7
"""Probability from which a grid is sure: no model is asked for it, and it is believed over a model that is no
surer."""

METHOD: Final = "probability that the grid is right, by its rules, lanes, lines and columns"
"""Of the confidence, before the agreement of the words is counted in."""

DOUBTFUL_CELL: Final = 0.5
"""Confidence of a cell whose words are torn, reach into the next column, or are crossed by a rule: it is as
likely to be cut wrongly as not. Others are not measured."""

DOUBTFUL_METHOD: Final = f"{DOUBTFUL_CELL} where words cross a rule or the lane beside a column"

_MIN_DOUBT: Final = 0.4
"""Log odds from which a feature is named as a doubt."""

_MAX_DOUBTS: Final = 3


@dataclass(frozen=True)
class Structure:
    """What was measured of one grid."""

    probability: float
    """That every cell of the grid has its place and its words."""
    features: Mapping[str, float]
    doubts: tuple[str, ...]
    """What speaks most against the grid, the strongest first, as phrases."""
    doubtful_cells: frozenset[int]
    """Indices of the cells that are torn, reach into the next column, or are crossed by a rule."""


@dataclass(frozen=True)
class Coefficients:
    """The fitted model."""

    bias: float
    weights: Mapping[str, float]


@cache
def coefficients() -> Coefficients:
    """As stored in :data:`COEFFICIENTS_FILE` beside this module."""
    data = json.loads(files(__package__).joinpath(COEFFICIENTS_FILE).read_text("utf-8"))
    return Coefficients(float(data["bias"]), {name: float(value) for name, value in data["weights"].items()})


def judge_on_page(content: TableContent, page: Page, bbox: BBox, words: Sequence[PageWord]) -> Structure:
    """As :func:`judge`, of a grid whose boxes are points of the displayed page."""
    frame, view = observe(page, bbox, words)
    return judge(content.map_boxes(frame.from_page), view)


def judge(content: TableContent, view: TableView) -> Structure:
    """How sure a grid is. Boxes of its cells are those of their words, in the frame of the view."""
    features, doubtful = measure(content, view)
    model = coefficients()
    parts = {name: weight * features[name] for name, weight in model.weights.items()}
    odds = model.bias + sum(parts.values())
    against = sorted((part, name) for name, part in parts.items() if part < -_MIN_DOUBT)
    return Structure(
        probability=1 / (1 + math.exp(-max(odds, -_MAX_ODDS))),
        features=features,
        doubts=tuple(REASONS[name] for _, name in against[:_MAX_DOUBTS]),
        doubtful_cells=doubtful,
    )


_MAX_ODDS: Final = 30.0
"""Log odds beyond which a probability is 0."""


def measure(content: TableContent, view: TableView) -> tuple[dict[str, float], frozenset[int]]:
    """All features of :data:`REASONS`, and the indices of doubtful cells."""
    grid = Grid(content, view)
    unruled = rules.unruled_share(grid)
    torn, split, crossed = lanes.torn_cells(grid), lanes.split_phrases(grid), rules.crossed_cells(grid)
    crossing, n_narrow = lanes.crossing_cells(grid)
    n_close, n_merged = lines.row_steps(grid)
    other_rows, other_columns = lines.other_size(grid)
    n_places = max(1, grid.n_rows * grid.n_cols)
    covered = sum(cell.cell.row_span * cell.cell.col_span for cell in grid.cells)
    counts = {
        "torn_cells": len(torn),
        "split_phrases": len(split),
        "inner_lanes": lanes.inner_lanes(grid),
        "crossing_cells": len(crossing),
        "narrow_lanes": n_narrow,
        "rules_inside": len(crossed) + rules.rules_in_rows(grid),
        "unruled_rows": rules.unruled_rows(grid),
        "open_titles": rules.open_titles(grid),
        "loose_breaks": lines.loose_breaks(grid),
        "open_rows": rules.open_rows(grid),
        "open_columns": rules.open_columns(grid),
        "close_rows": n_close,
        "merged_rows": n_merged,
        "loose_spans": lines.loose_spans(grid),
        "ragged_columns": lines.ragged_columns(grid),
    }
    where_unruled = {
        "lone_cells": math.log1p(lines.lone_cells(grid)),
        "empty_share": max(0.0, 1 - covered / n_places),
        "loose_empties": lines.loose_empties(grid),
        "sparse_columns": math.log1p(lines.sparse_columns(grid)),
        "headless_columns": math.log1p(lines.headless_columns(grid)),
        "other_columns": float(other_columns),
        "other_rows": float(other_rows),
    }
    lost = 1 - agreement(cell_words(content), native_words(view.words))
    features = {
        "unruled": unruled,
        "lost_words": min(1.0, 10 * lost),
        "several_tables": float(view.n_tables > 1),
        "model_rows": float(view.model_size is not None and view.model_size[0] != grid.n_rows),
        "model_columns": float(view.model_size is not None and view.model_size[1] != grid.n_cols),
        **{name: math.log1p(count) for name, count in counts.items()},
        **{name: unruled * value for name, value in where_unruled.items()},
    }
    return features, frozenset(torn | split | crossed | crossing)
