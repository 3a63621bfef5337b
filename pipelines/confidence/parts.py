"""Confidence of records and of their parts, from the tokens that spell them.

What a number rests on: the tokens of the text alone. Location tokens are left out everywhere, since what is
right or wrong here is what was read, not where it stands. Markup around a cell belongs to the record and not
to the cell; the bond before an atom and its ring closures belong to the atom. With a map in the checkpoint
(:mod:`docai.models.calibration`) the number is calibrated, else it is a plain geometric mean, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from docai.models.calibration import CalibrationMap, Unit, log_score
from docai.models.engine import Generation
from docai.parsers.base import Parsed
from docai.pipelines.confidence.alignment import part_logprobs, text_logprobs
from docai.records import (
    Cell,
    Confidence,
    Content,
    Issue,
    MoleculeContent,
    ScoreContent,
    TableContent,
    TextContent,
    Word,
)

P = TypeVar("P", Cell, Word)

_UNCALIBRATED = "geometric mean of token probabilities, uncalibrated"


def unit_of(content: Content) -> Unit | None:
    """What the content consists of; None for a figure."""
    match content:
        case TableContent():
            return "cell"
        case MoleculeContent():
            return "atom"
        case ScoreContent():
            return "measure"
        case TextContent():
            return "word"
    return None


def with_part_confidence(parsed: Parsed[Content], generation: Generation) -> Parsed[Content]:
    """The same with a confidence on every part that tokens of the answer spell."""
    unit = unit_of(parsed.content)
    if unit is None or not parsed.spans:
        return parsed
    chosen = _map(generation, unit)
    values = [
        None if logprobs is None else _value(logprobs, chosen)
        for logprobs in part_logprobs(generation, parsed.spans)
    ]
    content = put_confidence(parsed.content, values)
    return Parsed(content, parsed.issues, parsed.repaired, parsed.spans)


def put_confidence(content: Content, values: Sequence[float | None]) -> Content:
    """The content with these confidences on its parts, in their order.

    Raises:
        ValueError: there are more or fewer values than parts.
    """
    match content:
        case TableContent():
            cells = [_sure(*pair) for pair in zip(content.cells, values, strict=True)]
            return content.model_copy(update={"cells": cells})
        case MoleculeContent():
            atoms = [
                atom.model_copy(update={"confidence": value})
                for atom, value in zip(content.atoms, values, strict=True)
            ]
            return content.model_copy(update={"atoms": atoms})
        case ScoreContent():
            measures = [
                measure.model_copy(update={"confidence": value})
                for measure, value in zip(content.measures, values, strict=True)
            ]
            return content.model_copy(update={"measures": measures})
        case TextContent():
            left = iter(values)
            lines = [
                line.model_copy(update={"words": [_sure(word, next(left)) for word in line.words]})
                for line in content.lines
            ]
            return content.model_copy(update={"lines": lines})
    return content


def part_confidences(content: Content) -> list[float | None]:
    """The confidences of the parts, in their order."""
    match content:
        case TableContent():
            return [cell.confidence for cell in content.cells]
        case MoleculeContent():
            return [atom.confidence for atom in content.atoms]
        case ScoreContent():
            return [measure.confidence for measure in content.measures]
        case TextContent():
            return [word.confidence for line in content.lines for word in line.words]
    return []


def answer_confidence(
    generations: Sequence[Generation], issues: Sequence[Issue], content: Content | None = None
) -> Confidence:
    """How sure the answer to one region is; 0 where it is cut, looping or invalid.

    Args:
        generations: one for each tile of the region.
        issues: of all of them.
        content: says how the confidences of its parts came about, where some have one.
    """
    chosen = _map(generations[0], "record") if generations else None
    method = _UNCALIBRATED if chosen is None else chosen.describe("record")
    parts = "none" if content is None else _parts_method(generations, content)
    unfinished = any(generation.finish_reason in ("length", "loop", "error") for generation in generations)
    if unfinished or any(issue.severity == "error" for issue in issues):
        return Confidence(
            value=0.0, method=f"{method}; 0 because the answer is invalid or incomplete", parts=parts
        )
    logprobs = [value for generation in generations for value in text_logprobs(generation)]
    value = _value(logprobs, chosen) if logprobs else None
    # An engine that measures nothing, or a broken number: neither is a confidence.
    return Confidence(parts=parts) if value is None else Confidence(value=value, method=method, parts=parts)


def _parts_method(generations: Sequence[Generation], content: Content) -> str:
    unit = unit_of(content)
    if unit is None or all(value is None for value in part_confidences(content)):
        return "none"
    chosen = _map(generations[0], unit)
    return _UNCALIBRATED if chosen is None else chosen.describe(unit)


def _map(generation: Generation, unit: Unit) -> CalibrationMap | None:
    return None if generation.calibration is None else generation.calibration.get(unit)


def _value(logprobs: Sequence[float], chosen: CalibrationMap | None) -> float | None:
    log = log_score("geometric-mean", logprobs)
    if math.isnan(log):
        return None
    return math.exp(log) if chosen is None else chosen.apply(logprobs)


def _sure(part: P, value: float | None) -> P:
    return part.model_copy(update={"confidence": value})
