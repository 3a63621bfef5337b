"""A molecule whose region ends in the midst of its drawing is not sure."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image, ImageDraw, ImageOps
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from docai import Limits
from docai.contents import Issue
from docai.geometry import BBox
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Decision, ReaderInput
from docai.pipelines.evidence.cut_molecules import CUT_TRUST, check_cut
from docai.pipelines.ingest import open_source
from docai.records import Confidence, Evidence

DRAWN: BBox = (40, 40, 440, 340)
"""Where the molecule is on its page, with the white around it."""


@pytest.fixture(scope="module")
def page() -> Image.Image:
    canvas = rdMolDraw2D.MolDraw2DCairo(400, 300)
    canvas.DrawMolecule(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    canvas.FinishDrawing()
    paper = Image.new("RGB", (500, 400), "white")
    paper.paste(Image.open(BytesIO(canvas.GetDrawingText())), (40, 40))
    return paper


def _checked(image: Image.Image, box: BBox, evidence: Evidence = "tracing") -> tuple[Decision, list[Issue]]:
    content = parse_molecule("CCO").content
    decision = Decision(content, (evidence,), Confidence(value=0.9, method="a vote"))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    with open_source(buffer.getvalue(), limits=Limits()) as source, source.page(1) as page:
        return check_cut(decision, ReaderInput(page, box))


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("left", lambda x0, y0, x1, y1: (x0 + 150, y0, x1, y1)),
        ("top", lambda x0, y0, x1, y1: (x0, y0 + 110, x1, y1)),
        ("right", lambda x0, y0, x1, y1: (x0, y0, x1 - 150, y1)),
        ("bottom", lambda x0, y0, x1, y1: (x0, y0, x1, y1 - 110)),
    ],
)
def test_a_drawing_that_goes_on_beyond_its_region_is_told_and_doubted(
    page: Image.Image, side: str, change: Callable[..., BBox]
) -> None:
    decision, (issue,) = _checked(page, change(*DRAWN))
    assert (issue.code, issue.severity) == ("molecule-cut", "warning")
    assert f"({side})" in issue.message
    assert decision.confidence.value == pytest.approx(0.9 * CUT_TRUST)


def test_a_whole_drawing_is_not_cut(page: Image.Image) -> None:
    for box in (DRAWN, (0, 0, 500, 400)):
        decision, issues = _checked(page, box)
        assert (decision.confidence.value, issues) == (0.9, [])


def test_a_rule_beside_a_drawing_is_none_of_it(page: Image.Image) -> None:
    ruled = page.copy()
    ImageDraw.Draw(ruled).line((0, 345, 500, 345), fill="black", width=2)
    ImageDraw.Draw(ruled).line((438, 0, 438, 400), fill="black", width=2)
    _, issues = _checked(ruled, (40, 40, 440, 350))
    assert issues == []


def test_what_the_page_draws_is_read_whole_wherever_its_region_ends(page: Image.Image) -> None:
    decision, issues = _checked(page, (190, 40, 440, 340), evidence="drawing")
    assert (decision.confidence.value, issues) == (0.9, [])


@pytest.mark.parametrize("is_dark", [False, True])
def test_ink_at_the_edge_with_clear_paper_beyond_is_whole(page: Image.Image, is_dark: bool) -> None:
    left, top, right, bottom = ImageOps.invert(page).getbbox()
    shown = ImageOps.invert(page) if is_dark else page
    tight = (left + 2, top + 2, right - 2, bottom - 2)  # A picture shows two points around it.
    decision, issues = _checked(shown, tight)
    assert (decision.confidence.value, issues) == (0.9, [])


def test_a_label_just_beyond_the_region_is_missing_from_it(page: Image.Image) -> None:
    left, top, right, bottom = ImageOps.invert(page).getbbox()
    near = page.copy()
    ImageDraw.Draw(near).text(((left + right) / 2, top - 12), "HO", fill="black")
    ImageDraw.Draw(near).line(
        ((left + right) / 2 + 6, top, (left + right) / 2 + 6, top + 60), fill="black", width=2
    )
    _, (issue,) = _checked(near, (left - 5, top + 2, right + 5, bottom + 5))
    assert "(top)" in issue.message
