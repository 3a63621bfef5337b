"""Regions found on pages: precision and recall, average precision, and their reading order.

Matching is that of COCO (cocodataset/cocoapi, ``cocoeval.py``): page by page and class by class, regions in
the order of their confidence take the free truth with which their IoU is largest and at least the
threshold. COCO breaks ties by the order of the file; here the better overlap comes first, so that the result
does not depend on it. A region without a confidence ranks last.

Average precision is COCO's too: precision made to fall with recall, then read at the 101 recalls 0, 0.01 …
1. Regions of equal confidence enter the curve together: no order among them is better than another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, get_args

import numpy as np

from docai.geometry import iou as box_iou
from docai.pipelines.evaluation.base import (
    Belief,
    CaseScore,
    Detection,
    Item,
    Measure,
    Prediction,
    Ratio,
    Sample,
    Task,
)
from docai.records import Kind

THRESHOLDS = (0.5, 0.7)
_RECALLS = np.linspace(0, 1, 101)
_UNSURE = 0.0
"""Score of a region without a confidence."""


class RegionMatch(NamedTuple):
    """A truth and a predicted region, by their places among the items given."""

    truth: int
    prediction: int
    iou: float


@dataclass(frozen=True, slots=True)
class ClassRates:
    """What was found of one class over a corpus."""

    n_truth: int
    n_predictions: int
    n_matched: int
    average_precision: float | None

    @property
    def precision(self) -> float | None:
        return self.n_matched / self.n_predictions if self.n_predictions else None

    @property
    def recall(self) -> float | None:
        return self.n_matched / self.n_truth if self.n_truth else None


def match_regions(preds: Sequence[Item], truths: Sequence[Item], threshold: float = 0.5) -> list[RegionMatch]:
    """Pairs of one class on one page, by falling confidence; each item is in one pair at most."""
    overlaps = _overlaps(preds, truths)
    return _greedy(preds, overlaps, threshold)


def average_precision(detections: Sequence[Detection], n_truth: int, iou: float = 0.5) -> float | None:
    """Average precision of the regions of one class over a corpus; None where the truth has none.

    Args:
        detections: all regions of the class, in any order.
        n_truth: how many the truth has.
        iou: one of :data:`THRESHOLDS`.
    """
    if n_truth <= 0:
        return None
    if not detections:
        return 0.0
    scores = np.array([detection.score for detection in detections])
    is_match = np.array([iou in detection.matched_at for detection in detections])
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.diff(scores[order]) != 0, True)
    matched = np.cumsum(is_match[order])[last_of_score]
    given = np.flatnonzero(last_of_score) + 1
    falling = np.maximum.accumulate((matched / given)[::-1])[::-1]
    # Recalls as counts of truths, rounded: 0.29 * 100 is a little less than 29, 0.07 * 100 a little more.
    points = np.searchsorted(matched, np.round(_RECALLS * n_truth, 9))
    return float(np.append(falling, 0.0)[points].mean())


def class_rates(cases: Iterable[CaseScore], iou: float = 0.5) -> dict[Kind, ClassRates]:
    """Rates of each class that occurs in a corpus, in truth or prediction.

    Args:
        iou: one of :data:`THRESHOLDS`.
    """
    detections: defaultdict[Kind, list[Detection]] = defaultdict(list)
    n_truth: Counter[str] = Counter()
    for case in cases:
        n_truth.update(case.n_truth)
        for detection in case.detections:
            detections[detection.kind].append(detection)
    return {
        kind: ClassRates(
            n_truth=n_truth[kind],
            n_predictions=len(detections[kind]),
            n_matched=sum(iou in detection.matched_at for detection in detections[kind]),
            average_precision=average_precision(detections[kind], n_truth[kind], iou),
        )
        for kind in get_args(Kind)
        if n_truth[kind] or detections[kind]
    }


def pairs_in_order(matches: Sequence[RegionMatch]) -> Ratio:
    """Of all pairs of regions found on one page, those that stand in the truth's order.

    It is (1 + Kendall's tau) / 2: 1 for the truth's order, 0 for its reverse, about 0.5 for chance.
    """
    pairs = list(combinations(matches, 2))
    n_in_order = sum(
        (first.truth < second.truth) == (first.prediction < second.prediction) for first, second in pairs
    )
    return Ratio(n_in_order, len(pairs))


def _score(sample: Sample, prediction: Prediction | None) -> CaseScore:
    truths = [item for item in sample.truth if item.bbox is not None]
    preds = list(prediction.items) if prediction else []
    overlaps = _overlaps(preds, truths)
    matches = {threshold: _greedy(preds, overlaps, threshold) for threshold in THRESHOLDS}
    matched = {threshold: {match.prediction for match in matches[threshold]} for threshold in THRESHOLDS}
    detections = tuple(
        Detection(
            item.kind,
            _confidence(item),
            max((iou for iou, _ in overlaps[place]), default=0.0),
            tuple(threshold for threshold in THRESHOLDS if place in matched[threshold]),
        )
        for place, item in enumerate(preds)
    )
    beliefs = tuple(
        Belief(item.confidence, place in matched[THRESHOLDS[0]])
        for place, item in enumerate(preds)
        if item.confidence is not None
    )
    ratios = {"order": _order(truths, matches[THRESHOLDS[0]])}
    for threshold in THRESHOLDS:
        n, name = len(matches[threshold]), f"{100 * threshold:.0f}"
        ratios[f"f1-{name}"] = Ratio(2 * n, len(preds) + len(truths))
        ratios[f"precision-{name}"] = Ratio(n, len(preds))
        ratios[f"recall-{name}"] = Ratio(n, len(truths))
    n_truth = dict(Counter[str](item.kind for item in truths))
    notes = tuple(_notes(sample, prediction, truths, preds))
    return CaseScore(sample.id, ratios, notes, detections=detections, n_truth=n_truth, beliefs=beliefs)


def _overlaps(preds: Sequence[Item], truths: Sequence[Item]) -> list[list[tuple[float, int]]]:
    """For each prediction the truths of its page and class that it overlaps: IoU and place."""
    places: defaultdict[tuple[int, Kind], list[int]] = defaultdict(list)
    for place, item in enumerate(truths):
        places[item.page, item.kind].append(place)
    overlaps = []
    for item in preds:
        near = []
        for place in places.get((item.page, item.kind), ()):
            box = truths[place].bbox
            overlap = box_iou(item.bbox, box) if item.bbox is not None and box is not None else 0.0
            if overlap > 0:
                near.append((overlap, place))
        overlaps.append(near)
    return overlaps


def _greedy(
    preds: Sequence[Item], overlaps: Sequence[Sequence[tuple[float, int]]], threshold: float
) -> list[RegionMatch]:
    def rank(place: int) -> tuple[float, float]:
        return -_confidence(preds[place]), -max((iou for iou, _ in overlaps[place]), default=0.0)

    taken: set[int] = set()
    matches = []
    for place in sorted(range(len(preds)), key=rank):
        free = [(iou, truth) for iou, truth in overlaps[place] if iou >= threshold and truth not in taken]
        if free:
            iou, truth = max(free)
            taken.add(truth)
            matches.append(RegionMatch(truth, place, iou))
    return matches


def _confidence(item: Item) -> float:
    return _UNSURE if item.confidence is None else item.confidence


def _order(truths: Sequence[Item], matches: Sequence[RegionMatch]) -> Ratio:
    """Order within pages, summed: pages themselves are in order by their numbers."""
    pages: defaultdict[int, list[RegionMatch]] = defaultdict(list)
    for match in matches:
        pages[truths[match.truth].page].append(match)
    ratios = [pairs_in_order(page_matches) for page_matches in pages.values()]
    return Ratio(sum(ratio.numerator for ratio in ratios), sum(ratio.denominator for ratio in ratios))


def _notes(
    sample: Sample, prediction: Prediction | None, truths: Sequence[Item], preds: Sequence[Item]
) -> Iterator[str]:
    if prediction is None:
        yield "no prediction"
    elif prediction.error is not None:
        yield "the reader failed"
    if len(truths) < len(sample.truth):
        yield "truth without a box is not asked for"
    if not truths:
        yield "no region is asked for: recall is not defined"
    if not preds:
        yield "no region is given: precision is not defined"
    if any(item.bbox is None for item in preds):
        yield "regions without a box count as predictions that match nothing"
    if any(item.confidence is None for item in preds):
        yield "regions without a confidence rank last"


def _measures() -> Iterator[Measure]:
    for threshold in THRESHOLDS:
        name, protocol = f"{100 * threshold:.0f}", f"COCO matching at IoU {threshold}, class must agree"
        yield Measure(f"f1-{name}", f"Region F1 at IoU {threshold}", protocol, percent=True)
        yield Measure(f"precision-{name}", f"Region precision at IoU {threshold}", protocol, percent=True)
        yield Measure(f"recall-{name}", f"Region recall at IoU {threshold}", protocol, percent=True)
    order = "docai, pairs of regions found (IoU 0.5) in the truth's order"
    yield Measure("order", "Region order", order, percent=True)


REGIONS = Task(name="regions", measures=tuple(_measures()), score=_score, headline="f1-50", unit="region")
