"""How often second readers are right, and what two readings together make of a probability.

A reader says in its own measure how well it read (:attr:`Reading.quality
<docai.pipelines.evidence.base.Reading.quality>`, confidences of words). What that is worth is fitted on real
documents and drawn ones by ``benchmarks/fit_trust.py`` and stored in ``trust.json`` beside this module:
rising maps of a few points, and lines between them. A reading that has a fitted probability of its own, such
as one that was made of several, says it as its confidence, which is taken as it is.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from docai.contents import MoleculeContent, ScoreContent, TableContent, TextContent
from docai.pipelines.evidence.base import Decision, Reading
from docai.records import Confidence, Evidence

TRUST_FILE: Final = "trust.json"

COINCIDENCE: Final = 0.05
"""Share of the cases where a reader and the model are both wrong in which they are wrong alike. A guess on
the high side: there are thousands of wrong answers, but what misleads one reader, such as a smudge, misleads
others."""

MOLECULE_COINCIDENCE: Final = 0.4
"""The same of two readers of molecules, which stumble over the same drawings, such as a salt beside the
structure: of 23 pictures of the half for development about which Imago and OSRA were both wrong, they were
wrong alike in 10."""


@dataclass(frozen=True)
class Trust:
    """How often a second reader is right."""

    record: float
    """Its whole answer."""
    part: float
    """A word or an atom of it."""


TRUST: Final[dict[Evidence, Trust]] = {
    "imago": Trust(record=0.75, part=0.9),
    "osra": Trust(record=0.8, part=0.9),
    "ppocr": Trust(record=0.7, part=0.95),
    "tesseract": Trust(record=0.6, part=0.9),
    "tracing": Trust(record=0.1, part=0.6),
}
"""Of complete readings. Whole answers are rounded down from what ``benchmarks/pictures.py`` measures over
all sets: 0.85 of OSRA's 232 complete structures, 0.77 of Imago's 163 (``--limit 60``), 0.86 of PP-OCR's 21
paragraphs (``--limit 24``); of Tesseract's 83 complete paragraphs (``--limit 120``) 0.65, and 0.98 of their
words: scans are harder than drawn pages."""

TABLE_TRUST: Final[dict[Evidence, Trust]] = {
    "ppocr": Trust(record=0.3, part=0.8),
    "tesseract": Trust(record=0.2, part=0.6),
}
"""Of tables by the words of a reader. Of 30 drawn ones of difficulty 0.3 Tesseract had 26 wholly right, of
ten published ones none, so this is a guess between, on the low side, as real tables are of the latter kind;
so is that of PP-OCR, which had 8 of 10 and none of ten."""

UNCLEAR: Final[dict[Evidence, Trust]] = {
    "ppocr": Trust(record=0.1, part=0.4),
    "tesseract": Trust(record=0.1, part=0.3),
    "tracing": Trust(record=0.05, part=0.5),
}
"""Of readings that are not complete. Of 42 such texts in the same measurement 6 were wholly right, and a
third of their words: some are short or French, others of a script that it does not know. Of 36 such
structures none was right; tables were not measured. Those decide nothing."""

_NO_TRUST: Final = Trust(record=0.0, part=0.0)

_NO_SECOND_READERS: Final[frozenset[Evidence]] = frozenset(("model", "text-layer", "table-finder"))
"""What these say of themselves is weighed elsewhere."""


_NOT_OF_PICTURES: Final[frozenset[Evidence]] = _NO_SECOND_READERS | {"drawing", "layout"}

LEAST_ACCURACY: Final = 0.05
"""Of a head of which no answer about a real document was right: there were not many."""

FINAL: Final = "docai"
"""In the file: the maps of confidences of whole records, by kind, that rest on readers of pictures alone."""

PAGE_WORD: Final = "page-word"
"""In the file: the map of words that a reader of whole pages reads on one."""

MEASURE: Final = "measure"
"""In the file: the map of measures of music."""


@dataclass(frozen=True)
class TrustMap:
    """A reader's own measure → probability that it is right."""

    x: tuple[float, ...]
    """Rising, one point at least."""
    y: tuple[float, ...]
    """Not falling."""

    def __call__(self, own: float) -> float:
        """Straight lines between the points, level outside."""
        after = bisect_right(self.x, own)
        if after in (0, len(self.x)):
            return self.y[min(after, len(self.x) - 1)]
        (x0, x1), (y0, y1) = self.x[after - 1 : after + 1], self.y[after - 1 : after + 1]
        return y0 + (y1 - y0) * (own - x0) / (x1 - x0)


@cache
def fitted_maps() -> Mapping[tuple[str, str], TrustMap]:
    """By reader and what is right: a ``word``, a :data:`PAGE_WORD`, a :data:`MEASURE`, or the whole of a
    record of that kind."""
    text = Path(__file__).with_name(TRUST_FILE).read_text("utf-8")
    maps: dict[str, dict[str, Any]] = json.loads(text)["maps"]
    return MappingProxyType(
        {
            (source, unit): TrustMap(tuple(points["x"]), tuple(points["y"]))
            for source, units in maps.items()
            for unit, points in units.items()
        }
    )


def bayes(prior: float, if_right: float, if_wrong: float) -> float:
    """Bayes' rule: probability that an answer is right, given an observation.

    Args:
        prior: that it is right, before the observation.
        if_right, if_wrong: probability of the observation where the answer is right, and where it is wrong.
    """
    right, wrong = prior * if_right, (1 - prior) * if_wrong
    return right / (right + wrong) if right + wrong else 0.0


def agreed(p: float, w: float, coincidence: float = COINCIDENCE) -> float:
    """Probability that the answer which both readers give is right.

    Args:
        p, w: that each is right.
        coincidence: share of the cases where both are wrong in which they are wrong alike.
    """
    return bayes(p, w, (1 - w) * coincidence)


def contradicted(p: float, w: float) -> float:
    """Probability that the reader who is right with ``p`` is right, where the other one differs from it."""
    return bayes(p, 1 - w, 1.0)


def word_trust(source: Evidence, own: float | None, unit: str = "word") -> float:
    """How likely a word of a second reader is right, alone, or another part of its answer.

    Args:
        own: the reader's confidence in it, 0…1; None where it gives none.
        unit: ``word`` of a region, :data:`PAGE_WORD` or :data:`MEASURE`.
    """
    part, fitted = TRUST.get(source, _NO_TRUST).part, fitted_maps().get((source, unit))
    if own is None or fitted is None:
        return part if own is None else min(part, own)
    return fitted(own)


def record_trust(source: Evidence, kind: str, quality: float | None) -> float:
    """How likely a complete reading of a second reader is wholly right, alone.

    Args:
        kind: of the region.
        quality: see :attr:`~docai.pipelines.evidence.base.Reading.quality`.
    """
    fitted = fitted_maps().get((source, kind))
    if quality is not None and fitted is not None:
        return fitted(quality)
    return (TABLE_TRUST if kind == "table" else TRUST).get(source, _NO_TRUST).record


def trust_in(second: Reading) -> Trust:
    """Where its reading is complete, or says what the model says."""
    if second.confidence.value is not None and second.source not in _NO_SECOND_READERS:
        return _own_trust(second)
    trust = _trust_alone(second)
    record, part = trust.record, trust.part
    alike = MOLECULE_COINCIDENCE if isinstance(second.content, MoleculeContent) else COINCIDENCE
    for name in second.supporters:
        record = agreed(record, TRUST.get(name, _NO_TRUST).record, alike)
        part = agreed(part, TRUST.get(name, _NO_TRUST).part, alike)
    for name in second.opponents:
        record = contradicted(record, TRUST.get(name, _NO_TRUST).record)
        part = contradicted(part, TRUST.get(name, _NO_TRUST).part)
    return Trust(record, part)


def _own_trust(second: Reading) -> Trust:
    """What a reading says of itself that is measured; of its words the mean."""
    record = second.confidence.value or 0.0
    words = second.content.part_confidences() if isinstance(second.content, TextContent) else []
    known = [value for value in words if value is not None]
    return Trust(record, part=sum(known) / len(known) if known else record)


def _trust_alone(second: Reading) -> Trust:
    """Without those who say the same, or something else."""
    content, source = second.content, second.source
    if isinstance(content, TableContent):
        return Trust(record_trust(source, "table", second.quality), TABLE_TRUST.get(source, _NO_TRUST).part)
    part = TRUST.get(source, _NO_TRUST).part
    if isinstance(content, TextContent):
        words = [value for value in content.part_confidences() if value is not None]
        if words:
            part = sum(word_trust(source, value) for value in words) / len(words)
        return Trust(record_trust(source, "text", second.quality), part)
    kind = "score" if isinstance(content, ScoreContent) else "molecule"
    return Trust(record_trust(source, kind, second.quality), part)


def is_reader_of_pictures(second: Reading) -> bool:
    return second.source not in _NOT_OF_PICTURES


def trust_against(second: Reading) -> Trust:
    """Where the model says another thing."""
    if second.complete or (second.confidence.value is not None and is_reader_of_pictures(second)):
        return trust_in(second)
    if isinstance(second.content, (TextContent, ScoreContent)):
        return UNCLEAR.get(second.source, _NO_TRUST)
    return _NO_TRUST


def probability_against(second: Reading) -> float:
    """How likely it is right against the model, in the unit that it is asked in: of a text a word of it."""
    trust = trust_against(second)
    return trust.part if isinstance(second.content, TextContent) else trust.record


def within_accuracy(decision: Decision, accuracy: float | None) -> Decision:
    """What the model alone says is no surer than it was measured to be right about real documents.

    Its own confidence is fitted on drawn pairs, which are more like those that it learned from.

    Args:
        accuracy: of the head, see :attr:`docai.models.checkpoints.HeadWeights.accuracy`; None: not measured.
    """
    own, bound = decision.confidence, max(accuracy or 0.0, LEAST_ACCURACY)
    if accuracy is None or tuple(decision.evidence) != ("model",) or own.value is None or own.value <= bound:
        return decision
    method = f"{own.method}; at most the share of the head's answers about real documents that are right"
    return replace(decision, confidence=Confidence(value=bound, method=method, parts=own.parts))


def with_fitted_confidence(kind: str, decision: Decision) -> Decision:
    """What a record is worth that rests on readers of pictures alone, by how often such ones were right.

    Each step before has a rule that holds by itself; what they say together is held against real documents
    here, last of all.

    Args:
        kind: of the region.
        decision: with the confidence that all steps gave it.
    """
    fitted, own = fitted_maps().get((FINAL, kind)), decision.confidence
    if fitted is None or own.value is None or not decision.evidence:
        return decision
    if not _NOT_OF_PICTURES.isdisjoint(decision.evidence):
        return decision
    method = f"{own.method}; fitted to the share of such records that are right"
    confidence = Confidence(value=fitted(own.value), method=method, parts=own.parts)
    return replace(decision, confidence=confidence)
