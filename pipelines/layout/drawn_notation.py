"""What the strokes of a figure make, exactly: systems of music and structures that its picture does not show.

A picture loses hairlines, and small drawings are a few pixels. The strokes of a born-digital page are all
there: what they make without a rest is what a figure is, whatever it resembles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from docai.geometry import BBox, TurnedFrame, area, contains_center, grow, overlap_ratio, touches, union
from docai.pipelines.layout.types import DrawnNotation, PageEvidence, RegionCandidate

if TYPE_CHECKING:
    from docai.pipelines.drawings.score.types import System
    from docai.pipelines.ingest import Page
    from docai.pipelines.ingest.drawing import Drawing

MARGIN_POINTS: Final = 2.0
"""Beyond the box of a figure, of which strokes are read."""

MAX_PATHS: Final = 4_000
"""Painted paths of a figure above which it is a map or a plot, and no structures are looked for."""

MIN_CONFIDENCE: Final = 0.9
"""Of a structure that is believed against the picture."""

MIN_ATOMS: Final = 3
"""Of such a structure: two strokes may be anything."""

MIN_SHARE: Final = 0.5
"""Share of a figure that its systems or structures cover, or across which the staves run."""

MIN_STEMS: Final = 2
"""Notes on stems that make music of five lines with a barline but no clef, as an excerpt may have none."""

MARK_POINTS: Final = 60.0
"""From a score to the farthest figure that may be a mark of it."""

MARK_SPACES: Final = 7.0
"""Staff spaces: distance from a system, and shorter side, of figures that belong to it, such as braces and
dynamics."""


def read_notation(page: Page, frame: TurnedFrame, box: BBox) -> list[DrawnNotation]:
    """The systems in a box of the frame, or else the structures; none where the page is turned.

    Args:
        page: of a PDF, as displayed.
        frame: in which ``box`` and the result are given.
    """
    # The readers of drawings import chemistry and music: pages without figures do not need them.
    from docai.pipelines.ingest.drawing_reader import read_drawing

    if frame.turn:
        return []
    drawing = read_drawing(page, grow(frame.to_page(box), MARGIN_POINTS))
    if not drawing.is_complete or not drawing.paths:
        return []
    found = _systems(drawing) or _structures(drawing)
    return [item._replace(bbox=frame.from_page(item.bbox), space=item.space / frame.unit) for item in found]


def _systems(drawing: Drawing) -> list[DrawnNotation]:
    from docai.pipelines.drawings.score.reader import find_systems

    return [
        DrawnNotation(
            "score", system.bbox, max(staff.space for staff in system.staves if not staff.is_tablature)
        )
        for system in find_systems(drawing)
        if _is_music(system)
    ]


def _is_music(system: System) -> bool:
    """Whether it can be nothing else; tablature alone is not read as notes."""
    if all(staff.is_tablature for staff in system.staves):
        return False
    n_stems = sum(chord.stem != "none" for chord in system.chords)
    return bool(system.clefs) or (bool(system.barlines) and n_stems >= MIN_STEMS)


def _structures(drawing: Drawing) -> list[DrawnNotation]:
    from docai.pipelines.drawings.molecule.reader import read_molecules

    if len(drawing.paths) > MAX_PATHS:
        return []
    return [
        DrawnNotation("molecule", reading.bbox)
        for reading in read_molecules(drawing)
        if reading.confidence >= MIN_CONFIDENCE
        and reading.content is not None
        and reading.graph is not None
        and len(reading.graph.nodes) >= MIN_ATOMS
    ]


def believe_strokes(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, with figures whose strokes make systems or structures as such, and with marks beside a
    system as part of it."""
    if page.notation is None:
        return list(regions)
    systems: list[DrawnNotation] = []
    believed: list[RegionCandidate] = []
    figures = [region for region in regions if region.kind == "figure"]
    for region in regions:
        if region.kind == "figure":
            drawn = page.notation(region.bbox)
            believed += _regions_of(region, drawn) or [region]
        else:
            drawn = []
            believed.append(region)
            if region.kind == "score" and any(
                touches(grow(region.bbox, MARK_POINTS), figure.bbox) for figure in figures
            ):
                drawn = page.notation(region.bbox)
        systems += [item for item in drawn if item.kind == "score"]
    return _with_marks(believed, systems)


def _regions_of(figure: RegionCandidate, drawn: Sequence[DrawnNotation]) -> list[RegionCandidate]:
    """The regions of what is drawn in a figure; none where that is a small part of it."""
    if not drawn:
        return []
    whole = union([item.bbox for item in drawn])
    if drawn[0].kind == "score":
        if overlap_ratio(whole[0], whole[2], figure.bbox[0], figure.bbox[2]) < MIN_SHARE:
            return []
        if whole[2] - whole[0] < MIN_SHARE * (figure.bbox[2] - figure.bbox[0]):
            return []
        evidence = [f"{len(drawn)} systems of music in its strokes", *figure.evidence]
        return [
            replace(figure, kind="score", score=0.97, bbox=union([figure.bbox, whole]), evidence=evidence)
        ]
    if sum(area(item.bbox) for item in drawn) < MIN_SHARE * area(figure.bbox):
        return []
    evidence = ["a structure that explains all of its strokes", *figure.evidence]
    if len(drawn) == 1:
        return [replace(figure, kind="molecule", score=0.97, evidence=evidence)]
    return [
        RegionCandidate("molecule", grow(item.bbox, MARGIN_POINTS), 0.97, list(evidence)) for item in drawn
    ]


def _with_marks(regions: list[RegionCandidate], systems: Sequence[DrawnNotation]) -> list[RegionCandidate]:
    """Braces, dynamics and other marks that are figures of their own, as part of the score beside them."""
    for system in systems:
        score = next(
            (
                region
                for region in regions
                if region.kind == "score" and contains_center(region.bbox, system.bbox)
            ),
            None,
        )
        if score is None:
            continue
        reach = MARK_SPACES * system.space
        marks = [
            region
            for region in regions
            if region.kind == "figure"
            and touches(grow(score.bbox, reach), region.bbox)
            and min(region.bbox[2] - region.bbox[0], region.bbox[3] - region.bbox[1]) <= reach
            and not _reaches_beyond(region.bbox, score.bbox, reach)
        ]
        if marks:
            score.bbox = union([score.bbox, *(mark.bbox for mark in marks)])
            regions = [region for region in regions if not any(region is mark for mark in marks)]
    return regions


def _reaches_beyond(box: BBox, outer: BBox, reach: float) -> bool:
    x0, y0, x1, y1 = grow(outer, 2 * reach)
    return box[0] < x0 or box[1] < y0 or box[2] > x1 or box[3] > y1
