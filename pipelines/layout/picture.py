"""The picture of a page from which its regions are found: gray, upright, with text of the usual size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from docai.geometry import PageTransform
from docai.pipelines.layout import deskew
from docai.pipelines.pixels import Gray, Parts, binarize, gray_levels, halftone_share, parts_of
from docai.pipelines.tracing.score.page_staves import level_staves

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page

DPI = 150
"""Pixels per inch of the picture of a page: hairlines of staves still show, and letters of small print are
still apart."""
TRANSFORM = PageTransform(0, 0, DPI / 72)
"""Between points of a page whose text has the usual size and pixels of its picture."""

PROBE_SIDE = 3000
"""Pixels of the longer side of the picture in which letters are measured, at most: A3 at :data:`DPI` has
2,480."""

LETTER_HEIGHT = 10.5
"""Pixels: height of lowercase letters, at :data:`DPI`, of text of the usual size, 10 points."""

USUAL_LETTER_HEIGHTS = (4.0, 14.0)
"""Pixels at :data:`DPI`: text from 4 to 13 points. Pages with other letters are measured by these."""

FONT_SIZE = 10.0
"""Points: size of the font of text of the usual size."""

USUAL_FONT_SIZES = (7.0, 14.0)
"""Points; pages with other text are measured by it."""

MAX_DARK = 64
"""Gray level of the paper of print in white on black, at most."""

MIN_DARK_SHARE = 0.7
"""Share of such a picture that is paper."""

MAX_HALFTONES = 0.08
"""Share of its pixels that are neither white nor black: a photograph at night has more."""

MIN_LETTERS_TO_MEASURE = 100
"""Letters by which a picture can be measured; a drawing with its labels has fewer."""


@dataclass(frozen=True)
class UprightPicture:
    """The picture of a page set upright: turned ``turn`` quarters clockwise, then ``skew`` degrees back."""

    gray: Gray
    ink: Gray
    turn: int
    skew: float


def gray_page(page: Page, font_size: float | None = None) -> tuple[Gray, float]:
    """Gray levels of a page (height, width) in which text has the usual size, and their pixels per point.

    A page has no size that can be relied on: image files seldom say how large they are, and PDFs are made
    with a point for each pixel. Letters of the usual sizes at :data:`DPI` leave it there; others, and a page
    without letters that is too large to draw, are brought to the size that all measures in layout are for.

    Args:
        font_size: of most of the text, page points, where words were read; None: letters are measured.

    Raises:
        TooManyPixelsError, DamagedSourceError: as ``Page.render``.
    """
    if font_size is not None:
        is_usual = USUAL_FONT_SIZES[0] <= font_size <= USUAL_FONT_SIZES[1]
        wanted = page.fit_scale(TRANSFORM.scale * (1.0 if is_usual else FONT_SIZE / font_size))
        return _drawn(page, wanted), wanted
    scale = min(TRANSFORM.scale, PROBE_SIDE / max(page.width, page.height))
    gray = _drawn(page, scale)
    height = measured_letter_height(parts_of(binarize(gray)))
    wanted = scale
    if height is not None:
        height_at_dpi = height * TRANSFORM.scale / scale
        is_usual = USUAL_LETTER_HEIGHTS[0] <= height_at_dpi <= USUAL_LETTER_HEIGHTS[1]
        wanted = TRANSFORM.scale if is_usual else scale * LETTER_HEIGHT / height
        wanted = page.fit_scale(wanted)
    return (gray, scale) if wanted == scale else (_drawn(page, wanted), wanted)


def _drawn(page: Page, scale: float) -> Gray:
    gray = gray_levels(page.render(scale=scale))
    if not is_light_on_dark(gray):
        return gray
    gray = np.asarray(255 - gray)
    gray[[0, -1], :] = gray[:, [0, -1]] = 255  # Where it fades into the white around the page.
    return gray


def is_light_on_dark(gray: Gray) -> bool:
    """Whether a picture is print in white on black: nearly all of it is dark, and the rest light, but for the
    edges of letters and lines."""
    dark = float((gray < MAX_DARK).mean())
    return MIN_DARK_SHARE <= dark < 1 and halftone_share(np.asarray(255 - gray)) <= MAX_HALFTONES


def measured_letter_height(parts: Parts) -> float | None:
    """The usual height of lowercase letters, pixels; None where there are too few to tell."""
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 4) & (widths >= 2) & (heights < parts.labels.shape[0] / 8)
    letters &= (widths < 8 * heights) & (heights < 12 * widths) & (parts.areas > 0.12 * heights * widths)
    return parts.median_height(letters, min_count=MIN_LETTERS_TO_MEASURE)


def set_upright(gray: Gray, turn: int | None = None, skew: float | None = None) -> UprightPicture:
    """Turn the picture of a page so that its text is upright.

    Args:
        gray: gray levels (height, width).
        turn: quarters clockwise (0 to 3) that set it upright, where the page's own words tell; None: found
            in the pixels.
        skew: degrees clockwise by which its lines are turned then, where known; None: found in the pixels.
    """
    ink = binarize(gray)
    if turn is None:
        turn = 0
        if deskew.is_rotated_90(ink) and not level_staves(gray):
            turn = 1
            if deskew.is_upside_down(np.ascontiguousarray(np.rot90(ink, -1))):
                turn = 3
    if turn:
        gray, ink = (np.ascontiguousarray(np.rot90(image, -turn)) for image in (gray, ink))
    if skew is None:
        skew = deskew.skew_angle(ink)
    if skew:
        height, width = gray.shape
        matrix = deskew.turn_matrix(width, height, skew)
        paper = float(np.percentile(gray[:: max(1, height // 200), :: max(1, width // 200)], 90))
        gray = np.asarray(
            cv2.warpAffine(gray, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=paper)
        )
        ink = binarize(gray)
    return UprightPicture(gray, ink, turn, skew)
