"""The outline of a PDF: its bookmarks, by which headings are known."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from docai.pipelines.ingest import Page, quiet_mupdf

MAX_ENTRIES: Final = 20_000
"""Of an outline; a longer one is cut."""


class OutlineEntry(NamedTuple):
    """A bookmark: its level, from 1, its title, and the page it leads to, from 1 (0: none)."""

    level: int
    title: str
    page: int


def read_outline(page: Page) -> list[OutlineEntry]:
    """The outline of the PDF that a page is of; for ``Page.inside``. Empty for an image file."""
    if page.pdf is None:
        return []
    with quiet_mupdf():
        entries = page.pdf.parent.get_toc(simple=True)[:MAX_ENTRIES]
    return [OutlineEntry(level, title, max(0, number)) for level, title, number in entries]


class Outline:
    """Entries by the page and the letters of their titles.

    Where one entry stands above all others, it is the title of the document, of level 0.
    """

    def __init__(self, entries: Sequence[OutlineEntry] = ()) -> None:
        top = [entry for entry in entries if entry.level == 1]
        shift = 1 if len(top) == 1 < len(entries) and entries[0].level == 1 else 0
        self._by_page: dict[int, list[tuple[str, OutlineEntry]]] = {}
        for entry in entries:
            if letters := _letters(entry.title):
                shifted = entry._replace(level=entry.level - shift)
                self._by_page.setdefault(entry.page, []).append((letters, shifted))

    def find(self, text: str, page: int) -> OutlineEntry | None:
        """The entry whose title a block of a page is, with or without the number of the section."""
        if not self._by_page:
            return None
        letters = _letters(text)
        for title, entry in self._by_page.get(page, ()):
            if letters == title or (
                len(title) >= 4 and letters.endswith(title) and not _has_letters(letters[: -len(title)])
            ):
                return entry
        return None


def _letters(text: str) -> str:
    """Its letters and digits in lower case, without accents, spaces and marks."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _has_letters(number: str) -> bool:
    """Whether what stands before a title is more than a number such as ``2``, ``iv`` or ``appendixa``."""
    for word in ("chapter", "section", "appendix", "part", "kapitel", "anhang"):
        number = number.removeprefix(word)
    return sum(character.isalpha() for character in number) > 4
