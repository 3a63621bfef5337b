"""What short texts come to, remembered: a score says the same few things again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")

LONGEST = 64
"""Characters; longer texts are seldom seen twice, and would fill the memory."""


def of_short_texts(n_kept: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorator: what a function of a text of up to :data:`LONGEST` characters gives is kept, of the last
    ``n_kept`` of them."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        kept = lru_cache(maxsize=n_kept)(function)

        @wraps(function)
        def called(text: str) -> T:
            return kept(text) if len(text) <= LONGEST else function(text)

        return called

    return decorate
