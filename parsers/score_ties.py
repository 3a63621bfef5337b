"""Ties, slurs and phrases: which note goes on as which, and which of them have no other end.

A tie joins a note to one of the same pitch that starts where it ends, in its own spine if there is one, else
in another (hands cross). A slur ends in the voice it began in, else in another of its spine, else anywhere,
and so does a phrase.

What may lie outside the passage is no finding: ties that end at its first note or begin at its last, and
slurs whose other end would be before all others, or after all others, of their spine. The same goes for
sections (repeats, double bars, labels): a second ending takes up what was tied before the first.
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
"""Of slurs, of phrases."""

_MARKS: dict[Brackets, re.Pattern[str]] = {
    "()": re.compile(r"(?<!&)(&*+)([()])"),
    "{}": re.compile(r"(?<!&)(&*+)([{}])"),
}


class Pairs(NamedTuple):
    """Pairs of places in the events, and places of those without another end."""

    pairs: list[tuple[int, int]]
    open_starts: list[int]
    open_ends: list[int]


def pair_ties(events: Sequence[Event]) -> Pairs:
    """Each tied note with the note that takes it up, by the end of the tie."""
    waiting: dict[tuple[int | str | None, Ticks], dict[int, deque[int]]] = {}
    pairs: list[tuple[int, int]] = []
    open_ends: list[int] = []
    for index, event in enumerate(events):
        if event.tie is None or event.kind == "rest":
            continue
        onset = read_ticks(event.onset)
        if event.tie != "start":
            spines = waiting.get((_pitch(event), onset))
            if spines:
                spine = event.spine if event.spine in spines else next(iter(spines))
                pairs.append((spines[spine].popleft(), index))
                if not spines[spine]:
                    del spines[spine]
            else:
                open_ends.append(index)
        if event.tie != "end":
            spines = waiting.setdefault((_pitch(event), onset + read_ticks(event.duration)), {})
            spines.setdefault(event.spine, deque()).append(index)
    open_starts = [start for spines in waiting.values() for starts in spines.values() for start in starts]
    return _pair_the_untimed(events, Pairs(pairs, open_starts, open_ends))


def _pair_the_untimed(events: Sequence[Event], found: Pairs) -> Pairs:
    """Where durations are wrong, ties do not meet in time: nearly is enough, within a spine."""
    left: dict[tuple[int | str | None, int], list[int]] = defaultdict(list)
    pairs, open_ends = found.pairs, []
    for index, is_start in sorted(
        [*((end, False) for end in found.open_ends), *((start, True) for start in found.open_starts)]
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
    """Each note on which a slur begins with the note on which it ends. A chord counts by its first note."""
    return _pair_marks(events, "()")


def _pair_marks(events: Sequence[Event], brackets: Brackets) -> Pairs:
    pairs: list[tuple[int, int]] = []
    marks: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for index, level, starts, ends in _marked(events, brackets):
        # Editors write an elided slur on one note where its other note is hidden, as a grace note left out.
        own = min(starts, ends) if level else 0
        pairs += [(index, index)] * own
        marks[level] += [(index, False)] * (ends - own) + [(index, True)] * (starts - own)
    left: list[tuple[int, bool]] = []
    for of_level in marks.values():
        for scope in (_voice, _spine, _score):
            found, of_level = _innermost(events, of_level, scope)
            pairs += found
        left += of_level
    if brackets == "{}":
        # A phrase may be one note, where a slur is none.
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


def _innermost(
    events: Sequence[Event], marks: Sequence[tuple[int, bool]], scope: Callable[[Event], object]
) -> tuple[list[tuple[int, int]], list[tuple[int, bool]]]:
    """Pair each end with the last start of its scope that is free. Returns the pairs, and what is left."""
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


def _voice(event: Event) -> object:
    return event.spine, event.voice


def _spine(event: Event) -> object:
    return event.spine


def _score(_: Event) -> object:
    return None


def check_pairs(events: Sequence[Event], edges: Collection[Ticks], log: IssueLog) -> None:
    """Note the ties, slurs and phrases without another end; ``edges`` are the times, in ticks,
    where sections begin and end."""
    ties = pair_ties(events)
    for index in ties.open_ends:
        if read_ticks(events[index].onset) not in edges:
            log.add(
                "score-tie-unpaired", f"{_named(events[index])} ends a tie that no note before it begins."
            )
    for index in ties.open_starts:
        event = events[index]
        if read_ticks(event.onset) + read_ticks(event.duration) not in edges:
            log.add("score-tie-unpaired", f"{_named(event)} begins a tie that no note after it takes up.")
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
    found = _pair_marks(events, brackets)
    if not found.open_starts and not found.open_ends:
        return
    first_start: dict[tuple[int, int], int] = {}
    last_end: dict[tuple[int, int], int] = {}
    for index, _, starts, ends in _marked(events, brackets):
        if starts:
            first_start.setdefault(section_of(index), index)
        if ends:
            last_end[section_of(index)] = index
    for index in found.open_ends:
        if first_start.get(section_of(index), index) < index:
            log.add(code, f"{_named(events[index])} ends a {name} that none begins.")
    for index in found.open_starts:
        if last_end.get(section_of(index), index) > index:
            log.add(code, f"{_named(events[index])} begins a {name} that none ends.")


def _sections(events: Sequence[Event], edges: Collection[Ticks]) -> Callable[[int], tuple[int, int]]:
    """What tells the section and the spine that an event is in."""
    borders = sorted(edges)

    def section_of(index: int) -> tuple[int, int]:
        event = events[index]
        return bisect_right(borders, read_ticks(event.onset)), event.spine

    return section_of


def _named(event: Event) -> str:
    return f"Line {event.line}: {event.pitch or 'a rest'} in spine {event.spine}"


def _marked(events: Sequence[Event], brackets: Brackets) -> Iterator[tuple[int, int, int, int]]:
    """Place, level, starts and ends of each field with such marks: the ``&`` before a mark are its level.

    The notes of a chord may each carry the same slur.
    """
    for index, event in enumerate(events):
        if event.chord > 1:
            continue
        if not event.chord:
            if signs := _signs(event, brackets):
                yield from ((index, *mark) for mark in _read_marks((signs,), brackets))
            continue
        last = index + 1
        while last < len(events) and events[last].chord > 1:
            last += 1
        if each := tuple(signs for note in events[index:last] if (signs := _signs(note, brackets))):
            yield from ((index, *mark) for mark in _read_marks(each, brackets))


def _signs(event: Event, brackets: Brackets) -> str:
    if brackets == "()":
        return event.slurs
    return event.signs if "{" in event.signs or "}" in event.signs else ""


def _read_marks(signs: tuple[str, ...], brackets: Brackets) -> tuple[tuple[int, int, int], ...]:
    """Level, starts and ends of the marks that the notes of one field carry."""
    return (
        _remembered(signs, brackets) if sum(map(len, signs)) <= MAX_CACHED_CHARS else _read(signs, brackets)
    )


def _read(signs: tuple[str, ...], brackets: Brackets) -> tuple[tuple[int, int, int], ...]:
    counts = [Counter(_MARKS[brackets].findall(of_note)) for of_note in signs]
    start, end = brackets
    return tuple(
        (len(level), max(count[level, start] for count in counts), max(count[level, end] for count in counts))
        for level in sorted({amps for count in counts for amps, _ in count}, key=len)
    )


_remembered = lru_cache(maxsize=1 << 10)(_read)
