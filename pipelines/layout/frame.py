"""Between the page as displayed and the frame in which its text is upright: quarter turns only."""

from __future__ import annotations

from dataclasses import dataclass

from docai.records import BBox


@dataclass(frozen=True)
class Frame:
    """The displayed page, ``width`` by ``height``, turned clockwise by ``turn`` quarters."""

    width: float
    height: float
    turn: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the turned page."""
        return (self.height, self.width) if self.turn % 2 else (self.width, self.height)

    def enter(self, box: BBox) -> BBox:
        """A box of the displayed page, in the frame."""
        return _turned(box, self.turn, self.width, self.height)

    def leave(self, box: BBox) -> BBox:
        """A box of the frame, on the displayed page."""
        return _turned(box, (4 - self.turn) % 4, *self.size)


def _turned(box: BBox, turn: int, width: float, height: float) -> BBox:
    x0, y0, x1, y1 = box
    if turn == 1:
        return height - y1, x0, height - y0, x1
    if turn == 2:
        return width - x1, height - y1, width - x0, height - y0
    if turn == 3:
        return y0, width - x1, y1, width - x0
    return box
