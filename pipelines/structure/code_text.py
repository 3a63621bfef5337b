"""Listings of code with the spaces that they are printed with, which say what belongs to what."""

from __future__ import annotations

from statistics import median

from docai.contents import Line
from docai.records import Text


def set_spaces(record: Text) -> None:
    """Give the lines of a listing in letters of one width their spaces, before and between words, in place.

    Others, and those with words without a box, stay as they are.
    """
    words = [word for line in record.lines for word in line.words]
    widths = [(word.bbox[2] - word.bbox[0]) / len(word.text) for word in words if word.bbox and word.text]
    if record.font is None or not record.font.is_monospace or len(widths) < len(words) or not any(widths):
        return
    width = median(widths)
    left = min(word.bbox[0] for word in words if word.bbox is not None)
    lines = [line.model_copy(update={"text": _spaced(line, left, width)}) for line in record.lines]
    record.lines = lines
    record.text = "\n".join(line.text for line in lines)


def _spaced(line: Line, left: float, width: float) -> str:
    text = ""
    for word in line.words:
        if word.bbox is not None:
            column = round((word.bbox[0] - left) / width)
            text = text.ljust(max(column, len(text) + bool(text.strip()))) + word.text
    return text
