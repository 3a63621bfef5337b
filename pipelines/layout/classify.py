"""What a figure shows, judged by its ink: a score, a table, a molecule, or none of these.

Each judge looks at one crop and answers with a score in 0…1 and the observations behind it; the best judge
above one half wins, and what nobody claims is a plain figure.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.layout.look import SIDE, Look, look_at
from docai.pipelines.layout.pixels import Gray, loose_between, staves
from docai.records import Kind

Verdict = tuple[float, tuple[str, ...]]


def classify_image(image: Image.Image) -> tuple[Kind, float, tuple[str, ...]]:
    """What one figure crop shows: kind, score 0…1, evidence. Any size and mode; alpha is put on white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        image = Image.alpha_composite(paper, layered)
    return judge(np.asarray(image.convert("L")))


def judge(gray: Gray, words: int | None = None) -> tuple[Kind, float, tuple[str, ...]]:
    """:func:`classify_image` of a gray array, with the number of native words where it is known."""
    look = look_at(gray, words)
    if look is None:
        return "figure", 0.3, ("no ink",)
    verdicts: list[tuple[Kind, Verdict]] = [
        ("score", _score_at_any_size(gray, look)),
        ("table", _table(look)),
        ("molecule", _molecule(look)),
    ]
    kind, (value, evidence) = max(verdicts, key=lambda item: item[1][0])
    if value > 0.5:
        return kind, round(min(value, 0.99), 3), evidence
    return "figure", round(1 - value, 3), (f"no head fits; nearest was {kind} with {value:.2f}", *evidence)


def is_ruled_grid(gray: Gray) -> bool:
    """Whether rules cross all over an image and text fills the fields between them."""
    look = look_at(gray)
    return look is not None and look.gridded > 0.5


def _score_at_any_size(gray: Gray, look: Look) -> Verdict:
    """A page of music, reduced, loses its hairlines: where none show, look again at twice the size."""
    verdict = _score(look)
    if verdict[0] > 0.5 or max(gray.shape) < 1.3 * SIDE or min(gray.shape) < 0.2 * max(gray.shape):
        return verdict
    closer = look_at(gray, look.words, side=2 * SIDE)
    return verdict if closer is None else max(verdict, _score(closer))


def _score(look: Look) -> Verdict:
    found = staves(look.gray, max(40, look.width // 4))
    found = [staff for staff in found if staff.bbox[2] - staff.bbox[0] > 0.3 * look.width]
    if not found:
        return 0.0, ("no five-line staff",)
    loose = max(loose_between(look.parts, staff) for staff in found)
    if loose > 0.12:
        return 0.3, (f"{len(found)} groups of five lines with loose glyphs between them, as in a table",)
    covered = sum(staff.bbox[3] - staff.bbox[1] for staff in found) / look.height
    value = min(0.98, 0.75 + 0.1 * len(found) + 0.2 * covered)
    return value, (f"{len(found)} five-line stave{'s' if len(found) > 1 else ''}",)


def _table(look: Look) -> Verdict:
    grid = look.grid
    columns, rows = look.columns
    evidence = []
    value = 0.0
    if grid is not None and look.glyphs.sum() >= 4:
        evidence.append(f"ruled grid of {grid.n_level} by {grid.n_upright} lines, {grid.crossed:.0%} crossed")
        if grid.n_level >= 3 and grid.n_upright >= 3:
            evidence.append(
                f"{grid.filled:.0%} of its fields filled, {look.letters_in_grid:.0%} of their ink letters"
            )
            value = 0.05 + 0.9 * look.gridded
        else:
            value = 0.45
    if columns >= 2 and rows >= 3:
        evidence.append(f"{rows} rows aligned in {columns} columns")
        value = max(value, 0.6) + 0.05 * min(columns, 4)
        if look.wide_rules >= 2:
            evidence.append(f"{look.wide_rules} rules across the whole width")
            value += 0.1
    if look.midtones > 0.35:
        return min(value, 0.4), (*evidence, f"{look.midtones:.0%} halftones")
    return min(value, 0.97), tuple(evidence) or ("no grid and no aligned columns",)


def _molecule(look: Look) -> Verdict:
    photo = look.midtones
    density = float((look.ink > 0).mean())
    if photo > 0.08 or density > 0.45:
        return 0.1, (f"{photo:.0%} halftones, {density:.0%} ink: not a line drawing",)
    distance = cv2.distanceTransform(look.ink, cv2.DIST_L2, 3)
    stroke = 2 * float(np.percentile(distance[look.ink > 0], 95))
    size = float(max(look.width, look.height))
    if stroke > max(5.0, 0.06 * size):
        return 0.15, (f"strokes {stroke:.0f} px wide: filled areas",)
    segments = _segments(look, stroke)
    if len(segments) < 3:
        return 0.2, (f"{len(segments)} straight strokes",)
    lengths, angles = segments[:, 0], segments[:, 1]
    typical = float(np.median(lengths[lengths >= np.median(lengths)]))
    skew = np.minimum(angles % 90, 90 - angles % 90)
    slanted = float(lengths[skew > 8].sum() / lengths.sum())
    bonds = lengths[(lengths > 0.45 * typical) & (lengths < 2.2 * typical)]
    alike = float(bonds.sum() / lengths.sum())
    longest = float(lengths.max()) / typical
    glyphs = _loose_glyphs(look, typical)
    value = 0.35 + 0.3 * min(1.0, slanted / 0.45) + 0.25 * alike
    evidence = [
        f"{len(bonds)} thin strokes of like length",
        f"{slanted:.0%} of the strokes slanted",
        f"{glyphs} glyph-sized parts",
    ]
    frame = _frame_lines(look)
    if frame:
        evidence.append(f"{frame} long axis-parallel lines")
        value -= 0.25 * min(frame, 2)
    if longest > 5:
        value -= 0.1
    if slanted < 0.2:
        value -= 0.2
    if glyphs > 12 + 2.0 * len(bonds):
        evidence.append("more glyphs than strokes")
        value -= 0.3
    letters = _letters_share(look)
    if letters > 0.6 and look.columns.n_rows >= 3:
        evidence.append(f"{letters:.0%} of the ink in parts of one letter height")
        value -= 0.5
    if look.words is not None and look.words > 15 + len(bonds):
        value -= 0.3
    return max(0.0, min(value, 0.97)), tuple(evidence)


def _letters_share(look: Look) -> float:
    """Share of the ink that is in parts of one letter's height: near one for text, small for drawings."""
    parts, high = look.parts, look.parts.heights
    glyph = look.glyphs
    if glyph.sum() < 8:
        return 0.0
    size = float(np.percentile(high[glyph], 75))
    letter = glyph & (high <= 1.5 * size) & (parts.widths <= 2.5 * size)
    return float(parts.areas[letter].sum()) / float(parts.areas.sum())


def _frame_lines(look: Look) -> int:
    """Lines along the axes that span most of the drawing: axes, frames and rules, which molecules lack."""
    level = sum(x1 - x0 > 0.6 * look.width and x1 - x0 > 60 for x0, _, x1, _ in look.level)
    upright = sum(y1 - y0 > 0.6 * look.height and y1 - y0 > 60 for _, y0, _, y1 in look.upright)
    return int(level + upright)


def _loose_glyphs(look: Look, bond: float) -> int:
    """Parts smaller than a bond of that length, as atom labels are."""
    parts = look.parts
    small = (parts.widths < 0.8 * bond) & (parts.heights < 0.8 * bond) & (parts.areas > 8)
    return int(small.sum())


def _segments(look: Look, thickness: float) -> NDArray[np.float64]:
    """Straight strokes as rows of (length, angle in degrees 0…180). Both edges of a stroke count."""
    smooth = cv2.GaussianBlur(255 - look.ink, (0, 0), 0.8)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(smooth)[0]
    if found is None:
        return np.zeros((0, 2))
    lines = found.reshape(-1, 4).astype(np.float64)
    dx, dy = lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]
    lengths, angles = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 180
    keep = lengths > max(8.0, 2.5 * thickness)
    return np.stack([lengths[keep], angles[keep]], axis=1)
