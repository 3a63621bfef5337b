"""Measures how well read-back tells right answers from corrupted ones, and fits its coefficients.

    python benchmarks/readback/run.py                      # the held-out split, with the stored coefficients
    python benchmarks/readback/run.py --fit --n-train 200  # fits on the training split, stores, measures
    python benchmarks/readback/run.py --heads score --n 50 --report readback.json

Per head, ``--n`` pictures are drawn (``--n-train`` to fit on), spread evenly over the difficulties 0.2 to 1,
each with its right answer and ``--each`` randomly chosen corrupted ones. AUC (0..1) is the share of pairs of
a right and a corrupted answer, over all pictures, in which the right one has the higher similarity, ties
half; "paired" is the same within each picture. In brackets the 95 % interval from 500 bootstrap samples of
pictures. Seconds are process time for one answer. Molecules are also compared with pictures of something else
("decoy": logos, photographs, charts, text), which count in the fit and not in the AUC; the gate is fitted on
them and the right answers alone. "warned" are the shares of answers below the similarity at which a record
gets the issue readback-differs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corruption
import corruption_notation
import numpy as np
from corruption import SUBTLE
from decoys import decoy
from numpy.typing import NDArray

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.pipelines.readback import similarity
from docai.pipelines.readback.compare import COMPARISONS
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.molecule.features import molecule_features, observe_molecule
from docai.pipelines.readback.similarity import CLIP_SD, Features, NotComparable
from docai.pipelines.synthesis import Split, samples
from docai.records import Kind

DECOY = "decoy"
HEADS: tuple[Kind, ...] = ("table", "molecule", "score", "text")
DIFFICULTIES = (0.2, 0.4, 0.6, 0.8, 1.0)
CORRUPTIONS = {
    "table": corruption.TABLE,
    "molecule": corruption_notation.MOLECULE,
    "score": corruption_notation.SCORE,
    "text": corruption.TEXT,
}
RIDGE = 3.0
"""Penalty on the squared weights: some features say nearly the same."""
POSITIVE = frozenset(
    [
        "margin",
        "min_margin",
        "complete",
        "box_iou",
        "min_box_iou",
        "correlation",
        "min_correlation",
        "low_correlation",
        "min_filled",
        "column_correlation",
        "min_column_correlation",
        "head_correlation",
        "min_head_correlation",
        "bar_ink",
        "min_bar_ink",
    ]
)
"""Features whose weight must be positive; that of all others must be negative."""
CLUTTER = frozenset(("bar_ink", "min_bar_ink", "log_heads", "gap_deviation"))
"""Features of scores that tell how much one weak head means; their weight may have either sign."""
RESAMPLES = 500
COEFFICIENTS = Path(similarity.__file__).with_name(similarity.COEFFICIENTS_FILE)


@dataclass(frozen=True)
class Row:
    """One answer compared with one picture."""

    picture: int
    difficulty: float
    corruption: str
    """Empty: the right answer."""
    features: Features
    seconds: float
    """Process time to observe the picture and to render and measure this answer."""


def content_of(head: str, target: str) -> Content:
    """What the record of a right answer holds. MusicXML and other forms are not needed here."""
    if head == "molecule":
        return MoleculeContent(smiles=target, is_valid=True)
    if head == "score":
        return ScoreContent(kern=target, is_valid=True)
    return parse_table(target).content if head == "table" else parse_text(target).content


def measure(head: Kind, split: Split, n: int, each: int, seed: int) -> tuple[list[Row], Counter[str]]:
    """Rows of ``n`` pictures, and how often there was nothing to compare, by reason."""
    rows: list[Row] = []
    not_comparable: Counter[str] = Counter()
    comparison = COMPARISONS[head]
    streams = [samples(head, seed + i, difficulty=d, split=split) for i, d in enumerate(DIFFICULTIES)]
    for picture in range(n):
        difficulty = DIFFICULTIES[picture % len(DIFFICULTIES)]
        sample = next(streams[picture % len(DIFFICULTIES)])
        right = content_of(head, sample.target)
        started = time.process_time()
        try:
            observed = comparison.observe(to_gray(sample.image))
        except NotComparable as reason:
            not_comparable[str(reason)] += 1
            continue
        seconds = time.process_time() - started
        for name, content in answers(head, right, each, random.Random(f"{head}/{seed}/{picture}")):
            started = time.process_time()
            try:
                features = comparison.measure(observed, content)
            except NotComparable as reason:
                not_comparable[f"{name or 'right'}: {reason}"] += 1
                continue
            rows.append(Row(picture, difficulty, name, features, seconds + time.process_time() - started))
        if isinstance(right, MoleculeContent):
            rows += decoy_rows(picture, difficulty, right, seed)
    return rows, not_comparable


def decoy_rows(picture: int, difficulty: float, content: MoleculeContent, seed: int) -> Iterator[Row]:
    """The molecule compared with two pictures of something else."""
    rng = random.Random(f"decoy/{seed}/{picture}")
    for _ in range(2):
        try:
            features = molecule_features(observe_molecule(to_gray(decoy(rng))), content)
        except NotComparable:
            continue
        yield Row(picture, difficulty, DECOY, features, 0.0)


def answers(head: str, right: Content, each: int, rng: random.Random) -> Iterator[tuple[str, Content]]:
    """The right answer, and ``each`` corrupted ones, or as many as its content allows."""
    yield "", right
    n_left = each
    names = list(CORRUPTIONS[head])
    rng.shuffle(names)
    for name in names:
        corrupted = CORRUPTIONS[head][name](right, rng) if n_left else None
        if corrupted is not None:
            n_left -= 1
            yield name, corrupted


def fit(rows: Sequence[Row], *, free: Collection[str] = CLUTTER, ridge: float = RIDGE) -> dict[str, Any]:
    """Logistic regression, with right and corrupted answers of equal total weight.

    The sign of each weight is bounded, except of features in ``free``: what counts for a record must not get
    a negative weight because a correlated feature has a larger positive one. Features of weight 0 are not
    stored. Scores without a match in the picture are left out: all have the same features, right or wrong.
    """
    from scipy.optimize import minimize

    rows = [
        row for row in rows if not row.corruption.endswith("_letter") and not row.features.get("no_match")
    ]
    names = sorted(rows[0].features)
    y = np.array([not row.corruption for row in rows], np.float64)
    x = np.array([[row.features[name] for name in names] for row in rows])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
    z = np.column_stack([np.clip((x - mean) / scale, -CLIP_SD, CLIP_SD), np.ones(len(x))])
    row_weights = np.where(y > 0, 0.5 / y.sum(), 0.5 / (1 - y).sum()) * len(y)

    def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds = z @ beta
        p = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
        weights = np.append(beta[:-1], 0.0)
        value = (row_weights * (np.logaddexp(0, log_odds) - y * log_odds)).sum() + 0.5 * ridge * (
            weights @ weights
        )
        return float(value), z.T @ (row_weights * (p - y)) + ridge * weights

    bounds: list[tuple[float | None, float | None]] = [
        (None, None) if name in free else (0, None) if name in POSITIVE else (None, 0) for name in names
    ]
    bounds.append((None, None))
    beta = minimize(loss, np.zeros(len(names) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    terms = {
        name: {"mean": round(float(m), 6), "scale": round(float(s), 6), "weight": round(float(w), 5)}
        for name, m, s, w in zip(names, mean, scale, beta[:-1], strict=True)
        if abs(w) >= 1e-4
    }
    return {"bias": round(float(beta[-1]), 5), "terms": terms}


def fit_gate(rows: Sequence[Row]) -> dict[str, Any]:
    """The model of molecules that tells right answers from pictures of something else."""
    used = [row for row in rows if row.corruption in ("", DECOY)]
    return fit(used, free=used[0].features, ridge=1.0)


def auc(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
    """Share of pairs in which the right answer is higher, ties half."""
    if not len(right) or not len(wrong):
        return float("nan")
    ordered = np.sort(right)
    below = np.searchsorted(ordered, wrong, side="right")
    equal = below - np.searchsorted(ordered, wrong, side="left")
    return float(1 - (below - 0.5 * equal).mean() / len(right))


def interval(
    rows: Sequence[Row], scores: NDArray[np.float64], wanted: NDArray[np.bool_]
) -> tuple[float, float]:
    """95 % interval of the AUC, by bootstrap samples of pictures."""
    pictures = np.array([row.picture for row in rows])
    right = np.array([not row.corruption for row in rows])
    places = [np.flatnonzero(pictures == p) for p in np.unique(pictures)]
    rng = np.random.default_rng(0)
    aucs = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([places[i] for i in rng.integers(0, len(places), len(places))])
        aucs.append(auc(scores[chosen[right[chosen]]], scores[chosen[wanted[chosen]]]))
    low, high = np.nanquantile(aucs, (0.025, 0.975))
    return float(low), float(high)


def figures_of(head: Kind, rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of one head."""
    model = similarity.load_model(head)
    scores = np.array([model.similarity(row.features) for row in rows])
    names = np.array([row.corruption for row in rows])
    right, difficulty = names == "", np.array([row.difficulty for row in rows])
    is_warned = scores < COMPARISONS[head].rule.warn_below
    structural = ~right & ~np.isin(names, [*SUBTLE, DECOY])
    right_score = {row.picture: score for row, score in zip(rows, scores, strict=True) if not row.corruption}
    paired: dict[str, list[float]] = defaultdict(list)
    for row, score in zip(rows, scores, strict=True):
        if row.corruption and row.picture in right_score:
            paired[row.corruption].append(float(right_score[row.picture] > score))
    seconds = np.array([row.seconds for row in rows if row.corruption != DECOY])
    return {
        "auc": round(auc(scores[right], scores[structural]), 4),
        "interval": [round(v, 4) for v in interval(rows, scores, structural)],
        "auc_with_subtle": round(auc(scores[right], scores[~right & (names != DECOY)]), 4),
        "by_difficulty": {
            str(d): round(auc(scores[right & (difficulty == d)], scores[structural & (difficulty == d)]), 3)
            for d in DIFFICULTIES
        },
        "by_corruption": {
            name: {
                "auc": round(auc(scores[right], scores[names == name]), 3),
                "paired": round(float(np.mean(paired[name])), 3) if paired[name] else None,
                "n": int((names == name).sum()),
            }
            for name in (*CORRUPTIONS[head], *([DECOY] if head == "molecule" else []))
        },
        "mean_similarity": {
            "right": round(float(scores[right].mean()), 3),
            "corrupted": round(float(scores[~right & (names != DECOY)].mean()), 3),
        },
        "warned": {
            name: round(float(is_warned[rows_of].mean()), 3)
            for name, rows_of in (
                ("right", right),
                ("right up to 0.6", right & (difficulty <= 0.6)),
                ("corrupted", structural),
                (DECOY, names == DECOY),
            )
            if rows_of.any()
        },
        "low_right": [round(float(v), 3) for v in np.quantile(scores[right], (0.02, 0.05))],
        "n_right": int(right.sum()),
        "seconds_mean": round(float(seconds.mean()), 3),
        "seconds_p95": round(float(np.quantile(seconds, 0.95)), 3),
    }


def store(head: str, fitted: dict[str, Any], command: str) -> None:
    """Store one head's model; the others stay."""
    stored = json.loads(COEFFICIENTS.read_text("utf-8")) if COEFFICIENTS.is_file() else {"heads": {}}
    stored["heads"] = dict(sorted({**stored["heads"], head: {"command": command, **fitted}}.items()))
    _write_coefficients(stored)


def store_gate(fitted: dict[str, Any], command: str) -> None:
    """Store the gate of molecules; their other model stays."""
    stored = json.loads(COEFFICIENTS.read_text("utf-8"))
    stored["heads"]["molecule"]["gate"] = {"command": command, **fitted}
    _write_coefficients(stored)


def _write_coefficients(stored: dict[str, Any]) -> None:
    COEFFICIENTS.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    similarity.load_model.cache_clear()


def show(head: str, figures: dict[str, Any]) -> None:
    low, high = figures["interval"]
    print(f"{head}: AUC {figures['auc']:.3f} [{low:.3f}, {high:.3f}], {figures['n_right']} right answers;"
          f" with subtle corruptions {figures['auc_with_subtle']:.3f};"
          f" {figures['seconds_mean']:.3f} s, p95 {figures['seconds_p95']:.3f} s")  # fmt: skip
    print("  by difficulty: " + ", ".join(f"{d} {v:.3f}" for d, v in figures["by_difficulty"].items()))
    print("  2 % and 5 % of right answers are below {} and {}".format(*figures["low_right"]))
    print("  warned: " + ", ".join(f"{name} {v:.3f}" for name, v in figures["warned"].items()))
    for name, figure in figures["by_corruption"].items():
        note = " (subtle)" if name in SUBTLE else ""
        print(f"  {name:20s} AUC {figure['auc']:.3f}  paired {figure['paired']}  n {figure['n']}{note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS), help="by default all")
    parser.add_argument("--n", type=int, default=75, help="pictures per head to measure on (default 75)")
    parser.add_argument("--n-train", type=int, default=150, help="pictures per head to fit on (default 150)")
    parser.add_argument("--each", type=int, default=4, help="corrupted answers per picture (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn pictures (default 0)")
    parser.add_argument(
        "--fit", action="store_true", help="fit on the training split and store the coefficients"
    )
    parser.add_argument("--fit-gate", action="store_true", help="fit and store only the gate of molecules")
    parser.add_argument("--report", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    figures = {}
    for head in arguments.heads:
        if arguments.fit:
            rows, _ = measure(head, "train", arguments.n_train, arguments.each, arguments.seed)
            command = (
                f"python benchmarks/readback/run.py --fit --heads {head} --n-train {arguments.n_train}"
                f" --each {arguments.each} --seed {arguments.seed}"
            )
            fitted = fit(rows)
            store(head, fitted, command)
        if head == "molecule" and (arguments.fit or arguments.fit_gate):
            if not arguments.fit:
                rows, _ = measure(head, "train", arguments.n_train, 0, arguments.seed)
                command = (
                    f"python benchmarks/readback/run.py --fit-gate --heads {head}"
                    f" --n-train {arguments.n_train} --seed {arguments.seed}"
                )
            store_gate(fit_gate(rows), command)
        rows, not_comparable = measure(head, "held-out", arguments.n, arguments.each, arguments.seed + 1000)
        figures[head] = figures_of(head, rows) | {"not_comparable": dict(not_comparable)}
        show(head, figures[head])
        for reason, count in not_comparable.items():
            print(f"  not comparable: {count} x {reason}")
        sys.stdout.flush()
    if arguments.report:
        arguments.report.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
