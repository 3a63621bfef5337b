"""Pairs the starts and ends of ties, slurs and phrases, and reports those without a partner.

A tie connects a note to one of the same pitch that starts where it ends, in its own spine if possible,
otherwise in another (hands cross). A slur or phrase ends in the voice where it started, otherwise in another
voice of its spine, otherwise anywhere.

A partner that may lie outside the passage is not reported as missing: ties that end at the first note or
start at the last, and slurs whose partner would come before or after all others of their spine. The same
holds for sections (repeats, double bars, labels): a second ending continues what was tied before the first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from docai.contents import Event
from docai.parsers.base import IssueLog
from docai.parsers.score_notes import MAX_CACHED_CHARS, Ticks, read_ticks

Brackets = Literal["()", "{}"]
"""The marks of slurs, of phrases."""

_MARK_PATTERNS: dict[Brackets, re.Pattern[str]] = {
    "()": re.compile(r"(?<!&)(&*+)([()])"),
    "{}": re.compile(r"(?<!&)(&*+)([{}])"),
}


class Pairs(NamedTuple):
    """Pairs of event indices (start, end), and the indices of starts and ends without a partner."""

    pairs: list[tuple[int, int]]
    open_starts: list[int]
    open_ends: list[int]


def pair_ties(events: Sequence[Event]) -> Pairs:
    """Pair each note that starts or continues a tie with the note that continues it."""
    open_ties: dict[tuple[int | str | None, Ticks], dict[int, deque[int]]] = {}
    pairs: list[tuple[int, int]] = []
    open_ends: list[int] = []
    for index, event in enumerate(events):
        if event.tie is None or event.kind == "rest":
            continue
        onset = read_ticks(event.onset)
        if event.tie != "start":
            spines = open_ties.get((_pitch(event), onset))
            if spines:
                spine = event.spine if event.spine in spines else next(iter(spines))
                pairs.append((spines[spine].popleft(), index))
                if not spines[spine]:
                    del spines[spine]
            else:
                open_ends.append(index)
        if event.tie != "end":
            spines = open_ties.setdefault((_pitch(event), onset + read_ticks(event.duration)), {})
            spines.setdefault(event.spine, deque()).append(index)
    open_starts = [start for spines in open_ties.values() for starts in spines.values() for start in starts]
    return _pair_untimed_ties(events, Pairs(pairs, open_starts, open_ends))


def _pair_untimed_ties(events: Sequence[Event], paired: Pairs) -> Pairs:
    """Pair ties whose times do not meet, as with wrong durations: in one spine, at most one measure apart."""
    left: dict[tuple[int | str | None, int], list[int]] = defaultdict(list)
    pairs, open_ends = paired.pairs, []
    for index, is_start in sorted(
        [*((end, False) for end in paired.open_ends), *((start, True) for start in paired.open_starts)]
    ):
        event = events[index]
        starts = left[_pitch(event), event.spine]
        if is_start:
            starts.append(index)
        elif starts and event.measure - events[starts[-1]].measure <= 1:
            pairs.append((starts.pop(), index))
        else:
            open_ends.append(index)
    return Pairs(sorted(pairs), sorted(index for starts in left.values() for index in starts), open_ends)


def _pitch(event: Event) -> int | str | None:
    return event.pitch if event.midi is None else event.midi


def pair_slurs(events: Sequence[Event]) -> Pairs:
    """Pair the first and last note of each slur. A chord is represented by its first note."""
    return _pair_marks(events, "()")


def _pair_marks(events: Sequence[Event], brackets: Brackets) -> Pairs:
    pairs: list[tuple[int, int]] = []
    marks: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for index, level, starts, ends in _find_marked_fields(events, brackets):
        # Editors write an elided slur (&) on one note if its other note is hidden, such as an omitted grace
        # note.
        own = min(starts, ends) if level else 0
        pairs += [(index, index)] * own
        marks[level] += [(index, False)] * (ends - own) + [(index, True)] * (starts - own)
    left: list[tuple[int, bool]] = []
    for of_level in marks.values():
        for scope in (_voice_of, _spine_of, _score_of):
            new_pairs, of_level = _pair_innermost(events, of_level, scope)
            pairs += new_pairs
        left += of_level
    if brackets == "{}":
        # A phrase may consist of one note; a slur may not.
        alone = {index for index, is_start in left if is_start} & {
            index for index, is_start in left if not is_start
        }
        pairs += [(index, index) for index in alone]
        left = [(index, is_start) for index, is_start in left if index not in alone]
    left.sort()
    return Pairs(
        sorted(pairs),
        [index for index, is_start in left if is_start],
        [index for index, is_start in left if not is_start],
    )


def _pair_innermost(
    events: Sequence[Event], marks: Sequence[tuple[int, bool]], scope: Callable[[Event], object]
) -> tuple[list[tuple[int, int]], list[tuple[int, bool]]]:
    """Pair each end with the last unpaired start of its scope. Returns the pairs and the unpaired marks."""
    pairs: list[tuple[int, int]] = []
    opened: dict[object, list[int]] = defaultdict(list)
    ends: list[tuple[int, bool]] = []
    for index, is_start in marks:
        starts = opened[scope(events[index])]
        if is_start:
            starts.append(index)
        elif starts:
            pairs.append((starts.pop(), index))
        else:
            ends.append((index, False))
    return pairs, sorted([*ends, *((start, True) for starts in opened.values() for start in starts)])


def _voice_of(event: Event) -> object:
    return event.spine, event.voice


def _spine_of(event: Event) -> object:
    return event.spine


def _score_of(_: Event) -> object:
    return None


def check_pairs(events: Sequence[Event], edges: Collection[Ticks], log: IssueLog) -> None:
    """Log ties, slurs and phrases without a partner.

    ``edges`` are the times, in ticks since the start, at which sections start or end.
    """
    ties = pair_ties(events)
    for index in ties.open_ends:
        if read_ticks(events[index].onset) not in edges:
            log.add(
                "score-tie-unpaired",
                f"{_describe_event(events[index])} ends a tie that does not start at a note before it.",
            )
    for index in ties.open_starts:
        event = events[index]
        if read_ticks(event.onset) + read_ticks(event.duration) not in edges:
            log.add(
                "score-tie-unpaired", f"{_describe_event(event)} starts a tie that no later note continues."
            )
    section_of = _sections(events, edges)
    _check_marks(events, "()", "slur", "score-slur-unpaired", section_of, log)
    _check_marks(events, "{}", "phrase", "score-phrase-unpaired", section_of, log)


def _check_marks(
    events: Sequence[Event],
    brackets: Brackets,
    name: str,
    code: str,
    section_of: Callable[[int], tuple[int, int]],
    log: IssueLog,
) -> None:
    paired = _pair_marks(events, brackets)
    if not paired.open_starts and not paired.open_ends:
        return
    first_start: dict[tuple[int, int], int] = {}
    last_end: dict[tuple[int, int], int] = {}
    for index, _, starts, ends in _find_marked_fields(events, brackets):
        if starts:
            first_start.setdefault(section_of(index), index)
        if ends:
            last_end[section_of(index)] = index
    for index in paired.open_ends:
        if first_start.get(section_of(index), index) < index:
            log.add(code, f"{_describe_event(events[index])} ends a {name} that does not start anywhere.")
    for index in paired.open_starts:
        if last_end.get(section_of(index), index) > index:
            log.add(code, f"{_describe_event(events[index])} starts a {name} that does not end anywhere.")


def _sections(events: Sequence[Event], edges: Collection[Ticks]) -> Callable[[int], tuple[int, int]]:
    """A function that gives the section and the spine of an event."""
    borders = sorted(edges)

    def section_of(index: int) -> tuple[int, int]:
        event = events[index]
        return bisect_right(borders, read_ticks(event.onset)), event.spine

    return section_of


def _describe_event(event: Event) -> str:
    return f"Line {event.line}: {event.pitch or 'a rest'} in spine {event.spine}"


def _find_marked_fields(events: Sequence[Event], brackets: Brackets) -> Iterator[tuple[int, int, int, int]]:
    """Event index, level, number of starts and number of ends of each field with such marks.

    The level is the number of ``&`` before the mark. The notes of a chord may each carry the same slur.
    """
    for index, event in enumerate(events):
        if event.chord > 1:
            continue
        if not event.chord:
            if signs := _marks_of_note(event, brackets):
                yield from ((index, *mark) for mark in _read_marks((signs,), brackets))
            continue
        last = index + 1
        while last < len(events) and events[last].chord > 1:
            last += 1
        if each := tuple(signs for note in events[index:last] if (signs := _marks_of_note(note, brackets))):
            yield from ((index, *mark) for mark in _read_marks(each, brackets))


def _marks_of_note(event: Event, brackets: Brackets) -> str:
    if brackets == "()":
        return event.slurs
    return event.signs if "{" in event.signs or "}" in event.signs else ""


def _read_marks(signs: tuple[str, ...], brackets: Brackets) -> tuple[tuple[int, int, int], ...]:
    """Level, number of starts and number of ends of the marks that the notes of one field carry."""
    return (
        _count_marks_cached(signs, brackets)
        if sum(map(len, signs)) <= MAX_CACHED_CHARS
        else _count_marks(signs, brackets)
    )


def _count_marks(signs: tuple[str, ...], brackets: Brackets) -> tuple[tuple[int, int, int], ...]:
    counts = [Counter(_MARK_PATTERNS[brackets].findall(of_note)) for of_note in signs]
    start, end = brackets
    return tuple(
        (len(level), max(count[level, start] for count in counts), max(count[level, end] for count in counts))
        for level in sorted({amps for count in counts for amps, _ in count}, key=len)
    )


_count_marks_cached = lru_cache(maxsize=1 << 10)(_count_marks)
