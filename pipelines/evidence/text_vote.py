"""Several readings of one text become one: words at the same place are one question, and each is decided.

The *base* is the reading that is likeliest right, and gives the lines, the boxes, and which words there are.
Against each of its words stand those that another reading has at the same place (where one of them has no
boxes, in the same place of the sequence). With p and w the probabilities that each of two readers is right
in a word, alone (:func:`~docai.pipelines.evidence.trust.word_trust`):

- both read the same: the word is right with that of :func:`~docai.pipelines.evidence.trust.agreed`;
- they differ: the likelier one is taken, with that of :func:`~docai.pipelines.evidence.trust.contradicted`;
- the other reader has no word there: the word keeps its p. What the other one has where the base has nothing
  is left out, as it is seldom a word: of 73 such words of Tesseract beside PP-OCR 6 were right.

The confidence of the whole is the share of its words that are likely right, the mean of theirs. That all of
them are right is hardly ever likely of a page, and no help in choosing what to believe.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from docai.contents import Line, TextContent, Word
from docai.geometry import BBox, center
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.trust import UNCLEAR, agreed, contradicted, word_trust
from docai.pipelines.words import plain
from docai.records import Alternative, Confidence

LIKELY_WORD: Final = 0.9
"""Mean probability of the words of a reading from which nobody else need be asked."""

MAX_DOUBTFUL_SHARE: Final = 0.03
"""Share of its words that may be doubtful then."""

DOUBTFUL_WORD: Final = 0.6
"""Probability below which a word is doubtful."""

MIN_SUPPORT: Final = 0.9
"""Share of the words of the base that another reading has, from which that supports it."""

MIN_LENGTH_SHARE: Final = 0.5
"""Length of what another reader has at the place of a word, in lengths of the word, from which it speaks
against it: a letter made of a stroke of the word, or of a line on its side, does not."""

METHOD: Final = "share of its words that are likely right"

PARTS: Final = "each reader's share of right words, by its own confidence; where several read, Bayes' rule"


@dataclass(frozen=True)
class _Vote:
    """What was decided of one word of the base."""

    text: str
    probability: float


def join_texts(readings: Sequence[Reading]) -> tuple[Reading | None, tuple[Alternative, ...]]:
    """The text that several readings of a region make together, and those that say something else.

    Words have the probability that they are right for their confidence, and the text that of all of them.

    Returns:
        None where no reading has any text, beside readings without one.
    """
    texts = sorted((one for one in readings if _words_of(one)), key=_rank, reverse=True)
    if not texts:
        return next(iter(readings), None), ()
    base, *others = texts
    votes = [_Vote(word.text, _trust(base, word)) for word in _words_of(base)]
    shares = []
    for other in others:
        votes, share = _voted(base, votes, other)
        shares.append(share)
    content = _content_of(base, votes)
    joined = replace(
        base,
        content=content,
        text=content.text,
        complete=any(one.complete for one in texts),
        confidence=Confidence(
            value=sum(vote.probability for vote in votes) / len(votes), method=METHOD, parts=PARTS
        ),
        is_calibrated=True,
        supporters=tuple(
            one.source for one, share in zip(others, shares, strict=True) if share >= MIN_SUPPORT
        ),
        issues=tuple(issue for one in readings for issue in one.issues),
    )
    reason = "word by word, the likelier one was taken"
    return joined, tuple(
        Alternative(source=one.source, content=one.text, reason=reason)
        for one in texts
        if plain(one.text).split() != plain(content.text).split()
    )


def is_doubtful(reading: Reading) -> bool:
    """Whether another reader should be asked about a text that one has read."""
    probabilities = [_trust(reading, word) for word in _words_of(reading)]
    if not probabilities or not reading.complete:
        return True
    n_doubtful = sum(value < DOUBTFUL_WORD for value in probabilities)
    mean = sum(probabilities) / len(probabilities)
    return mean < LIKELY_WORD or n_doubtful > MAX_DOUBTFUL_SHARE * len(probabilities)


def _trust(reading: Reading, word: Word) -> float:
    """The probability that a word of a reading is right, alone; after a vote, what came of that."""
    if reading.is_calibrated and word.confidence is not None:
        return word.confidence
    if word.confidence is None and not reading.complete:
        return UNCLEAR[reading.source].part if reading.source in UNCLEAR else 0.0
    return word_trust(reading.source, word.confidence)


def _words_of(reading: Reading) -> list[Word]:
    return reading.content.parts() if isinstance(reading.content, TextContent) else []


def _rank(reading: Reading) -> tuple[bool, float, float]:
    """Complete readings go before others, then the reader that is right more often, whatever it says."""
    values = [_trust(reading, word) for word in _words_of(reading)]
    return reading.complete, word_trust(reading.source, None), sum(values) / len(values)


def _voted(base: Reading, votes: Sequence[_Vote], other: Reading) -> tuple[list[_Vote], float]:
    """The votes after one more reading, and the share of them that it confirms."""
    words, rivals = _words_of(base), _words_of(other)
    if all(word.bbox is not None for word in (*words, *rivals)):
        pairs = _pairs_by_place(words, rivals)
    else:
        pairs = _pairs_in_sequence(words, rivals)
    result = list(votes)
    n_same = 0
    for mine, theirs in pairs:
        seen = "".join(plain(rivals[index].text) for index in theirs)
        trust = min(_trust(other, rivals[index]) for index in theirs)
        if "".join(plain(votes[index].text) for index in mine) == seen:
            n_same += len(mine)
            for index in mine:
                result[index] = replace(votes[index], probability=agreed(votes[index].probability, trust))
        elif len(mine) == 1 and len(seen) >= MIN_LENGTH_SHARE * len(plain(votes[mine[0]].text)):
            text = " ".join(rivals[index].text for index in theirs)
            result[mine[0]] = _decided(votes[mine[0]], text, trust)
    return result, n_same / max(1, len(words))


def _decided(vote: _Vote, text: str, trust: float) -> _Vote:
    """The likelier one of two words that differ."""
    own, others = contradicted(vote.probability, trust), contradicted(trust, vote.probability)
    if own >= others:
        return replace(vote, probability=own)
    return _Vote(text, others)


def _pairs_by_place(words: Sequence[Word], rivals: Sequence[Word]) -> list[tuple[list[int], list[int]]]:
    """Words that stand at the same place: groups that hold each other's middles."""
    group_of = list(range(len(words) + len(rivals)))

    def root(index: int) -> int:
        while group_of[index] != index:
            index = group_of[index]
        return index

    by_line = sorted(range(len(rivals)), key=lambda index: _box(rivals[index])[1])
    tops = [_box(rivals[index])[1] for index in by_line]
    tallest = max((_box(word)[3] - _box(word)[1] for word in rivals), default=0.0)
    for index, word in enumerate(words):
        box = _box(word)
        for number in by_line[bisect_left(tops, box[1] - tallest) : bisect_left(tops, box[3])]:
            if _holds(box, _box(rivals[number])) or _holds(_box(rivals[number]), box):
                group_of[root(len(words) + number)] = root(index)
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for index in range(len(group_of)):
        mine, theirs = groups.setdefault(root(index), ([], []))
        if index < len(words):
            mine.append(index)
        else:
            theirs.append(index - len(words))
    return [pair for pair in groups.values() if pair[0] and pair[1]]


def _box(word: Word) -> BBox:
    assert word.bbox is not None
    return word.bbox


def _holds(box: BBox, other: BBox) -> bool:
    x, y = center(other)
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _pairs_in_sequence(words: Sequence[Word], rivals: Sequence[Word]) -> list[tuple[list[int], list[int]]]:
    """Words in the same place of both sequences."""
    matcher = SequenceMatcher(
        None, [plain(word.text) for word in words], [plain(word.text) for word in rivals], autojunk=False
    )
    pairs: list[tuple[list[int], list[int]]] = []
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and a1 - a0 == b1 - b0):
            pairs += [([a], [b]) for a, b in zip(range(a0, a1), range(b0, b1), strict=True)]
        elif tag == "replace":
            pairs.append((list(range(a0, a1)), list(range(b0, b1))))
    return pairs


def _content_of(base: Reading, votes: Sequence[_Vote]) -> TextContent:
    """The lines of the base with the words that were decided."""
    content = base.content
    assert isinstance(content, TextContent)
    rest = iter(votes)
    lines = [_line_of(line, [next(rest) for _ in line.words]) for line in content.lines]
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def _line_of(line: Line, votes: Sequence[_Vote]) -> Line:
    """A line with other words at the places of its own, and the same spaces between them."""
    text, position = "", 0
    words = []
    for word, vote in zip(line.words, votes, strict=True):
        start = max(position, line.text.find(word.text, position))
        text += line.text[position:start] + vote.text
        position = start + len(word.text)
        words.append(word.model_copy(update={"text": vote.text, "confidence": round(vote.probability, 4)}))
    return line.model_copy(update={"text": text + line.text[position:], "words": words})
