"""The PDF's own words as a reading of a region.

A born-digital page knows its words. They are the text of a region; tables take them into their cells, see
:mod:`docai.pipelines.evidence.table_decision`. What is believed when they and the model differ is said in
:mod:`docai.pipelines.evidence.arbiter`.

Where the PDF's words took the place of the model's, the part's confidence is None: the model's number is
about another text, and how sure a PDF is of its own words nobody has measured. Where they only agree with the
model it stays the model's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from docai.issues import make_issue
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import plain, text_from_words, text_layer_quality
from docai.records import Confidence, Evidence

MIN_QUALITY: Final = 0.5
"""Share of readable characters (:func:`docai.pipelines.words.text_layer_quality`) below which the words of a
text layer are not believed: the model reads the region instead."""

MIN_CONFIRMED: Final = 0.5
"""Share of the letters of a scan's invisible words below which they are not believed. On drawn scans the
right layer had 1, that of another page 0.1; layers of poor engines lie between, and were not measured."""

MIN_COMPARED: Final = 8
"""Letters that must have been compared to tell."""

MIN_AGREEMENT: Final = 0.9
"""Agreement (word F1, :func:`docai.pipelines.words.agreement`) from which two readings are evidence for each
other."""

MAX_EXAMPLES: Final = 3
"""Words or cells that a message names."""


class TextLayer:
    """Reads the PDF's own words. It is asked first: the other steps depend on what it says."""

    name: Final[Evidence] = "text-layer"
    kinds: Final = None
    needs: Final[frozenset[Need]] = frozenset(("words",))
    yields_to_words: Final = False

    def available(self) -> str | None:
        """Always there."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The words as lines; not complete where they look broken."""
        content, quality = text_from_words(region.words), text_layer_quality(region.words)
        confidence = Confidence(value=quality, method="share of readable characters of the PDF's own words")
        confirmed = confirmed_share(region.words)
        issues = []
        if quality < MIN_QUALITY:
            message = f"The PDF's own words here look broken (quality {quality:.2f}) and were not believed."
            issues.append(make_issue("text-layer-not-believed", message))
        elif confirmed is not None and confirmed < MIN_CONFIRMED:
            message = (
                "The invisible words of this scan are not what its picture shows (an OCR engine sees "
                f"{confirmed:.0%} of them) and were not believed."
            )
            issues.append(make_issue("text-layer-not-believed", message))
            quality, confidence = 0.0, Confidence()
        elif any(word.is_ocr for word in region.words):
            compared = (
                "nobody compared them with it"
                if confirmed is None
                else f"an OCR engine sees {confirmed:.0%} of them"
            )
            message = f"The words are those that another program read from this scan; {compared}."
            issues.append(make_issue("text-layer-of-scan", message))
            # Readable words can be wrong ones.
            confidence = Confidence(
                value=confirmed, method="share of the letters of the invisible words that an OCR engine sees"
            )
            if differing := [word for word in region.words if word.seen_as]:
                issues.append(make_issue("text-layer-differs", _named(differing)))
        is_complete = quality >= MIN_QUALITY
        return Reading(
            self.name, content, content.text, tuple(issues), complete=is_complete, confidence=confidence
        )


def _named(words: Sequence[PageWord]) -> str:
    """What an OCR engine sees in place of some words, as a sentence."""
    examples = ", ".join(f"{word.seen_as!r} for {word.text!r}" for word in words[:MAX_EXAMPLES])
    n_more = len(words) - MAX_EXAMPLES
    more = f" and {n_more} more" if n_more > 0 else ""
    return f"An OCR engine sees other words than the invisible ones of this scan: {examples}{more}."


def confirmed_share(words: Sequence[PageWord]) -> float | None:
    """The share of the letters of invisible words that an OCR engine sees, too, 0…1; None where too few
    were compared."""
    compared = [(len(word.text), word.is_confirmed) for word in words if word.is_confirmed is not None]
    total = sum(length for length, _ in compared)
    if total < MIN_COMPARED:
        return None
    return sum(length for length, is_confirmed in compared if is_confirmed) / total


def word_difference(words: Sequence[str], native: Sequence[str]) -> str:
    """The words that only one side has, as a sentence or two."""
    reading, pdf = Counter(map(plain, words)), Counter(map(plain, native))
    sentences = []
    for title, extra in (("Only in the PDF", pdf - reading), ("Only in the reading", reading - pdf)):
        if extra:
            examples = ", ".join(repr(word) for word in list(extra)[:MAX_EXAMPLES])
            n_more = extra.total() - min(MAX_EXAMPLES, len(extra))
            sentences.append(f"{title}: {examples}" + (f" and {n_more} more." if n_more > 0 else "."))
    return " ".join(sentences)
