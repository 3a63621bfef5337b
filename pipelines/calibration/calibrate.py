"""Reading held-out pairs with a model, and what its confidences are worth on them.

Pairs are drawn by docai's own generators from the content that is held out of training, spread over several
difficulties, or they are read from a data set. What is right is said in
:mod:`docai.pipelines.evaluation.metrics.calibration`. An answer that is cut, looping or invalid has
confidence 0 by rule (:func:`docai.pipelines.recognition.confidence.answer_confidence`): its record is left
out of the fit, its parts are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from docai.base import Unit
from docai.errors import DatasetError, GenerationError, SettingError, needs
from docai.models.engine import Engine, Generation, Request, answer, check_heads, crop_size
from docai.models.heads import Head, get_head
from docai.pipelines.calibration.fitting import Fitted, Observed, fit_and_measure
from docai.pipelines.evaluation.metrics.calibration import judge
from docai.pipelines.recognition.confidence import answer_confidence, part_logprobs, text_logprobs

if TYPE_CHECKING:
    from PIL.Image import Image

    from docai.pipelines.training.pairs import Listed

MIN_PAIRS: Final = 50
"""Answers from which on shares of right ones say something."""

DRAWN: Final = "drawn"

SEED: Final = 20_260_000
"""Of the drawn pairs; measuring should use another."""

DIFFICULTIES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)

_AT_ONCE: Final = 8


class HeldOut(NamedTuple):
    """One picture, square and as large as the head reads, and what the head should answer."""

    image: Image
    target: str


@dataclass(frozen=True)
class CalibrationProgress:
    """How far the reading is: ``done`` of ``total`` pairs of one head."""

    head: str
    done: int
    total: int


ProgressCallback = Callable[[CalibrationProgress], None]


@dataclass
class HeadResult:
    """What came of one head."""

    n_pairs: int
    """Pairs that were read."""
    n_zero: int = 0
    """Answers that are cut, looping or invalid: 0 by rule."""
    n_unmeasured: int = 0
    """Blank crops and answers without token log-probabilities: nothing to fit on."""
    n_bad_truth: int = 0
    """Pairs left out because the head's own parser finds an error in the target."""
    units: dict[Unit, Fitted] = field(default_factory=dict)
    too_few: dict[Unit, int] = field(default_factory=dict)
    """Units without a map, and how many of each there are."""


def calibrate(
    engine: Engine,
    heads: Sequence[str] | None = None,
    *,
    data: Sequence[str] = (),
    count: int = 300,
    seed: int = SEED,
    difficulties: Sequence[float] = DIFFICULTIES,
    progress: ProgressCallback | None = None,
) -> dict[str, HeadResult]:
    """Read held-out pairs and fit a map for each head and unit. Nothing is written.

    Args:
        engine: whose answers are judged.
        heads: None is all that the engine has.
        data: ``drawn``, ``FORMAT:PATH``, or folders of ``docai synth``; nothing is ``drawn``. What is not
            drawn is of one head.
        count: pairs of each head, at most.
        seed: of the drawn pairs.
        difficulties: 0…1, of which each gives equally many of the drawn pairs.
        progress: called after each few pairs.

    Raises:
        ConfigurationError: a head is unknown or has no weights, or the data cannot be used.
        SettingError: there are fewer than :data:`MIN_PAIRS` pairs, or answers that can be used.
        GenerationError: no answer carries log-probabilities.
        MissingDependencyError: a package that draws, reads or fits is not installed.
    """
    chosen = [get_head(name) for name in dict.fromkeys(heads or sorted(engine.heads()))]
    check_heads(engine, frozenset(head.name for head in chosen))
    # The resolution is that of the weights.
    chosen = [replace(head, resolution=crop_size(engine, head)) for head in chosen]
    if any(spec != DRAWN for spec in data) and len(chosen) != 1:
        raise SettingError("A data set is of one head: say which with --head, or leave --data out.")
    if count < MIN_PAIRS:
        raise SettingError(
            f"{count} pairs are too few to say how often an answer is right; take {MIN_PAIRS} or more."
        )
    if not difficulties or not all(0 <= value <= 1 for value in difficulties):
        raise SettingError("Say one difficulty or more between 0 and 1.")
    results = {}
    for head in chosen:
        sources = [_source(spec, head, count, seed, difficulties) for spec in data or (DRAWN,)]
        n_pairs = min(count, sum(source.n for source in sources))
        if n_pairs < MIN_PAIRS:
            raise SettingError(
                f"There are {n_pairs} pairs for the head {head.name!r}, too few to say how often an answer "
                f"is right; give {MIN_PAIRS} or more."
            )
        pairs = islice(chain.from_iterable(source.pairs for source in sources), n_pairs)
        name = ", ".join(source.name for source in sources)
        results[head.name] = _one_head(engine, head, pairs, n_pairs, name, progress or _silent)
    return results


class _Source(NamedTuple):
    """Pairs of one ``--data``."""

    name: str
    n: int
    pairs: Iterator[HeldOut]


def _source(spec: str, head: Head, count: int, seed: int, difficulties: Sequence[float]) -> _Source:
    if spec == DRAWN:
        shown = " ".join(f"{value:g}" for value in difficulties)
        return _Source(f"drawn, difficulty {shown}", count, _drawn(head, count, seed, difficulties))
    from docai.pipelines.training.prepare import read_source

    listed, rejected = read_source(spec, head)
    if not listed:
        why = f": {rejected[0].detail}" if rejected else "."
        raise DatasetError(f"No pair for the head {head.name!r} can be made of {spec}{why}")
    name = Path(spec.rpartition(":")[2]).name
    return _Source(name, len(listed), _listed(listed, head))


def _drawn(head: Head, count: int, seed: int, difficulties: Sequence[float]) -> Iterator[HeldOut]:
    """In turn from each difficulty, so that any first part of them is spread over all."""
    with needs("docai[synth]", "Drawing pairs", ", or give --data"):
        from docai.pipelines.synthesis import samples
        from docai.pipelines.training.pairs import square

        streams = [samples(head.name, seed, difficulty=value, split="held-out") for value in difficulties]
        for index in range(count):
            sample = next(streams[index % len(streams)])
            yield HeldOut(square(sample.image, head.resolution), sample.target)


def _listed(listed: Sequence[Listed], head: Head) -> Iterator[HeldOut]:
    from docai.pipelines.training.pairs import square

    for item in listed:
        pair = item.draw(head.resolution)
        yield HeldOut(square(pair.image, head.resolution), pair.target)


def _one_head(
    engine: Engine, head: Head, pairs: Iterator[HeldOut], n_pairs: int, data: str, progress: ProgressCallback
) -> HeadResult:
    result = HeadResult(n_pairs)
    observed: dict[Unit, list[Observed]] = {}
    error: str | None = None
    progress(CalibrationProgress(head.name, 0, n_pairs))
    for start in range(0, n_pairs, _AT_ONCE):
        some = list(islice(pairs, _AT_ONCE))
        generations = answer(engine, [Request(head, pair.image) for pair in some])
        for number, (pair, generation) in enumerate(zip(some, generations, strict=True), start):
            error = generation.error or error
            _observe(head, number, pair.target, generation, result, observed)
        progress(CalibrationProgress(head.name, start + len(some), n_pairs))
    if result.n_unmeasured == n_pairs:
        why = f" ({error})" if error else ""
        raise GenerationError(
            f"None of the {n_pairs} answers of the head {head.name!r} says how sure it is{why}: "
            "nothing can be calibrated."
        )
    for unit, observations in observed.items():
        if len(observations) >= MIN_PAIRS:
            result.units[unit] = fit_and_measure(observations, data)
        else:
            result.too_few[unit] = len(observations)
    if not result.units:
        n_left = n_pairs - result.n_zero - result.n_unmeasured - result.n_bad_truth
        raise SettingError(
            f"Only {n_left} of {n_pairs} answers of the head {head.name!r} can be used, too few to calibrate "
            "by; give more pairs, or train the head further."
        )
    return result


def _observe(
    head: Head,
    number: int,
    target: str,
    generation: Generation,
    result: HeadResult,
    observed: dict[Unit, list[Observed]],
) -> None:
    """Hold one answer against its target."""
    truth = head.parser(target)
    if any(issue.severity == "error" for issue in truth.issues):
        result.n_bad_truth += 1
        return
    parsed = head.parser(generation.text)
    logprobs = text_logprobs(generation)
    if not logprobs or any(math.isnan(value) for value in logprobs):
        result.n_unmeasured += 1
        return
    outcome = judge(parsed.content, truth.content)
    if answer_confidence([generation], parsed.issues).value == 0:
        result.n_zero += 1
    else:
        observed.setdefault("record", []).append(Observed(number, logprobs, outcome.record))
    unit = parsed.content.part_unit
    parts = part_logprobs(generation, parsed.spans)
    for own, is_right in zip(parts, outcome.parts, strict=True):
        if unit is not None and own is not None:
            observed.setdefault(unit, []).append(Observed(number, own, is_right))


def _silent(progress: CalibrationProgress) -> None:
    """Progress nobody asked for."""
