"""Measures whether the confidence of a born-digital table tells right grids from wrong ones.

    python benchmarks/tables/structure.py [--count 300] [--seed 100000] [--fit] [FOLDER]

Three kinds of grids are judged:

- *found*: what the table finder makes of drawn pages, some of which no single grid fits (two tables in one
  region, captions in it);
- *broken*: its right grids, made wrong in one way each (:mod:`broken_grids`);
- *real*: what it makes of the regions of ICDAR 2013 below FOLDER, by default those of the real documents
  (``DOCAI_REAL_DATA``), and the same broken.

A grid is *right* where every cell with text has the place, the spans and the text of a true cell, without
spaces, case and variants of signs, and no true cell is missing: GriTS-Top and -Con of 1. Prints the AUC, the
share of wrong grids below 0.7 and that of right ones from 0.7 on, and how often a right one of a confidence
band was right.

``--fit`` fits the coefficients on drawn pages of other seeds, and stores them; nothing is fitted on real
ones. Takes about a second for each page, most of it in the layout model.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from broken_grids import broken_grids
from common import real_data, script_parser

from docai.contents import Cell
from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.evaluation.base import Sample
from docai.pipelines.evaluation.datasets import open_dataset
from docai.pipelines.evidence.structure import judge
from docai.pipelines.evidence.structure.judge import OF_PICTURES, REASONS, SURE, coefficients, measure
from docai.pipelines.evidence.structure.view import observe
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import find_regions
from docai.pipelines.synthesis.table.document import same_cells, table_document
from docai.pipelines.tables.finder import find_table
from docai.pipelines.words import holds_word

COEFFICIENTS: Final = Path(judge.__file__).with_name(judge.COEFFICIENTS_FILE)

BROKEN_WEIGHT: Final = 0.25
"""Of a broken grid beside a found one: there are several of each table."""

RIDGE: Final = 1.0

FITTED: Final = tuple(name for name in REASONS if name not in OF_PICTURES)

N_FOLDS: Final = 5


class Row(NamedTuple):
    """One grid that was judged."""

    document: str
    """Rows of one are never on both sides of a fold."""
    breaking: str
    """How it was broken; empty: as found."""
    is_right: bool
    features: dict[str, float]


def rows_of(
    name: str, source: Path | bytes, number: int, bbox: BBox, truth: Sequence[Cell], document: str
) -> Iterator[Row]:
    """The grid that is found in one region, and broken ones if it is right."""
    with open_source(source, limits=Limits()) as opened, opened.page(number) as page:
        # Layout's model is asked for the page as in the pipeline.
        find_regions(page)
        words = [word for word in page.words() if holds_word(bbox, word)]
        found = find_table(page, bbox, words)
        if found is None:
            return
        frame, view = observe(page, bbox, words)
    grid = found.map_boxes(frame.from_page)
    is_right = same_cells(found.cells, truth)
    yield Row(document, "", is_right, measure(grid, view)[0])
    for breaking, broken in broken_grids(grid, view.words, random.Random(name)) if is_right else ():
        if not same_cells(broken.cells, truth):
            yield Row(document, breaking, False, measure(broken, view)[0])


def drawn_rows(seeds: Iterable[int]) -> list[Row]:
    rows = []
    for seed in seeds:
        page = table_document(seed)
        rows += rows_of(f"drawn {seed}", page.pdf, 1, page.bbox, page.cells, str(seed))
    return rows


def real_rows(folder: Path) -> list[Row]:
    rows = []
    dataset = open_dataset(f"icdar2013-crop:{folder}")
    for case in dataset.read(dataset.path):
        if isinstance(case, Sample) and case.source is not None and case.bbox is not None:
            cells = case.truth[0].cells or ()
            rows += rows_of(case.id, case.source, case.page, case.bbox, cells, case.id.split("#")[0])
    return rows


def fit(rows: Sequence[Row]) -> tuple[float, dict[str, float]]:
    """Bias and weights of a logistic model; weights are not positive, and small ones cost little."""
    x = np.array([[row.features[name] for name in FITTED] for row in rows])
    right = np.array([row.is_right for row in rows], float)
    weight = np.array([BROKEN_WEIGHT if row.breaking else 1.0 for row in rows])
    scale = x.std(axis=0) + 1e-6

    def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = beta[0] + x @ (beta[1:] / scale)
        error = weight * (1 / (1 + np.exp(-odds)) - right)
        value = float((weight * (np.logaddexp(0, odds) - right * odds)).sum() + RIDGE * (beta[1:] ** 2).sum())
        return value, np.concatenate([[error.sum()], (x.T @ error) / scale + 2 * RIDGE * beta[1:]])

    bounds = [(None, None), *[(None, 0.0)] * len(FITTED)]
    beta = minimize(loss, np.zeros(len(FITTED) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = {name: round(float(w), 3) for name, w in zip(FITTED, beta[1:] / scale, strict=True)}
    return round(float(beta[0]), 3), {name: w for name, w in weights.items() if w < -0.01}


def probabilities(rows: Sequence[Row], bias: float, weights: dict[str, float]) -> NDArray[np.float64]:
    odds = [bias + sum(w * row.features[name] for name, w in weights.items()) for row in rows]
    return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))


def cross_validated(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Of each row, by a model fitted without its document."""
    documents = {name: index % N_FOLDS for index, name in enumerate(dict.fromkeys(r.document for r in rows))}
    folds = np.array([documents[row.document] for row in rows])
    values = np.zeros(len(rows))
    for fold in range(N_FOLDS):
        model = fit([row for row, at in zip(rows, folds, strict=True) if at != fold])
        chosen = np.flatnonzero(folds == fold)
        values[chosen] = probabilities([rows[index] for index in chosen], *model)
    return values


def show(title: str, rows: Sequence[Row], values: NDArray[np.float64]) -> None:
    right = np.array([row.is_right for row in rows])
    if not right.any() or right.all():
        print(f"{title:28} {len(rows)} grids, all alike")
        return
    order = np.sort(values[right])
    below = np.searchsorted(order, values[~right], "left") + np.searchsorted(order, values[~right], "right")
    auc = 1 - below.mean() / (2 * right.sum())
    print(
        f"{title:28} right {right.sum():4} wrong {(~right).sum():4}  AUC {auc:.3f}"
        f"  wrong below {SURE}: {(values[~right] < SURE).mean():.3f}"
        f"  right from {SURE} on: {(values[right] >= SURE).mean():.3f}"
    )


def show_breakings(rows: Sequence[Row], values: NDArray[np.float64]) -> None:
    shares: dict[str, list[bool]] = defaultdict(list)
    for row, value in zip(rows, values, strict=True):
        if row.breaking:
            shares[row.breaking].append(bool(value < SURE))
    parts = [f"{name} {np.mean(low):.2f} of {len(low)}" for name, low in shares.items()]
    print(f"    broken, below {SURE}: " + ", ".join(parts))


def show_bands(rows: Sequence[Row], values: NDArray[np.float64]) -> None:
    edges = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
    right = np.array([row.is_right for row in rows])
    parts = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values < high) | (high == 1.0))
        if inside.any():
            parts.append(f"{low}-{high}: {right[inside].mean():.2f} of {inside.sum()}")
    print("    right, by confidence: " + ", ".join(parts))


def report(title: str, rows: Sequence[Row], values: NDArray[np.float64]) -> None:
    found = np.array([not row.breaking for row in rows])
    found_rows = [row for row in rows if not row.breaking]
    show(f"{title}, found", found_rows, values[found])
    show_bands(found_rows, values[found])
    show(f"{title}, found and broken", rows, values)
    show_breakings(rows, values)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="of ICDAR 2013 files")
    parser.add_argument("--count", type=int, default=300, help="drawn pages to measure on (default 300)")
    parser.add_argument("--seed", type=int, default=100_000, help="of the first of these (default 100000)")
    parser.add_argument("--fit", action="store_true", help="fit the coefficients and store them")
    parser.add_argument("--train", type=int, default=250, help="drawn pages to fit on (default 250)")
    arguments = parser.parse_args()
    if arguments.fit:
        rows = drawn_rows(range(arguments.train))
        bias, weights = fit(rows)
        command = f"python benchmarks/tables/structure.py --fit --train {arguments.train}"
        stored = {"command": command, "bias": bias, "weights": weights}
        COEFFICIENTS.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
        coefficients.cache_clear()
        report("fitted on, cross-validated", rows, cross_validated(rows))
    model = coefficients()
    if arguments.count:
        rows = drawn_rows(range(arguments.seed, arguments.seed + arguments.count))
        report("drawn", rows, probabilities(rows, model.bias, dict(model.weights)))
    data = real_data()
    folder = arguments.folder or (data and data / "tables" / "icdar2013-eu")
    if folder is not None and folder.is_dir():
        rows = real_rows(folder)
        report("ICDAR 2013", rows, probabilities(rows, model.bias, dict(model.weights)))


if __name__ == "__main__":
    main()
