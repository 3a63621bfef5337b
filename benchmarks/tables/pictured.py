"""Fits how readers of pictures rate their own tables, and how sure the better one is.

    python benchmarks/tables/pictured.py [--drawn 40] [--documents 60] [--store]

Tables are drawn: those of ``docai synth table``, of its training half, in three difficulties, and those of
PDFs (:func:`~docai.pipelines.synthesis.table.document.table_document`) at 100 to 200 dpi; and, where
``DOCAI_REAL_DATA`` is set, the pictures of PubTabNet with even numbers. PP-OCR's words make a grid with the
rules, and SLANet makes another. Of each, a logistic model tells the share that is right (canonical TEDS) from
what speaks against it (:func:`~docai.pipelines.evidence.table_quality.features_of`); another one, of the
better grid, that all of it is right.

Prints the mean canonical TEDS of both, of the choice by models that were fitted without these tables (five
folds), and of the better of both each time; then how often tables of a confidence band were right.
``--store`` writes the coefficients. Takes one to five seconds for each table.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import real_data, script_parser

from docai.geometry import grow
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.evaluation.base import Sample
from docai.pipelines.evaluation.datasets.pubtabnet import read_pubtabnet
from docai.pipelines.evaluation.metrics.teds import teds_canonical
from docai.pipelines.evidence import structure
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.ppocr import PageReader
from docai.pipelines.evidence.scanned_tables import PpOcrTables
from docai.pipelines.evidence.slanet import SlanetTables
from docai.pipelines.evidence.structure.judge import REASONS
from docai.pipelines.evidence.table_choice import places_of
from docai.pipelines.evidence.table_quality import COEFFICIENTS_FILE, features_of
from docai.pipelines.ingest import open_source
from docai.pipelines.synthesis import samples
from docai.pipelines.synthesis.table.document import table_document

COEFFICIENTS: Final = Path(structure.__file__).with_name(COEFFICIENTS_FILE)

LEVELS: Final = (0.3, 0.6, 1.0)
SEED: Final = 11
DPI: Final = (100, 130, 160, 200)
N_FOLDS: Final = 5

RIDGE, SURE_RIDGE = 1.0, 0.1

_WORDS: Final = ("unsure_words", "unsure_cell", "places")
_TAGS: Final = ("unsure_tags", "unsure_tag", "cut_off", "empty_rows", "empty_cols")
_OF_PAGES: Final = ("several_tables", "model_rows", "model_columns")
"""What the layout model says of born-digital pages alone."""

NAMES: Final = {
    "ppocr": (*(name for name in REASONS if name not in _OF_PAGES), *_WORDS),
    "slanet": (*(name for name in REASONS if name not in _OF_PAGES), *_WORDS, *_TAGS),
}
SURE_NAMES: Final = ("quality_odds", "agrees", "differs", "unsure_cell")

Model = dict[str, float]


@dataclass(frozen=True)
class Grid:
    """What one reader makes of one table."""

    features: Mapping[str, float]
    places: frozenset[tuple[int, int, int, int]]
    quality: float
    """Canonical TEDS."""


@dataclass(frozen=True)
class Case:
    """One table."""

    part: str
    """The set that it is of."""
    grids: Mapping[str, Grid]
    """By reader, where it sees a table."""


def pictures(n_drawn: int, n_documents: int) -> Iterator[tuple[str, bytes, str]]:
    """Name of the set, picture and true HTML."""
    for level in LEVELS:
        for sample in islice(samples("table", SEED, difficulty=level, split="train"), n_drawn):
            file = io.BytesIO()
            sample.image.save(file, "PNG")
            yield f"drawn {level}", file.getvalue(), sample.target
    for seed in range(n_documents):
        document = table_document(seed)
        if not document.cells:
            continue
        dpi = DPI[seed % len(DPI)]
        with open_source(document.pdf) as source, source.page(1) as page:
            file = io.BytesIO()
            page.render(grow(document.bbox, 8), scale=dpi / 72).convert("L").save(file, "PNG", dpi=(dpi, dpi))
        n_rows = max(cell.row + cell.row_span for cell in document.cells)
        n_cols = max(cell.col + cell.col_span for cell in document.cells)
        truth = table_content(fill_grid(document.cells, n_rows, n_cols), n_rows, n_cols)
        yield "documents", file.getvalue(), truth.html
    real = real_data()
    for number, case in enumerate(read_pubtabnet(real / "tables" / "pubtabnet") if real else ()):
        if isinstance(case, Sample) and case.source is not None and number % 2 == 0:
            yield "pubtabnet", case.source.read_bytes(), case.truth[0].text


def read(part: str, picture: bytes, truth: str) -> Case:
    pages = PageReader()
    grids = {}
    with open_source(picture) as source, source.page(1) as page:
        region = ReaderInput(page, page.bbox)
        for reader in (PpOcrTables(pages), SlanetTables(pages)):
            seen = reader.examine(region)
            if seen is not None:
                quality = max(0.0, teds_canonical(seen.table.html, truth))
                grids[reader.name] = Grid(features_of(seen), frozenset(places_of(seen.table)), quality)
    return Case(part, grids)


def fit_logistic(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    bounds: Sequence[tuple[float | None, float | None]],
    ridge: float,
) -> NDArray[np.float64]:
    """Bias and weights that make ``y``, shares 0…1, likeliest."""
    scale = x.std(axis=0) + 1e-3

    def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = beta[0] + x @ (beta[1:] / scale)
        error = 1 / (1 + np.exp(-odds)) - y
        value = float((np.logaddexp(0, odds) - y * odds).sum() + ridge * (beta[1:] ** 2).sum())
        return value, np.concatenate([[error.sum()], x.T @ error / scale + 2 * ridge * beta[1:]])

    beta = minimize(
        loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=[(None, None), *bounds]
    ).x
    return np.concatenate([beta[:1], beta[1:] / scale])


def fit_quality(cases: Sequence[Case], reader: str) -> Model:
    names = NAMES[reader]
    grids = [case.grids[reader] for case in cases if reader in case.grids]
    x = np.array([[grid.features.get(name, 0.0) for name in names] for grid in grids])
    # What speaks against a grid cannot speak for it; its size may do either.
    bounds = [(None, None if name == "places" else 0.0) for name in names]
    beta = fit_logistic(x, np.array([grid.quality for grid in grids]), bounds, RIDGE)
    return _model(names, beta)


def _model(names: Sequence[str], beta: NDArray[np.float64]) -> Model:
    weights = {name: round(float(w), 3) for name, w in zip(names, beta[1:], strict=True) if abs(w) > 0.01}
    return {"bias": round(float(beta[0]), 3), **weights}


def odds_of(model: Model, features: Mapping[str, float]) -> float:
    return model["bias"] + sum(w * features.get(name, 0.0) for name, w in model.items() if name != "bias")


def fit_sure(
    cases: Sequence[Case], models: Sequence[Mapping[str, Model]]
) -> tuple[Model, list[tuple[float, bool]]]:
    """The model of whether all of a table is right, with what it gives and what is so."""
    rows, right = [], []
    for case, own in zip(cases, models, strict=True):
        odds = {name: odds_of(own[name], grid.features) for name, grid in case.grids.items()}
        if not odds:
            continue
        best = max(odds, key=lambda name: odds[name])
        asked = {name: [grid.places for other, grid in case.grids.items() if other != name] for name in odds}
        # The better of two; and the first one as if it were asked alone.
        for name, others in ((best, asked[best]), ("ppocr", [])):
            if name in case.grids:
                grid = case.grids[name]
                agrees = grid.places in others
                unsure = grid.features["unsure_cell"]
                rows.append((odds[name], float(agrees), float(bool(others) and not agrees), unsure))
                right.append(grid.quality > 1 - 1e-9)
    x, y = np.array(rows), np.array(right, float)
    beta = fit_logistic(x, y, [(0.0, None), (0.0, None), (None, 0.0), (None, 0.0)], SURE_RIDGE)
    values = 1 / (1 + np.exp(-(beta[0] + x @ beta[1:])))
    return _model(SURE_NAMES, beta), list(zip(values.tolist(), right, strict=True))


def report(cases: Sequence[Case], models: Sequence[Mapping[str, Model]]) -> None:
    for part in dict.fromkeys(case.part for case in cases):
        sums: dict[str, list[float]] = {"ppocr": [], "slanet": [], "chosen": [], "better": []}
        for case, own in zip(cases, models, strict=True):
            if case.part != part:
                continue
            qualities = {name: grid.quality for name, grid in case.grids.items()}
            odds = {name: odds_of(own[name], grid.features) for name, grid in case.grids.items()}
            for name in ("ppocr", "slanet"):
                sums[name].append(qualities.get(name, 0.0))
            sums["chosen"].append(qualities[max(odds, key=lambda name: odds[name])] if odds else 0.0)
            sums["better"].append(max(qualities.values(), default=0.0))
        print(f"{part:12} {len(sums['chosen']):4}", *(f"{name} {np.mean(v):.3f}" for name, v in sums.items()))


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--drawn", type=int, default=40, help="tables of each difficulty (default 40)")
    parser.add_argument("--documents", type=int, default=60, help="tables of PDFs (default 60)")
    parser.add_argument("--store", action="store_true", help="write the coefficients")
    arguments = parser.parse_args()
    cases = [read(*picture) for picture in pictures(arguments.drawn, arguments.documents)]
    folds = [
        {name: fit_quality([c for i, c in enumerate(cases) if i % N_FOLDS != fold], name) for name in NAMES}
        for fold in range(N_FOLDS)
    ]
    models = [folds[index % N_FOLDS] for index in range(len(cases))]
    report(cases, models)
    sure, outcomes = fit_sure(cases, models)
    for low, high in pairwise((0.0, 0.1, 0.3, 0.5, 0.7, 0.9, math.inf)):
        inside = [is_right for value, is_right in outcomes if low <= value < high]
        if inside:
            print(f"confidence from {low}: right {np.mean(inside):.2f} of {len(inside)}")
    if arguments.store:
        sizes = f"--drawn {arguments.drawn} --documents {arguments.documents}"
        command = f"python benchmarks/tables/pictured.py {sizes}"
        fitted = {name: fit_quality(cases, name) for name in NAMES} | {"all": sure}
        stored = {"command": f"{command} --store", "models": fitted}
        COEFFICIENTS.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
