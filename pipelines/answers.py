"""From a model's answers to one region's content: boxes onto the page, tiles joined, confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from docai.models.engine import Generation
from docai.models.heads import Head
from docai.parsers.base import Parsed
from docai.parsers.joining import join_contents
from docai.pipelines.crops import Crop
from docai.records import (
    BBox,
    Cell,
    Confidence,
    Content,
    FinishReason,
    Issue,
    Line,
    Severity,
    TableContent,
    TextContent,
    Word,
)

B = TypeVar("B", Cell, Line, Word)

TILE_SEPARATOR = "\n\f\n"
"""Between the raw texts of the tiles of one region."""

_UNFINISHED: dict[str, tuple[str, Severity, str]] = {
    "length": (
        "model-output-cut",
        "error",
        "The model reached its token limit: the end of the region is missing.",
    ),
    "loop": (
        "model-output-loop",
        "error",
        "The model repeated itself and was stopped: what follows is missing.",
    ),
    "blank": ("model-blank-crop", "warning", "The region shows nothing: no model was asked."),
    "error": ("model-failed", "error", "The model could not answer."),
}


@dataclass(frozen=True)
class Answer:
    """What the model's texts of one region come to. Boxes are page points."""

    content: Content
    issues: tuple[Issue, ...]
    repaired: bool
    raw: str
    finish_reason: FinishReason
    n_tokens: int
    checkpoint: str
    prompt: str
    confidence: Confidence

    @property
    def is_sound(self) -> bool:
        """The model ended by itself and its text parsed without an error."""
        return self.finish_reason == "stop" and not any(issue.severity == "error" for issue in self.issues)


def region_answer(head: Head, crops: Sequence[Crop], generations: Sequence[Generation]) -> Answer:
    """Parse the answer to each crop of one region and join them. One generation for each crop."""
    parsed = [head.parser(generation.text) for generation in generations]
    placed = [
        Parsed(
            map_boxes(one.content, lambda box, crop=crop: crop.transform.from_unit(box)),  # type: ignore[misc]
            one.issues,
            one.repaired,
        )
        for one, crop in zip(parsed, crops, strict=True)
    ]
    joined = placed[0] if len(placed) == 1 else join_contents(placed)
    return Answer(
        content=joined.content,
        issues=(*unfinished_issues(generations), *joined.issues),
        repaired=joined.repaired,
        raw=TILE_SEPARATOR.join(generation.text for generation in generations),
        finish_reason=worst_finish([generation.finish_reason for generation in generations]),
        n_tokens=sum(generation.n_tokens for generation in generations),
        checkpoint=generations[0].checkpoint,
        prompt=generations[0].prompt,
        confidence=answer_confidence(generations, joined.issues),
    )


def unfinished_issues(generations: Sequence[Generation]) -> list[Issue]:
    """One issue for each answer that did not end by itself."""
    issues = []
    for index, generation in enumerate(generations):
        if generation.finish_reason in _UNFINISHED:
            code, severity, message = _UNFINISHED[generation.finish_reason]
            if generation.error:
                message = f"{message} {generation.error}"
            if len(generations) > 1:
                message = f"Tile {index + 1} of {len(generations)}: {message}"
            issues.append(Issue(code=code, severity=severity, stage="model", message=message))
    return issues


def worst_finish(reasons: Sequence[FinishReason]) -> FinishReason:
    """The finish reason of a region of several crops: the one that says most against it."""
    order: tuple[FinishReason, ...] = ("error", "loop", "length", "stop", "blank", "not-run")
    return min(reasons, key=order.index)


def answer_confidence(generations: Sequence[Generation], issues: Sequence[Issue]) -> Confidence:
    """The geometric mean of the token probabilities; 0 where the answer is cut, looping or invalid.

    It is not calibrated: 0.9 does not mean right nine times in ten.
    """
    logprobs = [value for generation in generations for value in generation.logprobs]
    method = "geometric mean of token probabilities, uncalibrated"
    unfinished = any(generation.finish_reason in ("length", "loop", "error") for generation in generations)
    if unfinished or any(issue.severity == "error" for issue in issues):
        return Confidence(value=0.0, method=f"{method}; 0 because the answer is invalid or incomplete")
    if not logprobs:
        return Confidence()
    return Confidence(value=min(1.0, math.exp(sum(logprobs) / len(logprobs))), method=method)


def map_boxes(content: Content, place: Callable[[BBox], BBox]) -> Content:
    """The same content with ``place`` applied to each box."""
    if isinstance(content, TableContent):
        return content.model_copy(update={"cells": [_moved(cell, place) for cell in content.cells]})
    if isinstance(content, TextContent):
        lines = [
            _moved(line, place).model_copy(update={"words": [_moved(word, place) for word in line.words]})
            for line in content.lines
        ]
        return content.model_copy(update={"lines": lines})
    return content


def _moved(item: B, place: Callable[[BBox], BBox]) -> B:
    return item if item.bbox is None else item.model_copy(update={"bbox": place(item.bbox)})
