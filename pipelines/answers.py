"""From a model's answers to one region's content: boxes onto the page, tiles joined, confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from docai.models.engine import Generation
from docai.models.heads import Head
from docai.parsers.base import Parsed
from docai.parsers.joining import join_contents
from docai.pipelines.codes import make_issue
from docai.pipelines.confidence.parts import answer_confidence, with_part_confidence
from docai.pipelines.crops import Crop
from docai.records import (
    BBox,
    Cell,
    Confidence,
    Content,
    FinishReason,
    Issue,
    Line,
    TableContent,
    TextContent,
    Word,
)

B = TypeVar("B", Cell, Line, Word)

TILE_SEPARATOR = "\n\f\n"
"""Between the raw texts of the tiles of one region."""

_UNFINISHED: dict[FinishReason, tuple[str, str]] = {
    "length": (
        "model-output-cut",
        "The model reached its token limit: the end of the region is missing.",
    ),
    "loop": (
        "model-output-loop",
        "The model repeated itself and was stopped: what follows is missing.",
    ),
    "blank": ("model-blank-crop", "The region shows nothing: no model was asked."),
    "error": ("model-failed", "The model could not answer."),
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
    checkpoint: str | None
    prompt: str
    confidence: Confidence

    @property
    def is_sound(self) -> bool:
        """The model ended by itself and its text parsed without an error."""
        return self.finish_reason == "stop" and not any(issue.severity == "error" for issue in self.issues)


def region_answer(head: Head, crops: Sequence[Crop], generations: Sequence[Generation]) -> Answer:
    """Parse the answer to each crop of one region and join them. One generation for each crop."""
    parsed = [_parse(head, one, crop) for one, crop in zip(generations, crops, strict=True)]
    joined = parsed[0] if len(parsed) == 1 else join_contents(parsed)
    checkpoints = dict.fromkeys(one.checkpoint for one in generations if one.checkpoint)
    return Answer(
        content=joined.content,
        issues=(*unfinished_issues(generations), *joined.issues),
        repaired=joined.repaired,
        raw=raw_text(generations),
        finish_reason=worst_finish([one.finish_reason for one in generations]),
        n_tokens=sum(one.n_tokens for one in generations),
        checkpoint=next(iter(checkpoints), None),
        prompt=head.prompt,
        confidence=answer_confidence(generations, joined.issues, joined.content),
    )


def _parse(head: Head, generation: Generation, crop: Crop) -> Parsed[Content]:
    parsed = head.parser(generation.text)
    if generation.finish_reason in ("blank", "error") and not generation.text:
        # Why there is no text is an issue already; that an empty text holds nothing is none.
        return Parsed(parsed.content)
    sure = with_part_confidence(parsed, generation)
    return replace(sure, content=map_boxes(sure.content, crop.transform.from_unit))


def raw_text(generations: Sequence[Generation]) -> str:
    """The model's text of one region; those of its tiles are parted by :data:`TILE_SEPARATOR`."""
    return storable(TILE_SEPARATOR.join(one.text for one in generations))


def storable(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which no JSON can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def unfinished_issues(generations: Sequence[Generation]) -> list[Issue]:
    """One issue for each answer that did not end by itself."""
    issues = []
    for index, generation in enumerate(generations):
        if generation.finish_reason in _UNFINISHED:
            code, message = _UNFINISHED[generation.finish_reason]
            if generation.error:
                message = f"{message} {storable(generation.error)}"
            if len(generations) > 1:
                message = f"Tile {index + 1} of {len(generations)}: {message}"
            issues.append(make_issue(code, message))
    return issues


def worst_finish(reasons: Sequence[FinishReason]) -> FinishReason:
    """The finish reason of a region of several crops: the one that says most against it."""
    order: tuple[FinishReason, ...] = ("error", "loop", "length", "stop", "blank", "not-run")
    return min(reasons, key=order.index)


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
