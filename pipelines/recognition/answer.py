"""From the model's answers to the crops of one region to its reading: parsed, on the page, tiles joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docai.base import Content
from docai.contents import Issue, TextContent
from docai.geometry import BBox, grow, intersection
from docai.issues import make_issue
from docai.limits import raise_limit
from docai.models.engine import Generation
from docai.models.heads import Head
from docai.parsers.base import Parsed
from docai.pipelines.crops.crop import LOC_BINS, Crop
from docai.pipelines.evidence.base import Reading
from docai.pipelines.recognition.confidence import answer_confidence, with_part_confidence
from docai.pipelines.recognition.tiles import join_contents, merge_tiles
from docai.records import FinishReason

_BOX_SLACK_BINS = 2
"""Location bins that a box may lie outside of the page and still be on it: it is rounded to bins."""

TILE_SEPARATOR = "\n\f\n"
"""Between the raw texts of the tiles of one region."""

_UNFINISHED_ISSUES: dict[FinishReason, tuple[str, str]] = {
    "length": (
        "model-output-cut",
        "The model reached its token limit: the end of the region is missing.",
    ),
    "loop": (
        "model-output-loop",
        "The model repeated itself and was stopped: what follows is missing.",
    ),
    "deadline": (
        "model-output-cut",
        "The time for the page was used up while the model wrote: the end of the region is missing; "
        f"{raise_limit('max_seconds_per_page')}.",
    ),
    "blank": ("model-blank-crop", "The region shows nothing: no model was asked."),
    "error": ("model-failed", "The model could not answer."),
}


def region_reading(head: Head, crops: Sequence[Crop], generations: Sequence[Generation]) -> Reading:
    """Parse the answer to each crop of one region and join them. One generation for each crop.

    Boxes of the content are page points.
    """
    parsed = [_parse(head, *pair) for pair in zip(generations, crops, strict=True)]
    joined = parsed[0] if len(parsed) == 1 else _join(parsed, [crop.bbox for crop in crops])
    checkpoints = dict.fromkeys(part.checkpoint for part in generations if part.checkpoint)
    issues = (*unfinished_issues(generations), *joined.issues)
    finish_reason = worst_finish([part.finish_reason for part in generations])
    unit = "word" if isinstance(joined.content, TextContent) else "record"
    return Reading(
        source="model",
        content=joined.content,
        text=raw_text(generations),
        issues=issues,
        complete=finish_reason == "stop" and not any(issue.severity == "error" for issue in issues),
        confidence=answer_confidence(generations, joined.issues, joined.content),
        is_calibrated=unit in (generations[0].calibration or {}),
        repaired=joined.repaired,
        finish_reason=finish_reason,
        n_tokens=sum(part.n_tokens for part in generations),
        checkpoint=next(iter(checkpoints), None),
        prompt=head.prompt,
    )


def _parse(head: Head, generation: Generation, crop: Crop) -> Parsed[Content]:
    parsed = head.parser(generation.text)
    if generation.finish_reason in ("blank", "error", "deadline") and not generation.text:
        # Why there is no text is an issue already; that an empty text holds nothing is none.
        return Parsed(parsed.content)
    measured = with_part_confidence(parsed, generation)
    outside: list[BBox] = []

    def place(box: BBox) -> BBox | None:
        """The box on the page, cut to what the crop shows of it; None where that is nothing."""
        placed = crop.transform.from_unit(box)
        slack = _BOX_SLACK_BINS / (LOC_BINS - 1) * crop.transform.size / crop.transform.scale
        if intersection(placed, grow(crop.shown, slack)) != placed:
            outside.append(placed)
        return intersection(placed, crop.shown)

    content = measured.content.map_boxes(place)
    if not outside:
        return replace(measured, content=content)
    message = f"{len(outside)} boxes reach into the white around the page and were cut to it or left out."
    issues = (*measured.issues, make_issue("model-box-outside", message))
    return replace(measured, content=content, issues=issues, repaired=True)


def _join(parts: Sequence[Parsed[Content]], tiles: Sequence[BBox]) -> Parsed[Content]:
    """The tiles of one region as one content; words that two of them show are in it once."""
    texts = [part.content for part in parts if isinstance(part.content, TextContent)]
    if len(texts) < len(parts):
        return join_contents(parts)
    merged, issues = merge_tiles(texts, tiles)
    joined = join_contents(parts)
    return Parsed(merged, (*joined.issues, *issues), joined.repaired or bool(issues))


def raw_text(generations: Sequence[Generation]) -> str:
    """The model's text of one region; those of its tiles are separated by :data:`TILE_SEPARATOR`."""
    return storable(TILE_SEPARATOR.join(part.text for part in generations))


def storable(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which no JSON can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def unfinished_issues(generations: Sequence[Generation]) -> list[Issue]:
    """One issue for each answer that did not end by itself."""
    issues = []
    for index, generation in enumerate(generations):
        if generation.finish_reason in _UNFINISHED_ISSUES:
            code, message = _UNFINISHED_ISSUES[generation.finish_reason]
            if generation.error:
                message = f"{message} {storable(generation.error)}"
            if len(generations) > 1:
                message = f"Tile {index + 1} of {len(generations)}: {message}"
            issues.append(make_issue(code, message))
    return issues


def worst_finish(reasons: Sequence[FinishReason]) -> FinishReason:
    """The finish reason of a region of several crops: the one that says most against it."""
    order: tuple[FinishReason, ...] = ("error", "loop", "length", "deadline", "stop", "blank", "not-run")
    return min(reasons, key=order.index)
