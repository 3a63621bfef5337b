"""How readings of the pictures of ``pictures.py`` are held against their truth.

Tables, molecules and photographs are scored by the tasks of ``docai evaluate``; here stands what those do not
have: running text as the F1 of its words, and music as notes.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from docai.geometry import iou
from docai.pipelines.evaluation.base import Belief, CaseScore, Item, Prediction, Ratio, Sample
from docai.pipelines.evaluation.metrics.scores import kern_error_rates
from docai.pipelines.evaluation.metrics.tables import score_tables
from docai.pipelines.evaluation.tasks import get_task
from docai.pipelines.synthesis.vector.notes import Note, Staves, notes_of_kern
from docai.pipelines.words import agreement, align_words, plain


def score_table(sample: Sample, prediction: Prediction | None) -> CaseScore:
    return score_tables(sample, prediction)


def score_molecule(sample: Sample, prediction: Prediction | None) -> CaseScore:
    return get_task("molecule").score(sample, prediction)


def score_spotting(sample: Sample, prediction: Prediction | None) -> CaseScore:
    """Words at their place by the protocol of HierText (``f1``, end to end), and the F1 of all words.

    A word is believed to be right where the picture has it, wherever that is: on photographs outlines differ.
    """
    score = get_task("text-hiertext").score(sample, prediction)
    truth = [word.text for item in sample.truth for word in item.words if not word.ignore]
    items = _texts(prediction)
    beliefs = _beliefs_anywhere(items, truth)
    return CaseScore(
        sample.id,
        {"e2e-f1": score.ratios["f1"], "f1": Ratio(agreement(_words(items), truth), 1)},
        part_beliefs={"word": beliefs} if beliefs else {},
    )


def _beliefs_anywhere(items: Sequence[Item], truth: Sequence[str]) -> tuple[Belief, ...]:
    """How sure each word is, and whether the truth has it, which may have them in another order."""
    left = Counter(map(plain, truth))
    beliefs = []
    for word in (word for item in items for word in item.words if word.confidence is not None):
        is_right = left[plain(word.text)] > 0
        left[plain(word.text)] -= is_right
        beliefs.append(Belief(word.confidence or 0.0, is_right))
    return tuple(beliefs)


def score_paragraphs(sample: Sample, prediction: Prediction | None) -> CaseScore:
    """``f1`` of the words of each text, ``f1-latin`` of those in Latin letters.

    A text is right where all of its words are equal, in any order; a word where an alignment pairs it with
    an equal one. What is read of a text is what stands at its place.
    """
    texts = _texts(prediction)
    values, latin, right = [], [], []
    beliefs: list[Belief] = []
    words: list[Belief] = []
    for truth in sample.truth:
        items = [item for item in texts if item.bbox and truth.bbox and iou(item.bbox, truth.bbox) > 0.5]
        true_words = truth.text.split()
        value = agreement(_words(items), true_words)
        values.append(value)
        right.append(value == 1)
        if _is_latin(truth.text):
            latin.append(value)
        beliefs += _record_beliefs(items, is_right=value == 1)
        words += _word_beliefs(items, true_words).get("word", ())
    return CaseScore(
        sample.id,
        {
            "f1": Ratio(sum(values), len(values)),
            "f1-latin": Ratio(sum(latin), len(latin)),
            "right": Ratio(sum(right), len(right)),
        },
        beliefs=tuple(beliefs),
        part_beliefs={"word": tuple(words)} if words else {},
    )


def _is_latin(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return sum(unicodedata.name(char, "").startswith("LATIN") for char in letters) > 0.9 * len(letters)


def score_page(sample: Sample, prediction: Prediction | None) -> CaseScore:
    """``f1`` of the words of all texts and tables of a page, in any order.

    Words of formulas, which the truth has as figures, count in ``f1-all`` alone: a reader of text does not
    write them as the truth has them.
    """
    given = prediction.items if prediction else ()
    texts = [item for item in given if item.kind in ("text", "table", "figure")]
    words = [word for item in texts for word in _item_words(item)]
    truth = [word for item in sample.truth if item.kind == "text" for word in item.text.split()]
    formulas = [word for item in sample.truth if item.kind == "figure" for word in item.text.split()]
    without = _without_formulas(words, truth, formulas)
    beliefs = _beliefs_anywhere(texts, truth + formulas)
    return CaseScore(
        sample.id,
        {"f1": Ratio(agreement(without, truth), 1), "f1-all": Ratio(agreement(words, truth + formulas), 1)},
        part_beliefs={"word": beliefs} if beliefs else {},
    )


def score_printed_page(sample: Sample, printed: Sequence[Item], prediction: Prediction | None) -> CaseScore:
    """As :func:`score_page`, and ``f1-printed``, the same by the words as they are printed.

    Args:
        printed: a letter and its subscript are one word there; what has no Unicode counts as a formula.
    """
    score = score_page(sample, prediction)
    as_printed = score_page(Sample(sample.id, tuple(printed), unit="page"), prediction)
    return replace(score, ratios={**score.ratios, "f1-printed": as_printed.ratios["f1"]})


def _without_formulas(words: Sequence[str], truth: Sequence[str], formulas: Sequence[str]) -> list[str]:
    """The words that are read, but for those that a formula has and the rest of the page has not."""
    of_text = set(map(plain, truth))
    pieces = set(map(plain, formulas)) - of_text
    # A formula is read as words of several of its signs.
    signs = set("".join(pieces))
    return [word for word in words if plain(word) in of_text or not set(plain(word)) <= signs]


def score_notes(staves: Staves, prediction: Prediction | None, name: str) -> CaseScore:
    """``token-error``: edit distance of pitches and durations staff by staff, over the number of true notes.

    ``right`` is that of whole pieces, as is the belief of a piece of one system.
    """
    found = [item for item in (prediction.items if prediction else ()) if item.kind == "score"]
    read: Staves = [[] for _ in staves]
    for item in sorted(found, key=lambda item: (item.page, item.bbox[1] if item.bbox else 0.0)):
        for index, notes in enumerate(notes_of_kern(item.text)):
            if index == len(read):
                read.append([])
            read[index] += notes
    true = [*staves, *([] for _ in range(len(read) - len(staves)))]
    wrong = sum(_distance(a, b) for a, b in zip(true, read, strict=True))
    beliefs = _record_beliefs(found, is_right=not wrong) if len(found) == 1 else ()
    return CaseScore(
        name,
        {"token-error": Ratio(wrong, sum(map(len, staves))), "right": Ratio(not wrong, 1)},
        beliefs=beliefs,
    )


def score_first_system(sample: Sample, prediction: Prediction | None) -> CaseScore:
    """The topmost system of a page: ``ser``, symbol error rate of the text as printed, and its notes.

    A region may hold several systems: of its first record as many measures count as the system has.
    """
    found = [item for item in (prediction.items if prediction else ()) if item.kind == "score"]
    first = sorted(found, key=lambda item: (item.page, item.bbox[1] if item.bbox else 0.0))[:1]
    truth = sample.truth[0].text
    first = [item.model_copy(update={"text": _first_bars(item.text, truth)}) for item in first]
    only = Prediction(id=sample.id, items=first)
    rates = kern_error_rates([first[0].text if first else ""], [truth], preparation="printed")
    notes = score_notes(notes_of_kern(truth), only, sample.id)
    return CaseScore(sample.id, {"ser": rates.symbols, **notes.ratios}, beliefs=notes.beliefs)


def _first_bars(kern: str, truth: str) -> str:
    """As many bars as the truth has, and the ends of their spines."""
    true_lines = [line for line in truth.split("\n") if line and not line.startswith("*")]
    left = sum(line.startswith("=") for line in true_lines)
    ends_with_bar = bool(true_lines) and true_lines[-1].startswith("=")
    lines: list[str] = []
    for line in kern.rstrip("\n").split("\n"):
        if line.startswith("="):
            if left == 0:
                break
            left -= 1
        lines.append(line)
        if left == 0 and ends_with_bar:
            break
    if not lines[-1].startswith("*-"):
        lines.append("\t".join(["*-"] * (lines[-1].count("\t") + 1)))
    return "\n".join(lines)


def _distance(truth: Sequence[Note], notes: Sequence[Note]) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(_tokens(truth), _tokens(notes)))


def _tokens(notes: Sequence[Note]) -> list[tuple[int, int, Fraction]]:
    return [note.token for note in notes]


def _texts(prediction: Prediction | None) -> list[Item]:
    return [item for item in (prediction.items if prediction else ()) if item.kind == "text"]


def _words(items: Iterable[Item]) -> list[str]:
    return [word for item in items for word in item.text.split()]


def _item_words(item: Item) -> list[str]:
    if item.kind == "table":
        from docai.pipelines.evaluation.metrics.running_text import html_text

        return html_text(item.text).split()
    return item.text.split()


def _record_beliefs(items: Sequence[Item], *, is_right: bool) -> tuple[Belief, ...]:
    if len(items) != 1 or items[0].confidence is None:
        return ()
    return (Belief(items[0].confidence, is_right),)


def _word_beliefs(items: Sequence[Item], truth: Sequence[str]) -> dict[str, tuple[Belief, ...]]:
    """How sure each word is, and whether it is the truth's, by an alignment of both."""
    words = [word for item in items for word in item.words]
    right = align_words([plain(word.text) for word in words], [plain(word) for word in truth])
    beliefs = [
        Belief(word.confidence, is_right)
        for word, is_right in zip(words, right, strict=True)
        if word.confidence is not None
    ]
    return {"word": tuple(beliefs)} if beliefs else {}
