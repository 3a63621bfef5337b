"""Check boxes and radio buttons of a PDF form as words: ``☑`` and ``☐``, ``◉`` and ``○``.

What a viewer shows of such a field is a drawing, or a letter of a font of signs, whose code stands for
another letter elsewhere: ``4`` for a check mark. The field itself says whether it is on (ISO 32000-2,
12.7.5.2): the name of the appearance that is shown, ``/AS``, is other than ``/Off``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from docai.geometry import BBox, center, contains_center
from docai.pipelines.ingest.page import PageWord

CHECKED, UNCHECKED = "\N{BALLOT BOX WITH CHECK}", "\N{BALLOT BOX}"
CHOSEN, UNCHOSEN = "\N{FISHEYE}", "\N{WHITE CIRCLE}"

SIGNS: Final = frozenset((CHECKED, UNCHECKED, CHOSEN, UNCHOSEN))

_RADIO: Final = 1 << 15
_PUSH_BUTTON: Final = 1 << 16
"""Bits of the flags of a field, ``/Ff``."""

_UNSEEN: Final = 1 << 1 | 1 << 5
"""Bits of the flags of an annotation, ``/F``: hidden, and not shown on a screen."""

_MAX_PARENTS: Final = 8

_MAX_LABEL_GAP: Final = 3.0
"""Widths of a box up to its label."""


class _Box(NamedTuple):
    bbox: BBox
    text: str


def with_check_boxes(words: Sequence[PageWord], page: Any) -> list[PageWord]:
    """The words of a ``pymupdf.Page`` with one for each check box and radio button on it, before its label.

    Boxes of words are of the page as displayed. What is written in a field of that kind is its sign and no
    word; it is left out.
    """
    placed = list(words)
    for box in _boxes(page):
        place_sign(placed, box.bbox, box.text)
    return placed


def place_sign(words: list[PageWord], bbox: BBox, sign: str) -> None:
    """Put a box into the line of its label, in place of what is written in it.

    The label is right of it as a rule, else left of it; else the box is a line of its own.
    """
    words[:] = [word for word in words if not contains_center(bbox, word.bbox)]
    x0, y0, x1, y1 = bbox
    reach = _MAX_LABEL_GAP * max(x1 - x0, y1 - y0)
    level = [
        (word.bbox, index)
        for index, word in enumerate(words)
        if word.bbox[1] < (y0 + y1) / 2 < word.bbox[3] and not word.angle
    ]
    right = min(((bbox[0] - x1, index) for bbox, index in level if bbox[0] - x0 >= 0), default=None)
    left = min(((x0 - bbox[2], index) for bbox, index in level if x1 - bbox[2] >= 0), default=None)
    if right is not None and right[0] <= reach:
        label, at = words[right[1]], right[1]
    elif left is not None and left[0] <= reach:
        label, at = words[left[1]], left[1] + 1
    else:
        block = 1 + max((word.block for word in words), default=-1)
        words.append(PageWord(sign, bbox, block, 0, y1 - y0))
        return
    words.insert(at, PageWord(sign, bbox, label.block, label.line, label.size, font=label.font))


def _boxes(page: Any) -> Iterator[_Box]:
    # Not above: processes that only know these signs do without the library.
    import pymupdf

    document = page.parent
    if not document.is_form_pdf:
        return
    to_page = page.transformation_matrix * page.rotation_matrix
    for xref, kind, _ in page.annot_xrefs():
        if kind != pymupdf.PDF_ANNOT_WIDGET or _inherited(document, xref, "FT") != "/Btn":
            continue
        flags, shown = _number(_inherited(document, xref, "Ff")), _number(_own(document, xref, "F"))
        numbers = _numbers(_own(document, xref, "Rect"))
        if flags & _PUSH_BUTTON or shown & _UNSEEN or len(numbers) != 4:
            continue
        is_on = _own(document, xref, "AS") not in ("", "/Off")
        signs = (CHOSEN, UNCHOSEN) if flags & _RADIO else (CHECKED, UNCHECKED)
        bbox = tuple((pymupdf.Rect(*numbers).normalize() * to_page).normalize())
        if pymupdf.Rect(bbox).is_empty or not page.rect.contains(pymupdf.Point(*center(bbox))):
            continue
        yield _Box(bbox, signs[0] if is_on else signs[1])


def _own(document: Any, xref: int, key: str) -> str:
    """The value of a key as it is written; empty where it is missing, or refers to another object."""
    kind, value = document.xref_get_key(xref, key)
    return "" if kind in ("null", "xref") else str(value)


def _inherited(document: Any, xref: int, key: str) -> str:
    """The value of a field, or of the fields that it is a part of."""
    for _ in range(_MAX_PARENTS):
        value = _own(document, xref, key)
        kind, parent = document.xref_get_key(xref, "Parent")
        if value or kind != "xref":
            return value
        xref = int(parent.split()[0])
    return ""


def _numbers(value: str) -> list[float]:
    """Of an array as it is written; none where it is damaged."""
    try:
        return [float(part) for part in value.strip("[]").split()]
    except ValueError:
        return []


def _number(value: str) -> int:
    return int(value) if value.lstrip("+-").isdigit() else 0
