"""Reading back: the record is drawn again and compared with the crop it was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docai.base import Content
from docai.pipelines.readback.base import ReadBack

if TYPE_CHECKING:
    from PIL import Image

    from docai.pipelines.readback.base import Gray

__all__ = ["ReadBack", "read_back"]


def read_back(content: Content, image: Image.Image | Gray) -> ReadBack:
    """How well a record's content, drawn again, matches its crop.

    Args:
        content: what a parser made of the model's text. Boxes of cells and words are shares of the crop,
            0..1; ``record.map_boxes(crop.transform.to_unit)`` makes them so of page points.
        image: the square that the head read, or the region alone; any size.

    Returns:
        Its ``similarity`` is None, and ``reason`` says why, where nothing can be compared: a blank crop, an
        invalid record, a figure, a record without boxes, or Verovio or resvg not installed.
    """
    from docai.pipelines.readback.compare import compare

    return compare(content, image)
