"""Whether a text layer can be believed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord

MOJIBAKE = ("Ã", "Â", "â€", "ï»¿", "ï¬", "Ð")


def text_layer_quality(words: Iterable[PageWord]) -> float:
    """Share of the characters that can be text, 0…1; 1.0 where there are no words.

    Private-use, unassigned and control characters, replacement characters, and the letter pairs that UTF-8
    read as Latin-1 leaves behind count as bad. Below about 0.8 the words are better read from pixels. The
    words themselves are never changed or dropped.
    """
    total = bad = 0
    for word in words:
        total += len(word.text)
        bad += sum(_cannot_be_text(character) for character in word.text)
        bad += sum(2 * word.text.count(pair) for pair in MOJIBAKE if len(word.text) > len(pair))
    return 1.0 - min(1.0, bad / total) if total else 1.0


def _cannot_be_text(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")
