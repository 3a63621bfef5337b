"""Scans that lie on their side, upside down, askew, in perspective or in uneven light are seen straight."""

from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai import Limits, Pipeline, ScriptedEngine
from docai.geometry import BBox
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.pipelines.ingest.straight import StraightPage
from docai.pipelines.layout.straighten import straight_page
from docai.pipelines.layout.types import SeenWord

pytestmark = pytest.mark.slow(seconds=20)

PROSE = (
    "Prose that fills a paragraph of several lines so that the letters of a page can tell how it lies, "
    "with words of many lengths and the usual marks, set in one column of the page. "
)

DPI = 120


def scan(text: str = PROSE * 4) -> Image.Image:
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=500)
        page.insert_textbox((50, 60, 350, 440), text, fontsize=11)
        pixmap = page.get_pixmap(dpi=DPI)
    return Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples)


def encoded(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", dpi=(DPI, DPI))
    return buffer.getvalue()


def straightened(image: Image.Image, seen: Sequence[SeenWord] = ()) -> tuple[int, float, bool]:
    """Quarter turns clockwise, degrees of skew, and whether a sheet was cut out."""
    with open_source(encoded(image), limits=Limits()) as source, source.page(1) as page:
        straight = straight_page(page, see_words=(lambda _: seen) if seen else None)
        if not isinstance(straight, StraightPage):
            return 0, 0.0, False
        how = straight.straightening
        return how.turn, how.skew, how.is_sheet


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("skew", [0.0, -4.0, 12.0])
def test_quarter_turns_and_skew_are_found(turn: int, skew: float) -> None:
    lying = scan().rotate(90 * turn, expand=True)
    lying = lying.rotate(-skew, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)
    found_turn, found_skew, _ = straightened(lying)
    assert found_turn == turn
    assert found_skew == pytest.approx(skew, abs=0.2)


@pytest.mark.parametrize("darkest", [1.0, 0.3])
def test_a_sheet_photographed_at_an_angle_is_made_flat(darkest: float) -> None:
    sheet = np.asarray(scan())
    height, width = sheet.shape[:2]
    corners = np.float32([[210, 150], [800, 190], [900, 1040], [120, 960]])
    matrix = cv2.getPerspectiveTransform(
        np.float32([[0, 0], [width, 0], [width, height], [0, height]]), corners
    )
    table = np.full((1200, 1000, 3), (70, 60, 50), np.uint8)
    cv2.warpPerspective(sheet, matrix, (1000, 1200), table, borderMode=cv2.BORDER_TRANSPARENT)
    # In the shade the sheet is darker than the table is in the light.
    light = np.linspace(1.0, darkest, 1200)[:, None, None]
    photograph = Image.fromarray(np.asarray(table * light, np.uint8))
    assert straightened(photograph)[2]
    with open_source(encoded(photograph), limits=Limits()) as source, source.page(1) as page:
        seen = np.asarray(straight_page(page).render(scale=1.5).convert("L"))
    inner = seen[seen.shape[0] // 10 : -seen.shape[0] // 10, seen.shape[1] // 10 : -seen.shape[1] // 10]
    assert np.percentile(inner, 30) > 220
    assert inner.min() < 90


def test_what_is_no_text_lies_as_it_lies() -> None:
    circles = np.full((600, 500), 255, np.uint8)
    for step in range(8):
        cv2.circle(circles, (80 + 45 * step, 300), 20, 0, 2)
    assert straightened(Image.fromarray(circles)) == (0, 0.0, False)
    assert straightened(Image.new("L", (500, 600), 255)) == (0, 0.0, False)


def test_music_is_not_turned_over_by_its_stems() -> None:
    page = np.full((700, 900), 255, np.uint8)
    for top in (120, 420):
        for line in range(5):
            page[top + 12 * line : top + 12 * line + 2, 60:840] = 0
        for number in range(30):
            x, y = 100 + 22 * number, top - 40
            cv2.ellipse(page, (x, y), (7, 5), -20, 0, 360, 0, -1)
            if number % 3 == 0:
                page[y : y + 15, x - 7 : x - 5] = 0
    assert straightened(Image.fromarray(page)) == (0, 0.0, False)


def test_an_engine_decides_where_letters_do_not_tell() -> None:
    digits = "\n".join(" ".join(str(10**5 + 7919 * (row * 6 + n)) for n in range(6)) for row in range(12))
    image = scan(digits).rotate(180)
    asked: list[Page] = []

    def see_words(page: Page) -> list[SeenWord]:
        asked.append(page)
        angle = 0.0 if isinstance(page, StraightPage) else 180.0
        box: BBox = (0.0, 0.0, 50.0, 10.0)
        return [SeenWord(PageWord("100000", box, 0, n, angle=angle), 0.95) for n in range(20)]

    with open_source(encoded(image), limits=Limits()) as source, source.page(1) as page:
        straight = straight_page(page, see_words=see_words)
        assert isinstance(straight, StraightPage)
        assert straight.straightening.turn == 2
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("texts", "angle"),
    [(("h1g", "Jb4") * 4, 0.0), (("info@example.org", "NATIONAL"), 180.0)],
    ids=["nothing", "some words"],
)
def test_a_script_that_the_engine_does_not_know_is_not_turned_over(
    texts: Sequence[str], angle: float
) -> None:
    # Upside-down Latin stands for letters that reach down more often than up.
    image = scan().rotate(180)

    def see_words(page: Page) -> list[SeenWord]:
        box: BBox = (0.0, 0.0, 50.0, 10.0)
        confidence = 0.9 if angle else 0.4
        garbage = [SeenWord(PageWord("q15J-335", box, 0, n), 0.3) for n in range(10)]
        seen_angle = angle if isinstance(page, StraightPage) else 0.0
        words = [PageWord(text, box, 1, n, angle=seen_angle) for n, text in enumerate(texts)]
        return [*garbage, *(SeenWord(word, confidence) for word in words)]

    with open_source(encoded(image), limits=Limits()) as source, source.page(1) as page:
        assert straight_page(page, see_words=see_words) is page


def test_records_of_a_turned_scan_have_boxes_of_the_displayed_page() -> None:
    lying = scan().rotate(90, expand=True)
    engine = ScriptedEngine(dict.fromkeys(("table", "molecule", "score", "text"), ""))
    document = Pipeline(engine=engine, witnesses="off").process(encoded(lying))
    assert [issue.code for issue in document.issues] == ["page-straightened"]
    (page,) = document.pages
    assert (page.width, page.height) == pytest.approx((500, 400), abs=1)
    x0, y0, x1, y1 = document.records[0].bbox
    # The text runs up the page from the lower left.
    assert (x0, y1) == pytest.approx((62, 350), abs=6)
    assert x1 - x0 > 100
    assert y1 - y0 > 250


def lit_from_the_left(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    light = np.linspace(1.0, 0.4, pixels.shape[1], dtype=np.float32)[None, :, None]
    return Image.fromarray(np.asarray(pixels * light, np.uint8))


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("skew", [0.0, 5.0])
def test_a_page_in_uneven_light_is_seen_in_even_light(turn: int, skew: float) -> None:
    lying = scan().rotate(90 * turn, expand=True)
    lying = lying.rotate(-skew, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)
    with open_source(encoded(lit_from_the_left(lying)), limits=Limits()) as source, source.page(1) as page:
        straight = straight_page(page)
        assert isinstance(straight, StraightPage)
        assert straight.straightening.turn == turn
        assert straight.straightening.skew == pytest.approx(skew, abs=0.2)
        for box, scale in ((None, 1.0), ((100.0, 200.0, 300.0, 350.0), 2.0)):
            seen = np.asarray(straight.render(box, scale=scale).convert("L"))
            assert np.percentile(seen, 30) > 235
            assert seen.min() < 90


def test_light_alone_moves_nothing() -> None:
    engine = ScriptedEngine(dict.fromkeys(("table", "molecule", "score", "text"), ""))
    pipeline = Pipeline(engine=engine, witnesses="off")
    even = pipeline.process(encoded(scan()))
    uneven = pipeline.process(encoded(lit_from_the_left(scan())))
    assert [issue.code for issue in uneven.issues] == ["uneven-light"]
    assert not even.issues
    assert [record.kind for record in uneven.records] == [record.kind for record in even.records]
    for one, other in zip(uneven.records, even.records, strict=True):
        assert one.polygon is None
        assert one.bbox == pytest.approx(other.bbox, abs=1)
