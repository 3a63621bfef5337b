"""Figures whose strokes make systems of music or structures, whatever their pictures look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from docai.geometry import TurnedFrame, area
from docai.limits import Limits
from docai.pipelines.ingest.pdf import PdfFile
from docai.pipelines.layout.drawn_notation import believe_strokes, read_notation
from docai.pipelines.layout.find import _find_regions
from docai.pipelines.layout.types import DrawnNotation, PageEvidence, Region, RegionCandidate
from docai.pipelines.synthesis.vector.decoys import draw_decoy
from docai.pipelines.synthesis.vector.molecules import draw_molecule
from docai.pipelines.synthesis.vector.scores import draw_score

pytestmark = pytest.mark.slow(seconds=12)


def regions_of(data: bytes) -> tuple[Region, ...]:
    page = PdfFile(data, name="test.pdf", password=None, limits=Limits()).page(1)
    return _find_regions(page, use_text_layer=True).regions


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda: draw_molecule("indigo", 6).data, "molecule"),
        (lambda: draw_score(5).data, "score"),
    ],
)
def test_drawings_whose_pictures_tell_nothing_are_told_by_their_strokes(
    draw: Callable[[], bytes], kind: str
) -> None:
    (region,) = regions_of(draw())

    assert region.kind == kind


@pytest.mark.parametrize("kind", ["flow chart", "logo", "street grid", "network", "table", "ruled paper"])
def test_the_strokes_of_other_drawings_make_nothing(kind: str) -> None:
    page = PdfFile(draw_decoy(kind, 0), name="test.pdf", password=None, limits=Limits()).page(1)

    assert read_notation(page, TurnedFrame(page.width, page.height, 0), page.bbox) == []


def test_a_turned_page_is_not_read() -> None:
    page = PdfFile(draw_score(5).data, name="test.pdf", password=None, limits=Limits()).page(1)

    assert read_notation(page, TurnedFrame(page.width, page.height, 1), page.bbox) == []
    (system,) = read_notation(page, TurnedFrame(page.width, page.height, 0), page.bbox)
    (larger,) = read_notation(page, TurnedFrame(page.width, page.height, 0, 0.5), (0, 0, 2000, 2000))
    assert system.kind == "score"
    assert larger.space == pytest.approx(2 * system.space)
    assert area(larger.bbox) == pytest.approx(4 * area(system.bbox))


def evidence(*drawn: DrawnNotation) -> PageEvidence:
    return PageEvidence(
        600,
        800,
        [],
        [],
        [],
        [],
        gray=lambda _: pytest.fail("no picture is needed"),
        notation=lambda _: list(drawn),
    )


def test_a_structure_in_a_corner_does_not_make_a_figure_a_molecule() -> None:
    figure = RegionCandidate("figure", (0, 0, 400, 300), 0.6, [])

    believed = believe_strokes(evidence(DrawnNotation("molecule", (10, 10, 80, 60))), [figure])

    assert [region.kind for region in believed] == ["figure"]


def test_structures_of_one_figure_are_regions_of_their_own() -> None:
    figure = RegionCandidate("figure", (0, 0, 200, 100), 0.6, [])
    drawn = DrawnNotation("molecule", (5, 5, 95, 95)), DrawnNotation("molecule", (110, 5, 195, 95))

    believed = believe_strokes(evidence(*drawn), [figure])

    assert [(region.kind, region.bbox) for region in believed] == [
        ("molecule", (3, 3, 97, 97)),
        ("molecule", (108, 3, 197, 97)),
    ]


def test_a_brace_and_a_mark_beside_a_system_are_part_of_it_and_a_logo_is_not() -> None:
    score = RegionCandidate("score", (50, 100, 500, 180), 0.95, [])
    brace = RegionCandidate("figure", (40, 100, 48, 180), 0.6, [])
    mark = RegionCandidate("figure", (200, 185, 230, 195), 0.6, [])
    logo = RegionCandidate("figure", (60, 190, 160, 290), 0.6, [])
    page = evidence(DrawnNotation("score", (55, 110, 500, 170), 6.0))
    figures_are_none = PageEvidence(
        600,
        800,
        [],
        [],
        [],
        [],
        gray=page.gray,
        notation=lambda box: page.notation(box) if box == score.bbox else [],
    )

    believed = believe_strokes(figures_are_none, [score, brace, mark, logo])

    assert [region.kind for region in believed] == ["score", "figure"]
    assert believed[0].bbox == (40, 100, 500, 195)
    assert believed[1] is logo
