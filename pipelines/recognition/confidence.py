"""Confidence of records and of their parts, from the tokens that spell them.

What a number rests on: the tokens of the text alone. Location tokens are left out everywhere, since what is
right or wrong here is what was read, not where it stands. Markup around a cell belongs to the record and not
to the cell; the bond before an atom and its ring closures belong to the atom. With a map in the checkpoint
(:mod:`docai.models.calibration`) the number is calibrated, else it is a plain geometric mean, and says so.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence

from docai.base import Content, Unit
from docai.contents import Issue
from docai.models.calibration import CalibrationMap, log_score
from docai.models.engine import Generation
from docai.parsers.base import Parsed, Span
from docai.parsers.locations import LOC
from docai.records import Confidence

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")

_SPACE = "▁"


def token_spans(text: str, tokens: Sequence[str]) -> list[Span] | None:
    """The characters of ``text`` that each token spells, or helps to spell; None where they do not fit.

    A token without characters of its own has those of the next one; behind the last character none.
    """
    if "".join(tokens) != text:
        pieces = _pieces(tokens)
        joined = "".join(pieces)
        # Where the text occurs more than once it is wrapped in something else than white space.
        if joined.strip() != text.strip():
            return None
        offset = len(text) - len(text.lstrip()) - (len(joined) - len(joined.lstrip()))
        tokens = pieces
    else:
        offset = 0
    spans: list[Span] = []
    place = offset
    waiting = 0
    for token in tokens:
        if not token:
            waiting += 1
            continue
        span = (max(place, 0), max(min(place + len(token), len(text)), 0))
        spans += [span] * (waiting + 1)
        place, waiting = place + len(token), 0
    return spans + [(len(text), len(text))] * waiting


def _pieces(tokens: Sequence[str]) -> list[str]:
    """SentencePiece's pieces as the text they add; the bytes of a character are on the last of them."""
    pieces: list[str] = []
    pending = b""
    for token in tokens:
        match = _BYTE.fullmatch(token)
        if match is None:
            if pending:
                pieces[-1] = pending.decode("utf-8", "replace")
                pending = b""
            pieces.append(token.replace(_SPACE, " "))
            continue
        pending += bytes([int(match[1], 16)])
        try:
            pieces.append(pending.decode("utf-8"))
            pending = b""
        except UnicodeDecodeError:
            pieces.append("")
    if pending:
        pieces[-1] = pending.decode("utf-8", "replace")
    return pieces


def is_location(token: str) -> bool:
    """Whether a token is a part of a box, and of no text."""
    return LOC.fullmatch(token) is not None


def text_logprobs(generation: Generation) -> list[float]:
    """Log-probabilities of an answer's tokens without those of boxes; of all where there are no others."""
    pairs = list(zip(generation.tokens, generation.logprobs, strict=False))
    spelling = [value for token, value in pairs if not is_location(token)]
    return spelling or list(generation.logprobs)


def part_logprobs(generation: Generation, spans: Sequence[Span | None]) -> list[list[float] | None]:
    """Log-probabilities of the tokens that spell each part of an answer, location tokens left out.

    A part without characters, an empty cell, has the token that stands where they would: it says that
    there are none. None where no token was measured, or where the part was not read from the text.
    """
    places = token_spans(generation.text, generation.tokens)
    if places is None or len(generation.logprobs) != len(generation.tokens):
        return [None] * len(spans)
    ends = [end for _, end in places]
    logprobs: list[list[float] | None] = []
    for span in spans:
        if span is None:
            logprobs.append(None)
            continue
        start, end = span
        first = bisect_right(ends, start)
        values = []
        for index in range(first, len(places)):
            if places[index][0] >= max(end, start + 1):
                break
            if end > start and is_location(generation.tokens[index]):
                continue
            values.append(generation.logprobs[index])
        logprobs.append(values or None)
    return logprobs


_UNCALIBRATED = "geometric mean of token probabilities, uncalibrated"


def with_part_confidence(parsed: Parsed[Content], generation: Generation) -> Parsed[Content]:
    """The same with a confidence on every part that tokens of the answer spell."""
    unit = parsed.content.part_unit
    if unit is None or not parsed.spans:
        return parsed
    chosen = _map(generation, unit)
    values = [
        None if logprobs is None else _value(logprobs, chosen)
        for logprobs in part_logprobs(generation, parsed.spans)
    ]
    content = parsed.content.with_confidences(values)
    return Parsed(content, parsed.issues, parsed.repaired, parsed.spans)


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
    unfinished = any(
        generation.finish_reason in ("length", "loop", "deadline", "error") for generation in generations
    )
    if unfinished or any(issue.severity == "error" for issue in issues):
        return Confidence(
            value=0.0, method=f"{method}; 0 because the answer is invalid or incomplete", parts=parts
        )
    logprobs = [value for generation in generations for value in text_logprobs(generation)]
    value = _value(logprobs, chosen) if logprobs else None
    # An engine that measures nothing, or a broken number: neither is a confidence.
    return Confidence(parts=parts) if value is None else Confidence(value=value, method=method, parts=parts)


def _parts_method(generations: Sequence[Generation], content: Content) -> str:
    unit = content.part_unit
    if unit is None or all(value is None for value in content.part_confidences()):
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
