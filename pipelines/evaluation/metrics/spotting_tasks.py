"""Text spotting as tasks: the cases of a data set scored by the protocols of :mod:`spotting`.

F1 is ``2 TP / (predictions + truths)``: the harmonic mean of precision and recall over the corpus, as both
have it. Where nothing is asked for and nothing given, both call one image 1.0; here the measure is not
defined on it, which leaves the same corpus figure since the references sum the counts too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from docai.pipelines.evaluation.base import (
    Belief,
    CaseScore,
    Item,
    Measure,
    Prediction,
    Ratio,
    Sample,
    SpottedWord,
    Task,
)
from docai.pipelines.evaluation.metrics.outlines import axis_aligned_ceiling
from docai.pipelines.evaluation.metrics.spotting import IOU, Protocol, SpottingResult, spotting

_Page = tuple[list[SpottedWord], list[SpottedWord]]
"""Words given and words asked for."""


def _score_hiertext(sample: Sample, prediction: Prediction | None) -> CaseScore:
    pages, notes = _pages(sample, prediction)
    result, beliefs = _sum_of_pages(pages, "hiertext")
    ratios = _ratios(result) | {
        "pq": Ratio(2 * result.iou_right, result.n_truth + result.n_predictions),
        "det-pq": Ratio(2 * result.iou_found, result.n_truth + result.n_predictions),
    }
    return CaseScore(
        sample.id,
        ratios | _ceiling(sample, above=False),
        (*notes, *_notes(result)),
        beliefs=beliefs,
        part_beliefs=_record_beliefs(sample, prediction),
    )


def _score_rrc(sample: Sample, prediction: Prediction | None) -> CaseScore:
    pages, notes = _pages(sample, prediction)
    result, beliefs = _sum_of_pages(pages, "rrc")
    spotted, _ = _sum_of_pages(pages, "rrc", word_spotting=True)
    ratios = _ratios(result) | {
        "word-spotting-f1": Ratio(2 * spotted.n_right, spotted.n_truth + spotted.n_predictions)
    }
    return CaseScore(
        sample.id,
        ratios | _ceiling(sample, above=True),
        (*notes, *_notes(result)),
        beliefs=beliefs,
        part_beliefs=_record_beliefs(sample, prediction),
    )


def _record_beliefs(sample: Sample, prediction: Prediction | None) -> dict[str, tuple[Belief, ...]]:
    """How sure the reading of a crop as a whole is: right where its words are the true ones, in any order.

    Most data sets do not say in which order words are read.
    """
    texts = [item for item in (prediction.items if prediction else []) if item.kind == "text"]
    if sample.unit != "crop" or len(texts) != 1 or texts[0].confidence is None:
        return {}
    true = [word for item in sample.truth for word in item.words]
    if any(word.ignore for word in true):
        return {}
    wanted = sorted(part for word in true for part in word.text.split())
    return {"record": (Belief(texts[0].confidence, sorted(texts[0].text.split()) == wanted),)}


def _pages(sample: Sample, prediction: Prediction | None) -> tuple[list[_Page], tuple[str, ...]]:
    """Predicted and true words, page by page."""
    pages: defaultdict[int, _Page] = defaultdict(lambda: ([], []))
    for item in sample.truth:
        if item.kind == "text":
            pages[item.page][1].extend(item.words)
    if prediction is None:
        return list(pages.values()), ("no prediction",)
    for item in prediction.items:
        if item.kind == "text":
            pages[item.page][0].extend(item.words or _without_outline(item))
    return list(pages.values()), () if prediction.error is None else ("the reader failed",)


def _without_outline(item: Item) -> list[SpottedWord]:
    return [SpottedWord(text=word, polygon=[]) for word in item.text.split()]


def _sum_of_pages(
    pages: Sequence[_Page], protocol: Protocol, *, word_spotting: bool = False
) -> tuple[SpottingResult, tuple[Belief, ...]]:
    total, beliefs = SpottingResult(protocol), []
    for preds, truths in pages:
        result = spotting(preds, truths, protocol, word_spotting=word_spotting)
        right = {match.prediction for match in result.matches if match.is_right}
        beliefs += [
            Belief(word.confidence, place in right)
            for place, word in enumerate(preds)
            if word.confidence is not None and place not in result.ignored
        ]
        total += result
    return total, tuple(beliefs)


def _ratios(result: SpottingResult) -> dict[str, Ratio]:
    both = result.n_truth + result.n_predictions
    return {
        "f1": Ratio(2 * result.n_right, both),
        "precision": Ratio(result.n_right, result.n_predictions),
        "recall": Ratio(result.n_right, result.n_truth),
        "det-f1": Ratio(2 * result.n_found, both),
        "det-precision": Ratio(result.n_found, result.n_predictions),
        "det-recall": Ratio(result.n_found, result.n_truth),
    }


def _ceiling(sample: Sample, *, above: bool) -> dict[str, Ratio]:
    words = [word for item in sample.truth if item.kind == "text" for word in item.words]
    ceiling = axis_aligned_ceiling(words, threshold=IOU, above=above)
    return {
        # A reader that gives just the words that can match has a precision of 1.
        "ceiling": Ratio(2 * ceiling.n_possible, ceiling.n_possible + ceiling.n_truth),
        "bounding-recall": Ratio(ceiling.n_bounding, ceiling.n_truth),
    }


def _notes(result: SpottingResult) -> tuple[str, ...]:
    notes = {
        "an outline that crosses itself was mended": result.n_mended,
        "words without an outline count as predictions that match nothing": result.n_missing,
        "no word is asked for: recall is not defined": not result.n_truth,
        "no word is given: precision is not defined": not result.n_predictions,
    }
    return tuple(note for note, applies in notes.items() if applies)


def _measures(protocol: str) -> tuple[Measure, ...]:
    labels = {
        "f1": "E2E F1",
        "precision": "E2E precision",
        "recall": "E2E recall",
        "det-f1": "Detection F1",
        "det-precision": "Detection precision",
        "det-recall": "Detection recall",
    }
    return tuple(Measure(name, label, protocol, percent=True) for name, label in labels.items())


_CEILINGS = (
    Measure("ceiling", "F1 ceiling of upright boxes", "docai", percent=True),
    Measure("bounding-recall", "Recall of the words' own bounding boxes", "docai", percent=True),
)
_HIERTEXT = "HierText evaluator.py, word end-to-end"
_RRC = "ICDAR RRC script.py (E2E_iou_1_1), no lexicon"

TEXT_HIERTEXT = Task(
    name="text-hiertext",
    measures=(
        *_measures(_HIERTEXT),
        Measure("pq", "E2E PQ", _HIERTEXT, percent=True),
        Measure("det-pq", "Detection PQ", _HIERTEXT, percent=True),
        *_CEILINGS,
    ),
    score=_score_hiertext,
    headline="f1",
    unit="word",
)
TEXT_RRC = Task(
    name="text-rrc",
    measures=(
        *_measures(_RRC),
        Measure("word-spotting-f1", "Word spotting F1", f"{_RRC}, WORD_SPOTTING", percent=True),
        *_CEILINGS,
    ),
    score=_score_rrc,
    headline="f1",
    unit="word",
)
