"""Guesses at what an answer goes on with, which the model checks several at a time.

A step of decoding takes about as long for a few tokens of an answer as for one. So tokens that a draft
proposes are put to the model together, and those that it would have written itself are kept: the answer is
the same, in fewer steps (speculative decoding, arXiv 2211.17192, without sampling). The draft of a
born-digital region is what the PDF itself says, in the spelling of the head; where there is none, or it has
ended, what the answer repeats of itself is proposed (prompt lookup).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_DRAFT: Final = 7
"""Most tokens that are proposed at a time."""

_LONGEST_MATCH: Final = 3
"""Tokens that have to be the same for what followed them to be proposed; then fewer."""


class Drafter:
    """Follows one answer, and proposes how it goes on.

    Args:
        draft: tokens of an answer that this one is likely to be like; empty: there is none.
    """

    def __init__(self, draft: Sequence[int] = ()) -> None:
        self._draft = list(draft)
        self._written: list[int] = []
        self._next = 0
        """Where in the draft the answer is thought to go on."""
        self._places: dict[tuple[int, ...], list[int]] = {}
        """Sequence of tokens → where in the draft it has ended, ascending."""
        for end in range(1, len(self._draft) + 1):
            for length in range(2, min(_LONGEST_MATCH, end) + 1):
                self._places.setdefault(tuple(self._draft[end - length : end]), []).append(end)
        self._latest: dict[tuple[int, ...], int] = {}
        """The same of what is written: the last end but that of now."""
        self._length = 2

    def add(self, token: int) -> None:
        """Take the token that was written next."""
        written = self._written
        for length in range(2, min(_LONGEST_MATCH, len(written)) + 1):
            self._latest[tuple(written[-length:])] = len(written)
        written.append(token)
        if not self._draft:
            return
        if self._next < len(self._draft) and self._draft[self._next] == token:
            self._next += 1
            return
        # Another token in its place, as of a box that is a little beside; or the answer is elsewhere.
        self._next += 1
        for length in range(min(_LONGEST_MATCH, len(written)), 1, -1):
            places = self._places.get(tuple(written[-length:]))
            if places:
                self._next = min(places, key=lambda place: (abs(place - self._next), place))
                return

    def propose(self, most: int) -> list[int]:
        """Up to ``most`` tokens, none where there is no guess."""
        most = min(most, self._length, MAX_DRAFT)
        if most < 1:
            return []
        if found := self._draft[self._next : self._next + most]:
            return found
        written = self._written
        for length in range(min(_LONGEST_MATCH, len(written)), 1, -1):
            place = self._latest.get(tuple(written[-length:]))
            if place is not None:
                return written[place : place + most]
        return []

    def judge(self, n_proposed: int, n_accepted: int) -> None:
        """Propose more after guesses that were right, fewer after wrong ones."""
        if n_proposed:
            self._length = min(MAX_DRAFT, 2 * n_accepted + 1) if n_accepted else 1
