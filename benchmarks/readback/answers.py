"""Measures what read-back adds to the confidence of a model's own answers.

    python benchmarks/readback/answers.py                               # nano, 40 held-out pairs of each head
    python benchmarks/readback/answers.py --model FOLDER --heads score --n 200 --report answers.json

Where ``benchmarks/readback/run.py`` corrupts right answers at random, here a model makes its own mistakes.
Pairs are drawn from the held-out split, spread evenly over ``--difficulties``. AUC (0..1) is of the
similarity, and of the confidence before and after read-back, between answers that are completely right and
all others; answers whose confidence is 0 by rule are left out. Brier score and calibration error (ECE, 10
bins of equal width) are of the same answers. "false_alarms" is the share of right answers below the
similarity at which a record gets the issue ``readback-differs``; "false_alarms_on_truth" is the same of the
true answers to all pictures, since a small model is seldom right.
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
from run import auc

from docai.models.engine import Engine, Request, answer
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error, judge
from docai.pipelines.readback import read_back
from docai.pipelines.readback.compare import COMPARISONS, posterior
from docai.pipelines.recognition.confidence import answer_confidence
from docai.pipelines.synthesis import samples
from docai.records import Kind

DIFFICULTIES = (0.0, 0.1, 0.3, 0.5)


@dataclass(frozen=True)
class ReadAnswer:
    """One answer of the model, read back."""

    difficulty: float
    confidence: float
    similarity: float
    is_right: bool
    true_similarity: float | None
    """Of the true answer to the same picture."""
    seconds: float


def read_answers(
    engine: Engine, head: str, n: int, seed: int, difficulties: Sequence[float]
) -> Iterator[ReadAnswer]:
    """Answers that can be read back and whose confidence is not 0 by rule."""
    streams = [samples(head, seed, difficulty=value, split="held-out") for value in difficulties]
    for start in range(0, n, len(streams)):
        batch = [next(stream) for stream in islice(streams, n - start)]
        generations = answer(engine, [Request(HEADS[head], sample.image) for sample in batch])
        for difficulty, sample, generation in zip(difficulties, batch, generations, strict=False):
            parsed, truth = HEADS[head].parser(generation.text), HEADS[head].parser(sample.target)
            confidence = answer_confidence([generation], parsed.issues, parsed.content).value
            started = time.perf_counter()
            similarity = read_back(parsed.content, sample.image).similarity
            seconds = time.perf_counter() - started
            if confidence and similarity is not None:
                is_right = judge(parsed.content, truth.content).record
                true_similarity = read_back(truth.content, sample.image).similarity
                yield ReadAnswer(difficulty, confidence, similarity, is_right, true_similarity, seconds)


def figures(head: Kind, answers: Sequence[ReadAnswer]) -> dict[str, Any]:
    """All figures of one head."""
    rule = COMPARISONS[head].rule
    right = np.array([read.is_right for read in answers])
    similarity = np.array([read.similarity for read in answers])
    confidences = {
        "before": np.array([read.confidence for read in answers]),
        "after": np.array([posterior(read.confidence, read.similarity, rule) for read in answers]),
    }
    true = np.array([read.true_similarity for read in answers if read.true_similarity is not None])
    beliefs = {
        name: [Belief(float(p), bool(is_right)) for p, is_right in zip(values, right, strict=True)]
        for name, values in confidences.items()
    }
    return {
        "n": len(answers),
        "n_right": int(right.sum()),
        "auc_similarity": _round(auc(similarity[right], similarity[~right])),
        "auc": {name: _round(auc(values[right], values[~right])) for name, values in confidences.items()},
        "brier": {name: _round(brier_score(pairs) or 0.0) for name, pairs in beliefs.items()},
        "ece": {
            name: _round(expected_calibration_error(pairs, 10) or 0.0) for name, pairs in beliefs.items()
        },
        "mean_right": {
            name: _round(values[right].mean()) for name, values in confidences.items() if right.any()
        },
        "mean_wrong": {
            name: _round(values[~right].mean()) for name, values in confidences.items() if (~right).any()
        },
        "false_alarms": _round((similarity[right] < rule.warn_below).mean()) if right.any() else None,
        "false_alarms_on_truth": _round((true < rule.warn_below).mean()),
        "alarms_on_wrong": _round((similarity[~right] < rule.warn_below).mean()) if (~right).any() else None,
        "milliseconds": round(float(np.median([read.seconds for read in answers])) * 1000),
    }


def _round(value: float) -> float:
    return round(float(value), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--heads", nargs="+", choices=sorted(HEADS), default=sorted(HEADS), help="by default all"
    )
    parser.add_argument("--n", type=int, default=40, help="pairs per head (default 40)")
    parser.add_argument("--seed", type=int, default=555, help="of the drawn pairs")
    parser.add_argument(
        "--difficulties", nargs="+", type=float, default=list(DIFFICULTIES), help="0 (clean) to 1"
    )
    parser.add_argument("--report", type=Path, help="write the figures and every answer as JSON")
    arguments = parser.parse_args()
    engine = PaliGemmaEngine.load(arguments.model, device=arguments.device)
    report = {}
    for head in arguments.heads:
        answers = list(read_answers(engine, head, arguments.n, arguments.seed, arguments.difficulties))
        if not answers:
            print(f"{head}: no answer that could be read back")
            continue
        report[head] = {**figures(head, answers), "answers": [asdict(read) for read in answers]}
        shown = {name: value for name, value in report[head].items() if name != "answers"}
        print(f"{head}: {json.dumps(shown)}", flush=True)
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
