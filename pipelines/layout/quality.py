"""Whether a text layer can be believed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord


def text_layer_quality(words: Iterable[PageWord]) -> float:
    """Share of the characters that can be text, 0…1; 1.0 where there are no words.

    Private-use, unassigned and control characters, replacement characters, and words that are UTF-8 read as
    Windows-1252 count as bad. Below about 0.8 the words are better read from pixels. The words themselves
    are never changed or dropped.
    """
    total = bad = 0
    for word in words:
        total += len(word.text)
        if _is_mojibake(word.text):
            bad += len(word.text)
        else:
            bad += sum(_cannot_be_text(character) for character in word.text)
    return 1.0 - min(1.0, bad / total) if total else 1.0


def _cannot_be_text(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")


def _is_mojibake(text: str) -> bool:
    """Whether a word beyond ASCII becomes valid UTF-8 in bytes of Windows-1252, which real words do not."""
    if text.isascii():
        return False
    try:
        text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True
