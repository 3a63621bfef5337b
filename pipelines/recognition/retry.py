"""Asking again where the first answer is invalid, looping or cut.

Each head has a ladder of rungs; each rung changes one thing about the question and is tried only against the
faults that it can mend:

========  ====================================================================================
head      rungs in order (against)
========  ====================================================================================
table     more-tokens (cut), tiles (cut, loop), constrained (invalid, loop), wider-crop (all)
molecule  constrained (invalid, loop), tighter-crop (all), wider-crop (all), beam (invalid, loop)
score     more-tokens (cut), constrained (invalid, loop), wider-crop (all), beam (invalid)
text      more-tokens (cut), tiles (cut, loop), tighter-crop (loop), constrained (invalid, loop)
========  ====================================================================================

``more-tokens`` doubles the budget, under the caller's limit; ``tiles`` parts the region in two or more
between its rows or lines; ``tighter-crop`` hides the neighbours in the margin and ``wider-crop`` shows a
twentieth more on every side; ``constrained`` holds the answer to the head's grammar, where llguidance
is installed; ``beam`` searches with four beams.

The first sound answer ends the climb, at most :data:`MAX_ATTEMPTS` are made, and their tokens together are
at most :data:`MAX_BUDGETS` times the head's budget. Where none is sound the first answer stays: a record is
never worse for having been asked again. All regions on one round of the climb are put to the engine together.

Off by default, by what it does to nano on drawn, held-out crops, 20 of each head. At difficulty 0.2 no answer
was faulty. At 0.6 no score was, and 10 molecules were invalid: 9 of them became valid, at 1.7 times the
tokens of all first answers, and none of the 9 was the molecule that was drawn. So a valid answer after an
invalid one is an answer to check, which is why the record says so; with a model that reads better than it
spells, ``auto`` is for you.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import islice
from typing import Final

from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.models.heads import Fault, Head, RetryStep
from docai.pipelines.crops.crop import MARGIN, Crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.recognition.answer import Answer, region_answer
from docai.records import Attempt

Ask = Callable[[Sequence[Request]], list[Generation]]

MAX_ATTEMPTS: Final = 3
"""After the first answer."""

MAX_BUDGETS: Final = 4
"""Tokens of all further attempts at one region, in budgets of its head."""

_FAULTS: Final[Mapping[Fault | None, str]] = {
    "cut": "cut off",
    "loop": "a loop",
    "invalid": "invalid",
    None: "without fault",
}

_TIGHT_MARGIN: Final = 4

_WIDENING: Final = 0.05


@dataclass
class Reading:
    """One region, how it was asked and what came of it; :func:`climb` puts the better answer in its place."""

    head: Head
    bbox: BBox
    words: Sequence[PageWord]
    crops: Sequence[Crop]
    generations: Sequence[Generation]
    answer: Answer
    attempts: list[Attempt] = field(default_factory=list)
    """Every answer, the first one too; empty where the first was good enough."""
    first: Answer | None = None
    """The first answer, where another has taken its place."""

    @classmethod
    def of(
        cls,
        head: Head,
        bbox: BBox,
        words: Sequence[PageWord],
        crops: Sequence[Crop],
        generations: Sequence[Generation],
    ) -> Reading:
        """What a head was asked and answered."""
        return cls(head, bbox, words, crops, generations, region_answer(head, crops, generations))

    def message(self) -> str:
        """What happened, where another answer took the place of the first."""
        number, chosen = next(
            (index, attempt.setting) for index, attempt in enumerate(self.attempts, 1) if attempt.believed
        )
        fault = _FAULTS[fault_of(self.first) if self.first else None]
        return f"The first answer was {fault}; that of attempt {number}, {chosen}, is sound."


@dataclass
class _Climb:
    """One region on its way up."""

    reading: Reading
    rungs: list[RetryStep]
    tokens_left: int
    n_attempts: int = 0


def fault_of(answer: Answer) -> Fault | None:
    """What is wrong with an answer that asking again might mend; None for anything else."""
    if answer.finish_reason == "length":
        return "cut"
    if answer.finish_reason == "loop":
        return "loop"
    return "invalid" if answer.finish_reason == "stop" and not answer.is_sound else None


def climb(
    readings: Sequence[Reading],
    page: Page,
    ask: Ask,
    *,
    max_tokens: int | None = None,
    in_time: Callable[[], bool] = lambda: True,
) -> None:
    """Ask again for the readings with a fault, all of a round in one call, till each is sound or at its end.

    Args:
        readings: regions of one page; those that gain by it get another answer in place.
        page: where they are.
        ask: answers requests, in order.
        max_tokens: the caller's limit on each answer.
        in_time: asked before each round; False ends the climb.
    """
    climbs = []
    for reading in readings:
        fault = fault_of(reading.answer)
        rungs = [rung for rung in reading.head.retry_steps if fault in rung.against]
        if fault is not None and rungs:
            reading.attempts.append(_attempt("first", reading.answer))
            climbs.append(_Climb(reading, rungs, MAX_BUDGETS * reading.head.max_tokens))
    while climbs and in_time():
        round_ = [(one, *asked) for one in climbs if (asked := _next(one, page, max_tokens)) is not None]
        answers = iter(ask([request for *_, requests in round_ for request in requests]))
        for one, rung, crops, requests in round_:
            _take(one, rung, crops, list(islice(answers, len(requests))))
        climbs = [one for one, *_ in round_ if not one.reading.answer.is_sound]


def _next(
    one: _Climb, page: Page, max_tokens: int | None
) -> tuple[RetryStep, Sequence[Crop], list[Request]] | None:
    """The next rung that changes anything, its crops and requests; None at the end of the ladder."""
    while one.rungs and one.n_attempts < MAX_ATTEMPTS and one.tokens_left > 0:
        rung = one.rungs.pop(0)
        if rung.constrained and not can_constrain():
            continue
        crops = _crops(rung, one.reading, page)
        if not crops or len(crops) > one.tokens_left:
            continue
        # What is left is shared by the tiles, so that no attempt goes beyond it.
        most = one.tokens_left // len(crops)
        most = most if max_tokens is None else min(most, max_tokens)
        requests = [Request(_head(rung, one.reading.head), crop.image, most, rung.stretch) for crop in crops]
        return rung, crops, requests
    return None


def can_constrain() -> bool:
    """Whether llguidance is installed, which a machine that only trains may lack."""
    return find_spec("llguidance") is not None


def _head(rung: RetryStep, head: Head) -> Head:
    decoding = replace(
        head.decoding,
        constrained=rung.constrained or head.decoding.constrained,
        num_beams=rung.num_beams or head.decoding.num_beams,
    )
    return replace(head, decoding=decoding)


def _crops(rung: RetryStep, reading: Reading, page: Page) -> Sequence[Crop]:
    """The crops of a rung; none where it would show what was shown before, or cannot be drawn."""
    if rung.crop == "same":
        return reading.crops
    tiling = reading.head.tiling
    x0, y0, x1, y1 = reading.bbox
    try:
        if rung.crop == "tighter":
            return tile_region(page, tiling, reading.bbox, margin=_TIGHT_MARGIN, words=reading.words)
        if rung.crop == "tiles":
            tallest = (y1 - y0) / (len(reading.crops) + 0.5)
            tiles = tile_region(
                page, tiling, reading.bbox, margin=MARGIN, words=reading.words, max_height=tallest
            )
            return tiles if len(tiles) > len(reading.crops) else ()
        more = _WIDENING * max(x1 - x0, y1 - y0)
        left, top, right, bottom = page.bbox
        wider = (max(left, x0 - more), max(top, y0 - more), min(right, x1 + more), min(bottom, y1 + more))
        return () if wider == reading.bbox else tile_region(page, tiling, wider, words=reading.words)
    except Exception:
        # The region could be drawn once, and that answer is kept: a second drawing that fails takes nothing.
        return ()


def _take(one: _Climb, rung: RetryStep, crops: Sequence[Crop], generations: list[Generation]) -> None:
    """Record an attempt, and put it in the place of the answer so far where it is sound."""
    reading = one.reading
    answer = region_answer(reading.head, crops, generations)
    one.n_attempts += 1
    one.tokens_left -= answer.n_tokens
    reading.attempts.append(_attempt(rung.name, answer))
    if _is_better(answer, reading.answer):
        reading.first = reading.answer
        reading.answer, reading.crops, reading.generations = answer, crops, generations
        reading.attempts = [
            attempt.model_copy(update={"believed": index == len(reading.attempts) - 1})
            for index, attempt in enumerate(reading.attempts)
        ]


def _is_better(answer: Answer, first: Answer) -> bool:
    """Sound where the first is not, and not for want of anything to say."""
    return answer.is_sound and not first.is_sound and not answer.content.is_empty


def _attempt(setting: str, answer: Answer) -> Attempt:
    return Attempt(
        setting=setting,
        finish_reason=answer.finish_reason,
        n_tokens=answer.n_tokens,
        is_sound=answer.is_sound,
        confidence=answer.confidence.value,
        believed=setting == "first",
    )
