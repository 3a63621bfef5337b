"""Read-back: a record is rendered again and compared with the crop that it was read from.

``compare`` chooses the comparison of the record's head; each measures features of the crop and the record
(``text_and_tables``, ``molecule.features``, ``score.features``); ``similarity`` makes one number of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docai.base import Content
from docai.pipelines.readback.similarity import ReadBack

if TYPE_CHECKING:
    from PIL import Image

    from docai.pipelines.readback.ink import Gray

__all__ = ["ReadBack", "read_back"]


def read_back(content: Content, image: Image.Image | Gray) -> ReadBack:
    """How well a record's content, rendered again, matches its crop.

    Args:
        content: what a parser made of the model's text. Boxes of cells and words are shares of the crop,
            0..1; ``record.map_boxes(crop.transform.to_unit)`` makes them so of page points.
        image: the square that the head read, or the region alone; any size.

    Returns:
        Its ``similarity`` is None, and ``reason`` says why, where nothing can be compared: a blank crop, an
        invalid record, a figure, a record without boxes, or Verovio or resvg not installed.
    """
    from docai.pipelines.readback.compare import compare_with_picture

    return compare_with_picture(content, image)
