"""Drawings of damaged, degenerate and very large content: no exception, and what is left is sound."""

from __future__ import annotations

import random

import numpy as np
import pytest

from docai.geometry import touches
from docai.pipelines.ingest import drawing_reader
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing

from .pdf_content import drawn, open_page, pdf_of, stream

NUMBERS = (
    "0",
    "0",
    "-1",
    "1",
    "50",
    "100",
    "199.9",
    "1e3",
    "-5000",
    "0.0001",
    "99999999999",
    "-3.4e38",
    "nan",
    ".",
)

STATES = (
    "q", "Q", "1 0 0 1 {} {} cm", "{} {} {} {} 0 0 cm", "{} w", "1 J", "[{} {}] {} d", "{} {} {} {} re W n",
    "{} {} m {} {} l W n", "/G gs", "/X Do", "1 0 0 RG", "/Pattern cs /P scn", "/Pattern cs /S scn",
    "BT /F {} Tf {} {} Td (ab) Tj ET", "BT {} Tr ET", "q 9 0 0 9 {} {} cm /I Do Q", "/S sh",
    "BT /F 9 Tf 7 Tr (a) Tj ET",
)  # fmt: skip

PATHS = (
    "{} {} m",
    "{} {} l",
    "{} {} {} {} {} {} c",
    "{} {} {} {} v",
    "{} {} {} {} re",
    "h",
    "{} {} m {} {} l",
)

PAINTS = ("S", "f", "B", "s", "f*", "b*", "n")

RESOURCES = (
    "/ExtGState<</G<</ca .5/CA .5>>>>/XObject<</X 5 0 R/I 6 0 R>>/Font<</F<</Type/Font/Subtype/Type1/BaseFont"
    "/Symbol>>>>/Pattern<</P 7 0 R/S<</PatternType 2/Shading 8 0 R>>>>/Shading<</S 8 0 R>>"
)

IMAGE = "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"

OBJECTS = (
    stream("/X Do 0 0 m 9 9 l S", f"/Type/XObject/Subtype/Form/BBox[0 0 50 50]/Resources<<{RESOURCES}>>"),
    stream("\xff", IMAGE),
    stream(
        "0 0 m 5 5 l S BT /F 3 Tf (x) Tj ET",
        f"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 7 7]/XStep 7/YStep -7/Resources<<{RESOURCES}>>",
    ),
    "<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 0 0]"
    "/Function<</FunctionType 2/Domain[0 1]/C0[1 0 0]/C1[0 0 1]/N 1>>>>",
)

PAGES = (
    "",
    "/Rotate 90",
    "/CropBox[50 -10 60 300]",
    "/Rotate 270/CropBox[1 1 2 2]",
    "/UserUnit 3",
    "/MediaBox[200 100 0 0]",
)


def content_of(source: random.Random) -> str:
    """A content stream of operators that are right and numbers that are not."""

    def filled(operator: str) -> str:
        return operator.format(*(source.choice(NUMBERS) for _ in range(operator.count("{}"))))

    parts = []
    for _ in range(source.randrange(1, 40)):
        parts += [filled(source.choice(STATES)) for _ in range(source.randrange(3))]
        parts += [filled(source.choice(PATHS)) for _ in range(source.randrange(6))]
        parts.append(source.choice(PAINTS))
    return "\n".join(parts)


def assert_sound(drawing: Drawing) -> None:
    orders = [thing.order for thing in drawing.paths]
    assert orders == sorted(orders)
    for path in drawing.paths:
        assert path.subpaths
        assert np.isfinite([*path.bbox, path.width, path.opacity, *path.dashes]).all()
        assert path.stroke is not None or path.fill is not None
        for part in path.subpaths:
            assert np.isfinite(part.points).all()
            assert len(part.points) >= 2
            assert len(part.is_curve) == len(part.points) - 1
            assert not part.is_closed or (part.points[0] == part.points[-1]).all()
    for glyph in drawing.glyphs:
        assert np.isfinite([*glyph.bbox, *glyph.origin, glyph.size]).all()


@pytest.mark.parametrize("seed", range(60))
def test_any_content_gives_a_sound_drawing(seed: int) -> None:
    source = random.Random(seed)
    page = open_page(pdf_of(content_of(source), RESOURCES, OBJECTS, source.choice(PAGES)))

    assert_sound(read_drawing(page))
    assert_sound(read_drawing(page, (20, 20, 30, 30)))


def test_a_form_that_draws_itself_ends() -> None:
    form = stream(
        "0 0 m 9 9 l S /X Do /X Do",
        "/Type/XObject/Subtype/Form/BBox[0 0 90 90]/Resources<</XObject<</X 5 0 R>>>>",
    )

    assert_sound(drawn("/X Do", "/XObject<</X 5 0 R>>", (form,)))


def test_deep_clips_and_states_are_followed() -> None:
    content = "q 0 0 150 90 re W n " * 500 + "0 50 m 200 50 l S " + "Q " * 500 + "0 95 m 200 95 l S"
    clipped, free = drawn(content).paths

    assert clipped.bbox == (0, 50, 150, 50)
    assert free.bbox == (0, 5, 200, 5)


def test_content_that_breaks_off_keeps_what_came_before() -> None:
    drawing = drawn("10 10 m 20 10 l S BT /Missing 10 Tf (x) Tj ET 30 10 m 40 10 l S [ [ ( ")

    assert drawing.paths[0].bbox == (10, 90, 20, 90)


def test_one_path_of_very_many_pieces_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_reader, "MAX_POINTS", 1_000)
    zigzag = " ".join(f"{x % 200} {x * 7 % 100} l" for x in range(5_000))
    drawing = drawn(f"0 0 m {zigzag} S 0 0 m 9 9 l S")

    assert not drawing.is_complete
    assert_sound(drawing)


def test_very_many_strokes_are_cut_short_and_a_part_of_them_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_reader, "MAX_PATHS", 2_000)
    content = "\n".join(f"{n % 200} {n % 97} m {n % 200} {n % 97 + 1} l S" for n in range(3_000))
    page = open_page(pdf_of(content))
    whole, part = read_drawing(page), read_drawing(page, (10, 10, 12, 12))

    assert not whole.is_complete
    assert len(whole.paths) <= drawing_reader.MAX_PATHS + 1
    assert part.is_complete
    assert part.paths
    assert all(touches(path.bbox, part.bbox) for path in part.paths)
