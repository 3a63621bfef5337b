"""Text spotting: words found and read, by the two protocols in use.

``hiertext``
    Word end-to-end of the HierText evaluator (google-research-datasets/hiertext, ``evaluator.py``, polygons).
    A prediction of which half the area or more lies in a word to be ignored is dropped. A truth and a
    prediction match where each is the other's best and their IoU is at least 0.5; they count as read where
    the texts are equal, case and punctuation included.
``rrc``
    End-to-end of the ICDAR Robust Reading Competition (``script.py``, E2E_iou_1_1). Coordinates are integers.
    A prediction of which more than half the area lies in a word to be ignored is dropped. Truths in order
    take the first free prediction with IoU above 0.5, whatever its text; they count as read where the texts
    are equal in upper case, the truth with or without one special character at either end. With
    ``word_spotting`` only truths that could stand in a dictionary are asked for, and compared as they would
    stand there. No lexicon is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from docai.pipelines.evaluation.base import SpottedWord
from docai.pipelines.evaluation.metrics.outlines import Outlines, ious, outlines, shares_inside

_SPECIAL = "!?.:,*\"()·[]/'"

_DICTIONARY_WORD = re.compile(r"(?:[a-zA-Z\u00c0-\u01bf\u01c4-\u027f\u0386-\u03ff-](?<![×÷])){3,}")


def same_transcription(truth: str, prediction: str) -> bool:
    """Whether the RRC takes a reading for right: case ignored, and the truth may lose one special character
    at its start, at its end, or at both."""
    truth, prediction = truth.upper(), prediction.upper()
    starts = (0, 1) if truth[:1] and truth[0] in _SPECIAL else (0,)
    ends = (0, 1) if truth[-1:] and truth[-1] in _SPECIAL else (0,)
    return any(truth[start : len(truth) - end] == prediction for start in starts for end in ends)


def dictionary_form(text: str) -> str | None:
    """A truth as RRC word spotting asks for it: without ``'s``, outer hyphens and special characters. None
    where what is left is no word of three letters or more."""
    text = re.sub(r"'[sS]\Z", "", text).strip("-")
    text = "".join(" " if char in _SPECIAL else char for char in text).strip()
    return text if _DICTIONARY_WORD.fullmatch(text) else None


def same_word(truth: str, prediction: str) -> bool:
    """Whether two readings are one word in RRC word spotting: case is ignored, nothing else."""
    return truth.upper() == prediction.upper()


Protocol = Literal["hiertext", "rrc"]

IOU = 0.5
"""Overlap from which (``hiertext``) or above which (``rrc``) two outlines match."""

_IGNORED_SHARE = 0.5

_EPSILON = 1e-5
"""The HierText evaluator's: added to areas that are divided by, and the area of an empty outline."""

_UNREADABLE = "###"


class WordMatch(NamedTuple):
    """A truth and a prediction, by their places in the given sequences."""

    truth: int
    prediction: int
    iou: float
    is_right: bool
    """Whether the text is right too."""


class Rates(NamedTuple):
    """Figures of one image or corpus, 0…1."""

    precision: float
    recall: float
    f1: float
    pq: float
    """Panoptic quality: F1 times the mean IoU of the words counted."""


@dataclass(frozen=True, slots=True)
class SpottingResult:
    """The counts of one image, or of a corpus: results of one protocol can be added."""

    protocol: Protocol
    n_truth: int = 0
    """Words asked for."""
    n_predictions: int = 0
    """Words given; those that lie in a word to be ignored are left out."""
    n_found: int = 0
    n_right: int = 0
    """Words found whose text is right too."""
    iou_found: float = 0.0
    """Sum of the IoUs of the words found."""
    iou_right: float = 0.0
    n_mended: int = 0
    """Outlines that crossed themselves."""
    n_missing: int = 0
    """Predictions without an outline: they count, and match nothing."""
    matches: tuple[WordMatch, ...] = ()
    """Of one image; empty in a sum."""
    ignored: frozenset[int] = frozenset()
    """Places of the predictions left out, of one image; empty in a sum."""

    @property
    def end_to_end(self) -> Rates:
        """Of words that were found and read."""
        return self._rates(self.n_right, self.iou_right)

    @property
    def detection(self) -> Rates:
        """Of words that were found, whatever was read."""
        return self._rates(self.n_found, self.iou_found)

    def _rates(self, n: int, iou: float) -> Rates:
        # An empty side is as the references have it for one image; they differ where nothing was given.
        if_silent = 1.0 if self.protocol == "hiertext" or not self.n_truth else 0.0
        precision = n / self.n_predictions if self.n_predictions else if_silent
        recall = n / self.n_truth if self.n_truth else 1.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return Rates(precision, recall, f1, f1 * (iou / n if n else 1.0))

    def __add__(self, other: SpottingResult) -> SpottingResult:
        if self.protocol != other.protocol:
            raise ValueError(f"Results by {self.protocol} and {other.protocol} cannot be added.")
        return SpottingResult(
            self.protocol,
            n_truth=self.n_truth + other.n_truth,
            n_predictions=self.n_predictions + other.n_predictions,
            n_found=self.n_found + other.n_found,
            n_right=self.n_right + other.n_right,
            iou_found=self.iou_found + other.iou_found,
            iou_right=self.iou_right + other.iou_right,
            n_mended=self.n_mended + other.n_mended,
            n_missing=self.n_missing + other.n_missing,
        )


def spotting(
    preds: Sequence[SpottedWord],
    truths: Sequence[SpottedWord],
    protocol: Protocol = "hiertext",
    *,
    word_spotting: bool = False,
) -> SpottingResult:
    """Score the words of one image; see :func:`spotting_corpus` for many.

    Args:
        preds: words given, in any order for ``hiertext``; for ``rrc`` the order decides between two that
            overlap one truth.
        truths: words of the truth, those to be ignored marked so. In ``rrc`` ``###`` is one as well.
        word_spotting: ``rrc`` only: ask for dictionary words alone.

    Raises:
        ValueError: the protocol is unknown, or has no word spotting.
        MissingDependencyError: shapely is not installed.
    """
    if protocol == "hiertext" and not word_spotting:
        return _hiertext(preds, truths)
    if protocol == "rrc":
        return _rrc(preds, truths, word_spotting)
    raise ValueError(f"No protocol {protocol!r} with word_spotting={word_spotting}: use 'hiertext' or 'rrc'.")


def spotting_corpus(
    preds: Iterable[Sequence[SpottedWord]],
    truths: Iterable[Sequence[SpottedWord]],
    protocol: Protocol = "hiertext",
    *,
    word_spotting: bool = False,
) -> SpottingResult:
    """Score many images: the sum of :func:`spotting` over them.

    Raises:
        ValueError: as :func:`spotting`, or not as many images on both sides.
    """
    images = zip(preds, truths, strict=True)
    results = (spotting(given, asked, protocol, word_spotting=word_spotting) for given, asked in images)
    return sum(results, SpottingResult(protocol))


def _hiertext(preds: Sequence[SpottedWord], truths: Sequence[SpottedWord]) -> SpottingResult:
    given, asked = outlines([word.polygon for word in preds]), outlines([word.polygon for word in truths])
    is_ignored = np.array([word.ignore for word in truths], dtype=bool)
    shares = shares_inside(given, asked.where(is_ignored), epsilon=_EPSILON)
    counted = np.flatnonzero(~(shares >= _IGNORED_SHARE).any(axis=1))
    cared = np.flatnonzero(~is_ignored)
    iou = ious(asked, given, epsilon=_EPSILON)[np.ix_(cared, counted)]
    matches = []
    if iou.size:
        best_prediction, best_truth = iou.argmax(axis=1), iou.argmax(axis=0)
        for row, col in enumerate(best_prediction):
            if iou[row, col] >= IOU and best_truth[col] == row:
                truth, prediction = int(cared[row]), int(counted[col])
                is_right = preds[prediction].text == truths[truth].text
                matches.append(WordMatch(truth, prediction, float(iou[row, col]), is_right))
    return _result("hiertext", matches, cared, counted, given, asked)


def _rrc(preds: Sequence[SpottedWord], truths: Sequence[SpottedWord], word_spotting: bool) -> SpottingResult:
    given = outlines([word.polygon for word in preds], whole_units=True)
    asked = outlines([word.polygon for word in truths], whole_units=True)
    texts = [dictionary_form(word.text) if word_spotting else word.text for word in truths]
    is_ignored = np.array(
        [
            word.ignore or word.text == _UNREADABLE or text is None
            for word, text in zip(truths, texts, strict=True)
        ],
        dtype=bool,
    )
    shares = shares_inside(given, asked.where(is_ignored))
    counted = np.flatnonzero(~(shares > _IGNORED_SHARE).any(axis=1))
    cared = np.flatnonzero(~is_ignored)
    is_same = same_word if word_spotting else same_transcription
    iou = ious(asked, given)
    free = np.zeros(len(preds), dtype=bool)
    free[counted] = True
    matches = []
    for truth in cared.tolist():
        fitting = np.flatnonzero(free & (iou[truth] > IOU))
        if fitting.size:
            prediction = int(fitting[0])
            free[prediction] = False
            is_right = is_same(texts[truth] or "", preds[prediction].text)
            matches.append(WordMatch(truth, prediction, float(iou[truth, prediction]), is_right))
    return _result("rrc", matches, cared, counted, given, asked)


def _result(
    protocol: Protocol,
    matches: Sequence[WordMatch],
    cared: Any,
    counted: Any,
    given: Outlines,
    asked: Outlines,
) -> SpottingResult:
    right = [match for match in matches if match.is_right]
    return SpottingResult(
        protocol,
        n_truth=len(cared),
        n_predictions=len(counted),
        n_found=len(matches),
        n_right=len(right),
        iou_found=sum(match.iou for match in matches),
        iou_right=sum(match.iou for match in right),
        n_mended=given.n_mended + asked.n_mended,
        n_missing=given.n_missing,
        matches=tuple(matches),
        ignored=frozenset(range(len(given.shapes))) - frozenset(counted.tolist()),
    )
