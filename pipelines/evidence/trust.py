"""How often second readers are right, and what two readings together make of a probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from docai.contents import TableContent, TextContent
from docai.pipelines.evidence.base import Reading
from docai.records import Evidence

COINCIDENCE: Final = 0.05
"""Share of the cases where both readers are wrong in which they are wrong alike. A guess on the high side:
there are thousands of wrong answers, but what misleads one reader, such as a smudge, misleads others."""


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
}
"""Of complete readings. Whole answers are rounded down from what ``benchmarks/witnesses.py`` measures over
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
}
"""Of readings that are not complete. Of 42 such texts in the same measurement 6 were wholly right, and a
third of their words: some are short or French, others of a script that it does not know. Of 36 such
structures none was right; tables were not measured. Those decide nothing."""

_NO_TRUST: Final = Trust(record=0.0, part=0.0)


def bayes(prior: float, if_right: float, if_wrong: float) -> float:
    """Bayes' rule: probability that an answer is right, given an observation.

    Args:
        prior: that it is right, before the observation.
        if_right, if_wrong: probability of the observation where the answer is right, and where it is wrong.
    """
    right, wrong = prior * if_right, (1 - prior) * if_wrong
    return right / (right + wrong) if right + wrong else 0.0


def agreed(p: float, w: float) -> float:
    """Probability that the answer which both readers give is right."""
    return bayes(p, w, (1 - w) * COINCIDENCE)


def contradicted(p: float, w: float) -> float:
    """Probability that the reader who is right with ``p`` is right, where the other one differs from it."""
    return bayes(p, 1 - w, 1.0)


def word_trust(source: Evidence, own: float | None) -> float:
    """How likely a word of a second reader is right, alone.

    Args:
        own: the reader's confidence in it, 0…1; None where it gives none.
    """
    part = TRUST.get(source, _NO_TRUST).part
    return part if own is None else min(part, own)


def trust_in(second: Reading) -> Trust:
    """Where its reading is complete, or says what the model says."""
    if isinstance(second.content, TableContent):
        return TABLE_TRUST.get(second.source, _NO_TRUST)
    if second.source == "drawing" or second.is_calibrated:
        # What it could explain is measured for each drawing, and a vote is for all its readers.
        value = second.confidence.value or 0.0
        return Trust(record=value, part=value)
    trust = TRUST.get(second.source, _NO_TRUST)
    record, part = trust.record, trust.part
    for name in second.supporters:
        record = agreed(record, TRUST.get(name, _NO_TRUST).record)
        part = agreed(part, TRUST.get(name, _NO_TRUST).part)
    for name in second.opponents:
        record = contradicted(record, TRUST.get(name, _NO_TRUST).record)
        part = contradicted(part, TRUST.get(name, _NO_TRUST).part)
    return Trust(record, part)


def trust_against(second: Reading) -> Trust:
    """Where the model says another thing."""
    if second.complete:
        return trust_in(second)
    return UNCLEAR.get(second.source, _NO_TRUST) if isinstance(second.content, TextContent) else _NO_TRUST


def probability_against(second: Reading) -> float:
    """How likely it is right against the model, in the unit that it is asked in: of a text a word of it."""
    trust = trust_against(second)
    return trust.part if isinstance(second.content, TextContent) else trust.record
