"""A contact sheet, to be looked at before training."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Sample
from docai.pipelines.synthesis.layouts import LOC

_CELL = 320
_CAPTION_LINES = 4


def contact_sheet(shown: Sequence[Sample], columns: int = 4) -> Image.Image:
    """Small pictures with the beginnings of their targets below."""
    face = fonts.face("cour", 11)
    caption = face.height * _CAPTION_LINES + 8
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * _CELL, rows * (_CELL + caption)), (225, 230, 235))
    pen = ImageDraw.Draw(sheet)
    for index, sample in enumerate(shown):
        left = index % columns * _CELL
        top = index // columns * (_CELL + caption)
        small = sample.image.resize((_CELL - 6, _CELL - 6), Image.Resampling.BILINEAR)
        sheet.paste(small, (left + 3, top + 3))
        plain = LOC.sub("", sample.target).replace(' coords=""', "").replace("\t", "  ")
        lines = [part for line in plain.split("\n") for part in textwrap.wrap(line.strip(), 44)]
        for number, line in enumerate(lines[:_CAPTION_LINES]):
            y = top + _CELL + number * face.height
            pen.text((left + 4, y), line, fill=(20, 20, 20), font=face.font)
    return sheet
