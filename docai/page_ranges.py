"""Which pages are asked for, before it is known how many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import index
from typing import NamedTuple

from docai.errors import SettingError

PageSelection = str | int | Iterable[int]
"""One page (``3``), several (``[1, 3]``, ``range(1, 4)``), or ranges in words (``"1-3,7"``, ``"5-"``)."""

_HOW = "they count from 1: write one as 3, several as '1-3,7' or [1, 2, 3, 7], all from the fifth as '5-'"

_RANGE = re.compile(r"\s*([0-9]*)\s*(-?)\s*([0-9]*)\s*")

_MAX_DIGITS = 18
"""Of a page number: more are a slip of the keyboard, and Python refuses to read thousands."""


class PageRange(NamedTuple):
    """Pages from ``first`` to ``last``, both included; None: to the last page that there is."""

    first: int
    last: int | None

    def numbers(self, n_pages: int) -> range:
        """Those of its pages that a document of so many has."""
        return range(self.first, 1 + (n_pages if self.last is None else min(self.last, n_pages)))

    def __str__(self) -> str:
        """As it is written in a selection."""
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{'' if self.last is None else self.last}"


def page_ranges(selection: PageSelection) -> list[PageRange]:
    """The ranges that a selection names, in its order.

    ``"-3"`` is the first three pages. Numbers are whole and from 1: nothing counts from the end.

    Raises:
        SettingError: it cannot be understood, names no page, or one below 1.
    """
    if isinstance(selection, str):
        return [_parsed(part, selection) for part in selection.split(",")]
    if isinstance(selection, (bool, bytes, bytearray)):
        raise _refused(selection)
    try:
        numbers = [index(selection)]  # type: ignore[arg-type]
    except TypeError:
        try:
            numbers = [_number(number, selection) for number in selection]  # type: ignore[union-attr]
        except TypeError:
            raise _refused(selection) from None
    if not numbers or min(numbers) < 1:
        raise _refused(selection)
    return [PageRange(number, number) for number in numbers]


def _number(value: object, selection: object) -> int:
    if isinstance(value, bool):
        raise _refused(selection)
    return index(value)  # type: ignore[arg-type]


def _parsed(part: str, selection: str) -> PageRange:
    found = _RANGE.fullmatch(part)
    if found is None or not (found[1] or found[3]) or max(len(found[1]), len(found[3])) > _MAX_DIGITS:
        raise _refused(selection)
    if not found[2]:
        # Two numbers with nothing but space between them.
        if found[3]:
            raise _refused(selection)
        pages = PageRange(int(found[1]), int(found[1]))
    else:
        pages = PageRange(int(found[1] or 1), int(found[3]) if found[3] else None)
    if pages.first < 1 or (pages.last is not None and pages.last < pages.first):
        raise _refused(selection)
    return pages


def _refused(selection: object) -> SettingError:
    shown = repr(selection)
    return SettingError(f"The pages cannot be {shown if len(shown) <= 60 else shown[:59] + '…'}; {_HOW}.")
