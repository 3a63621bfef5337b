"""Letters and labels made by hand, and drawn graphs made of structures, for tests."""

from __future__ import annotations

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.types import Attachment, LabelMark

EM = 10.0
CAP = 7.0
STEP = 7.0


def letter(text: str, x: float, y: float = 0.0, *, size: float = EM, **changes: object) -> Letter:
    """A letter whose left edge is at x and whose base line is at y; as high as a capital."""
    wide, high = 0.6 * size, 0.7 * size
    box = (x, y - high, x + wide, y)
    if text in "+-−":
        box = (x, y - 0.45 * size, x + wide, y - (0.05 if text == "+" else 0.35) * size)
    return Letter(text, box, size, y, 0, **changes)  # type: ignore[arg-type]


def row(text: str, x: float = 0.0, y: float = 0.0, *, size: float = EM) -> list[Letter]:
    """Letters from the left; ``_`` lowers the next one, ``^`` raises it, both make it smaller."""
    made = []
    shift = 0
    for sign in text:
        if sign in "_^":
            shift = 1 if sign == "^" else -1
            continue
        if sign == " ":
            x += STEP / EM * size
            continue
        own = size * (0.65 if shift else 1.0)
        made.append(letter(sign, x, y - shift * (0.35 if shift > 0 else 0.2) * size, size=own))
        x += STEP / EM * own
        shift = 0
    return made


def label(text: str) -> LabelMark:
    """One line of letters; digits are lowered unless ``^`` raises them or they come first."""
    letters: list[Letter] = []
    scripts: list[int] = []
    shift = 0
    for sign in text:
        if sign in "^_":
            shift = 1 if sign == "^" else -1
            continue
        if not shift and sign.isdigit() and letters:
            shift = -1
        letters.append(letter(sign, STEP * len(letters), size=EM))
        scripts.append(shift)
        shift = 0
    return LabelMark(letters, scripts, [0] * len(letters), (0.0, -CAP, STEP * len(letters), 0.0))


def from_left(order: int = 1) -> Attachment:
    """A bond that ends at the left of :func:`label`."""
    return Attachment((-2.0, -CAP / 2), (-1.0, 0.0), 0, order)


def from_right(mark: LabelMark, order: int = 1) -> Attachment:
    """A bond that ends at its right."""
    return Attachment((mark.bbox[2] + 1.0, -CAP / 2), (1.0, 0.0), 1, order)
