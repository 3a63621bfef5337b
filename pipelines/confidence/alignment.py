"""Which tokens of an answer spell which of its characters.

The tokens of an :class:`~docai.models.engine.Generation` are meant to be its text when joined. A character
whose bytes are several tokens belongs to all of them: engines give the first of these no text. Tokens of
other engines may still be SentencePiece's own pieces, with ``▁`` for a space and ``<0xE2>`` for a byte, or
have white space at the ends that the text lacks; that is understood too. Tokens that fit in no such way give
no alignment, and so no confidence, rather than a wrong one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from docai.models.engine import Generation
from docai.parsers.boxes import LOC
from docai.parsers.traced import Span

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
    held = b""
    for token in tokens:
        match = _BYTE.fullmatch(token)
        if match is None:
            if held:
                pieces[-1] = held.decode("utf-8", "replace")
                held = b""
            pieces.append(token.replace(_SPACE, " "))
            continue
        held += bytes([int(match[1], 16)])
        try:
            pieces.append(held.decode("utf-8"))
            held = b""
        except UnicodeDecodeError:
            pieces.append("")
    if held:
        pieces[-1] = held.decode("utf-8", "replace")
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
    found: list[list[float] | None] = []
    for span in spans:
        if span is None:
            found.append(None)
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
        found.append(values or None)
    return found
