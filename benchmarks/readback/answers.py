"""What read-back adds to the confidence of a model's own answers.

    python benchmarks/readback/answers.py                               # nano, 40 held-out pairs of each head
    python benchmarks/readback/answers.py --model FOLDER --heads score --n 200 --report answers.json

Where ``benchmarks/readback/run.py`` corrupts right answers by lot, here a model makes its own mistakes. Pairs
are drawn from the held-out split, spread evenly over ``--difficulties``. AUC: of the similarity, and of the
confidence before and after read-back, between answers that are right as a whole and all others; answers of
confidence 0 by rule are left out. Brier score and calibration error (ECE of 10 bins of equal width) are of
the same answers. "false_alarms": right answers below the similarity from which a record has the issue
``readback-differs``; the true answers of all pictures are held against it as well, since a small model is
seldom right.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from readback import auc

from docai.models.engine import Engine, Request, answer
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error
from docai.pipelines.evaluation.metrics.correctness import judge
from docai.pipelines.readback import read_back
from docai.pipelines.readback.compare import RULES, combined
from docai.pipelines.recognition.confidence import answer_confidence
from docai.pipelines.synthesis import samples

DIFFICULTIES = (0.0, 0.1, 0.3, 0.5)


@dataclass(frozen=True)
class Case:
    """One answer."""

    difficulty: float
    confidence: float
    similarity: float
    is_right: bool
    true_similarity: float | None
    """Of the true answer to the same picture."""
    seconds: float


def cases(engine: Engine, head: str, n: int, seed: int, difficulties: Sequence[float]) -> Iterator[Case]:
    """Answers that hold something to draw and that are not 0 by rule."""
    entry = HEADS[head]
    streams = [samples(head, seed, difficulty=value, split="held-out") for value in difficulties]
    for start in range(0, n, len(streams)):
        some = [next(stream) for stream in islice(streams, n - start)]
        generations = answer(engine, [Request(entry, sample.image) for sample in some])
        for difficulty, sample, generation in zip(difficulties, some, generations, strict=False):
            parsed, truth = entry.parser(generation.text), entry.parser(sample.target)
            own = answer_confidence([generation], parsed.issues, parsed.content).value
            started = time.perf_counter()
            found = read_back(parsed.content, sample.image).similarity
            seconds = time.perf_counter() - started
            if own and found is not None:
                is_right = judge(parsed.content, truth.content).record
                true = read_back(truth.content, sample.image).similarity
                yield Case(difficulty, own, found, is_right, true, seconds)


def figures(head: str, found: Sequence[Case]) -> dict[str, Any]:
    """All figures of one head."""
    rule = RULES[head]  # type: ignore[index]
    right = np.array([case.is_right for case in found])
    before = np.array([case.confidence for case in found])
    alike = np.array([case.similarity for case in found])
    after = np.array([combined(case.confidence, case.similarity, rule) for case in found])
    true = np.array([case.true_similarity for case in found if case.true_similarity is not None])
    both = {"before": before, "after": after}
    beliefs = {
        name: [Belief(float(p), bool(came_true)) for p, came_true in zip(value, right, strict=True)]
        for name, value in both.items()
    }
    return {
        "n": len(found),
        "n_right": int(right.sum()),
        "auc_similarity": _round(auc(alike[right], alike[~right])),
        "auc": {name: _round(auc(value[right], value[~right])) for name, value in both.items()},
        "brier": {name: _round(brier_score(one) or 0.0) for name, one in beliefs.items()},
        "ece": {name: _round(expected_calibration_error(one, 10) or 0.0) for name, one in beliefs.items()},
        "mean_right": {name: _round(value[right].mean()) for name, value in both.items() if right.any()},
        "mean_wrong": {name: _round(value[~right].mean()) for name, value in both.items() if (~right).any()},
        "false_alarms": _round((alike[right] < rule.doubtful).mean()) if right.any() else None,
        "false_alarms_on_truth": _round((true < rule.doubtful).mean()),
        "alarms_on_wrong": _round((alike[~right] < rule.doubtful).mean()) if (~right).any() else None,
        "milliseconds": round(float(np.median([case.seconds for case in found])) * 1000),
    }


def _round(value: float) -> float:
    return round(float(value), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--heads", nargs="+", choices=sorted(HEADS), default=sorted(HEADS))
    parser.add_argument("--n", type=int, default=40, help="pairs of each head")
    parser.add_argument("--seed", type=int, default=555)
    parser.add_argument("--difficulties", nargs="+", type=float, default=list(DIFFICULTIES))
    parser.add_argument("--report", type=Path, help="write the figures and every answer as JSON")
    arguments = parser.parse_args()
    engine = PaliGemmaEngine.load(arguments.model, device=arguments.device)
    report = {}
    for head in arguments.heads:
        found = list(cases(engine, head, arguments.n, arguments.seed, arguments.difficulties))
        if not found:
            print(f"{head}: no answer that could be read back")
            continue
        report[head] = {**figures(head, found), "answers": [asdict(case) for case in found]}
        shown = {name: value for name, value in report[head].items() if name != "answers"}
        print(f"{head}: {json.dumps(shown)}", flush=True)
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
