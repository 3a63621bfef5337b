"""What a page draws, as data."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from docai.geometry import BBox
from docai.pipelines.ingest import drawing_reader, open_source
from docai.pipelines.ingest.drawing import Drawing, PaintedPath
from docai.pipelines.ingest.drawing_reader import read_drawing

from .pdf_content import drawn, open_page, pdf_of, stream

GRADIENT = (
    "/Pattern<</G<</PatternType 2/Shading<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 200 0]"
    "/Function<</FunctionType 2/Domain[0 1]/C0[1 0 0]/C1[0 0 1]/N 1>>/Extend[true true]>>>>>>"
)


def points(path: PaintedPath) -> list[list[tuple[float, float]]]:
    """Of its subpaths, rounded."""
    return [[(round(x, 2), round(y, 2)) for x, y in part.points.tolist()] for part in path.subpaths]


def only_path(drawing: Drawing) -> PaintedPath:
    (path,) = drawing.paths
    return path


def near(box: BBox, wanted: BBox, slack: float = 0.05) -> bool:
    return bool(np.allclose(box, wanted, atol=slack))


def test_a_line_is_in_points_of_the_page_with_its_width_cap_and_dashes() -> None:
    path = only_path(drawn("q 2 0 0 2 10 20 cm 1.5 w 1 J [3 1] 0 d 1 0 0 RG 0 0 m 40 10 l S Q"))

    assert points(path) == [[(10, 80), (90, 60)]]
    assert (path.width, path.cap, path.dashes) == (3.0, "round", (6.0, 2.0))
    assert (path.stroke, path.fill, path.opacity) == ((1.0, 0.0, 0.0), None, 1.0)


def test_lines_under_a_matrix_that_is_not_uniform_are_as_wide_as_they_look() -> None:
    across, down = drawn("4 0 0 1 0 0 cm 1 w 5 50 m 40 50 l S 20 10 m 20 90 l S").paths

    assert across.width == pytest.approx(1)
    assert down.width == pytest.approx(4)


def test_width_follows_a_turned_matrix() -> None:
    assert only_path(drawn("1.4142 1.4142 -1.4142 1.4142 60 0 cm 1 w 0 0 m 20 0 l S")).width == pytest.approx(
        2, rel=1e-3
    )


def test_each_move_begins_a_subpath_and_closing_ends_it() -> None:
    path = only_path(drawn("10 10 m 20 10 l 20 20 l h 30 30 m 40 30 l 50 40 l S"))

    assert [part.is_closed for part in path.subpaths] == [True, False]
    assert points(path)[0] == [(10, 90), (20, 90), (20, 80), (10, 90)]


def test_areas_are_closed_whether_the_file_closes_them_or_not() -> None:
    path = only_path(drawn("10 10 m 20 10 l 20 20 l f"))

    assert path.fill == (0.0, 0.0, 0.0)
    assert path.stroke is None
    assert points(path) == [[(10, 90), (20, 90), (20, 80), (10, 90)]]


def test_an_area_and_its_outline_are_one_path() -> None:
    path = only_path(drawn("1 1 0 rg 0 0 1 RG 10 10 30 20 re B"))

    assert (path.fill, path.stroke) == ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def test_a_line_that_is_filled_as_well_is_a_line() -> None:
    path = only_path(drawn("10 10 m 50 40 l B"))

    assert path.fill is None
    assert points(path) == [[(10, 90), (50, 60)]]


@pytest.mark.parametrize("radius", [1.0, 40.0])
def test_curves_are_flattened_by_their_size(radius: float) -> None:
    k = 0.5523 * radius
    r = radius
    circle = (
        f"1 0 0 1 100 50 cm {r} 0 m {r} {k} {k} {r} 0 {r} c {-k} {r} {-r} {k} {-r} 0 c "
        f"{-r} {-k} {-k} {-r} 0 {-r} c {k} {-r} {r} {-k} {r} 0 c h f"
    )
    (part,) = only_path(drawn(circle)).subpaths

    assert part.is_curve.all()
    assert part.is_closed
    assert 12 <= len(part.points) <= 100
    middles = (part.points[1:] + part.points[:-1]) / 2
    distances = np.hypot(*(middles - (100, 50)).T)
    assert np.abs(distances - radius).max() < 0.025 * min(radius, 2)


def test_a_curve_without_a_bend_is_a_line() -> None:
    (part,) = only_path(drawn("10 10 m 20 20 30 30 40 40 c S")).subpaths

    assert len(part.points) == 2
    assert not part.is_curve.any()


def test_dots_are_lines_without_length_that_have_round_ends() -> None:
    path = only_path(drawn("4 w 1 J 30 30 m 30 30 l S 0 J 60 30 m 60 30 l S"))

    assert path.cap == "round"
    assert points(path) == [[(30, 70), (30, 70)]]


def test_what_a_rectangle_clips_is_cut() -> None:
    path = only_path(drawn("q 50 20 100 60 re W n 10 50 m 190 50 l S 10 10 m 190 10 l S Q"))

    assert points(path) == [[(50, 50), (150, 50)]]
    assert not path.is_clipped


def test_a_stroke_that_leaves_its_clip_comes_back_as_a_new_subpath() -> None:
    path = only_path(drawn("q 0 40 200 30 re W n 10 50 m 50 90 l 90 50 l S Q"))

    assert points(path) == [[(10, 50), (30, 30)], [(70, 30), (90, 50)]]


def test_an_area_that_leaves_its_clip_ends_at_its_edge() -> None:
    path = only_path(drawn("q 0 0 100 100 re W n 80 40 50 20 re f Q"))

    assert near(path.bbox, (80, 40, 100, 60))
    assert path.subpaths[0].is_closed


def test_a_clip_that_is_no_rectangle_marks_what_it_may_hide() -> None:
    path = only_path(drawn("q 50 0 m 150 0 l 100 100 l h W n 0 50 m 200 50 l S Q"))

    assert path.is_clipped
    assert near(path.bbox, (50, 50, 150, 50))


def test_what_lies_beyond_the_page_is_cut() -> None:
    path = only_path(drawn("-1000 50 m 1000 50 l S 10 300 m 20 300 l S"))

    assert points(path) == [[(0, 50), (200, 50)]]


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("/Rotate 90", [(10, 20), (10, 60)]),
        ("/Rotate 180", [(180, 10), (140, 10)]),
        ("/Rotate 270", [(90, 180), (90, 140)]),
        ("/CropBox[20 0 120 60]", [(0, 50), (40, 50)]),
        ("/UserUnit 2", [(40, 180), (120, 180)]),
    ],
)
def test_places_are_those_of_the_displayed_page(page: str, wanted: list[tuple[float, float]]) -> None:
    data = pdf_of("20 10 m 60 10 l S", page=page)
    path = only_path(read_drawing(open_page(data)))

    assert points(path) == [wanted]


def test_forms_within_forms_are_read_at_their_place() -> None:
    outer = stream(
        "q 1 0 0 1 5 5 cm /In Do Q",
        "/Type/XObject/Subtype/Form/BBox[0 0 90 90]/Resources<</XObject<</In 6 0 R>>>>",
    )
    inner = stream("0 0 m 10 0 l S", "/Type/XObject/Subtype/Form/BBox[-1 -1 20 20]/Matrix[2 0 0 2 0 0]")
    path = only_path(drawn("q 1 0 0 1 10 10 cm /Out Do Q", "/XObject<</Out 5 0 R>>", (outer, inner)))

    assert points(path) == [[(15, 85), (35, 85)]]
    assert path.width == pytest.approx(2)


def test_a_gradient_is_an_area_of_its_mean_color() -> None:
    path = only_path(drawn("/Pattern cs /G scn 0 40 m 200 40 l 200 42 l 0 42 l h f", GRADIENT))

    assert path.is_shaded
    assert points(path)[0][:2] == [(0, 60), (200, 60)]
    assert path.fill is not None
    assert np.allclose(path.fill, (0.5, 0, 0.5), atol=0.05)


def test_a_stroke_with_a_gradient_is_a_stroke() -> None:
    path = only_path(drawn("/Pattern CS /G SCN 3 w 20 50 m 180 50 l S", GRADIENT))

    assert path.stroke is not None
    assert path.width == pytest.approx(3)
    assert points(path) == [[(20, 50), (180, 50)]]


def test_a_pattern_is_repeated_over_its_area_while_it_is_coarse() -> None:
    cell = stream(
        "0 5 m 20 5 l S",
        "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 20 50]/XStep 20/YStep 50/Resources<<>>",
    )
    drawing = drawn("/Pattern cs /P scn 40 0 80 100 re f", "/Pattern<</P 5 0 R>>", (cell,))

    assert len(drawing.paths) == 8
    assert {round(path.bbox[1]) for path in drawing.paths} == {45, 95}
    assert min(path.bbox[0] for path in drawing.paths) == 40


def test_a_fine_pattern_is_one_area() -> None:
    cell = stream(
        "1 0 0 rg 0 0 .5 .5 re f",
        "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 1/YStep 1/Resources<<>>",
    )
    path = only_path(drawn("/Pattern cs /P scn 0 0 200 100 re f", "/Pattern<</P 5 0 R>>", (cell,)))

    assert near(path.bbox, (0, 0, 200, 100))
    assert path.fill == (1.0, 0.0, 0.0)


def test_what_an_opaque_image_or_rectangle_hides_is_not_there() -> None:
    image = stream(
        "\xff", "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"
    )
    drawing = drawn(
        "20 20 m 40 40 l S 120 20 m 140 40 l S 60 50 m 190 50 l S "
        "q 50 0 0 50 10 10 cm /I Do Q 1 g 110 10 40 40 re f 20 15 m 45 15 l S",
        "/XObject<</I 5 0 R>>",
        (image,),
    )

    assert [points(path) for path in drawing.paths if path.stroke] == [
        [[(60, 50), (190, 50)]],
        [[(20, 85), (45, 85)]],
    ]
    assert [image.is_opaque for image in drawing.images] == [True]
    assert [path.is_white for path in drawing.paths] == [False, True, False]


def test_an_image_with_a_mask_and_a_transparent_rectangle_hide_nothing() -> None:
    image = stream(
        "\xff",
        "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/SMask 6 0 R",
    )
    mask = stream(
        "\x80", "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"
    )
    drawing = drawn(
        "20 20 m 40 40 l S 120 20 m 140 40 l S q 50 0 0 50 10 10 cm /I Do Q /T gs 110 10 40 40 re f",
        "/XObject<</I 5 0 R>>/ExtGState<</T<</ca 0.5>>>>",
        (image, mask),
    )

    assert [path.stroke is not None for path in drawing.paths] == [True, True, False]
    assert drawing.paths[2].opacity == pytest.approx(0.5)


def test_a_highlight_that_multiplies_hides_nothing() -> None:
    drawing = drawn("20 20 m 40 40 l S /M gs 1 1 0 rg 10 10 40 40 re f", "/ExtGState<</M<</BM/Multiply>>>>")

    assert [path.stroke is not None for path in drawing.paths] == [True, False]


def test_optional_content_that_is_off_is_not_there() -> None:
    catalog = "/OCProperties<</OCGs[5 0 R 6 0 R]/D<</OFF[5 0 R]>>>>"
    drawing = drawn(
        "/OC /Off BDC 10 10 m 20 20 l S EMC /OC /On BDC 50 10 m 60 10 l S EMC",
        "/Properties<</Off 5 0 R/On 6 0 R>>",
        ("<</Type/OCG/Name(off)>>", "<</Type/OCG/Name(on)>>"),
        catalog=catalog,
    )

    assert points(only_path(drawing)) == [[(50, 90), (60, 90)]]


def test_colors_of_other_spaces_are_red_green_and_blue() -> None:
    cyan, gray = drawn("1 0 0 0 K 10 10 m 20 10 l S .5 G 10 20 m 20 20 l S").paths

    assert cyan.stroke is not None
    assert cyan.stroke[0] < 0.3 < cyan.stroke[2]
    assert gray.stroke == pytest.approx((0.5, 0.5, 0.5), abs=0.01)


def test_what_is_wholly_transparent_is_not_there() -> None:
    assert not drawn("/T gs 10 10 m 20 10 l S", "/ExtGState<</T<</CA 0>>>>").paths


def test_annotations_are_drawn_as_the_picture_shows_them() -> None:
    look = stream("0 0 m 30 0 l S", "/Type/XObject/Subtype/Form/BBox[0 -1 30 1]")
    page = "/Annots[<</Type/Annot/Subtype/Stamp/Rect[50 49 80 51]/F 4/AP<</N 5 0 R>>>>]"
    path = only_path(drawn("", objects=(look,), page=page))

    assert points(path) == [[(50, 50), (80, 50)]]


def test_order_counts_paths_text_and_images_together() -> None:
    image = stream(
        "\xff", "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"
    )
    drawing = drawn(
        "10 10 m 20 10 l S q 5 0 0 5 100 10 cm /I Do Q BT /F 10 Tf 30 30 Td (x) Tj ET "
        "q 0 0 100 100 re W n 10 40 m 20 40 l S Q",
        "/XObject<</I 5 0 R>>/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>",
        (image,),
    )
    first, last = drawing.paths

    assert first.order < drawing.images[0].order < drawing.glyphs[0].order < last.order


def test_a_box_of_the_page_has_what_touches_it() -> None:
    page = open_page(pdf_of("10 50 m 60 50 l S 120 50 m 190 50 l S"))

    assert points(only_path(read_drawing(page, (0, 0, 100, 100)))) == [[(10, 50), (60, 50)]]
    assert len(read_drawing(page).paths) == 2


def test_a_page_with_too_much_is_cut_short_but_a_part_of_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_reader, "MAX_PATHS", 50)
    content = "".join(f"{x} 10 m {x} 20 l S " for x in range(190)) + "100 80 m 150 80 l S"
    page = open_page(pdf_of(content))
    whole, part = read_drawing(page), read_drawing(page, (90, 10, 160, 30))

    assert not whole.is_complete
    assert len(whole.paths) <= 51
    assert part.is_complete
    assert points(only_path(part)) == [[(100, 20), (150, 20)]]


def test_a_drawing_is_the_same_in_another_process() -> None:
    resources = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    data = pdf_of(
        "1 0 0 RG 2 w 10 10 m 20 10 l 30 40 50 60 70 10 c S 50 50 20 20 re f BT /F 10 Tf (aba) Tj ET",
        resources,
    )
    here = read_drawing(open_page(data))
    with open_source(data) as source:
        (page,) = source.pages()
        there = page.inside(read_drawing, None)

    assert fields(there) == fields(here) == fields(pickle.loads(pickle.dumps(here)))
    assert there.glyphs[0].shape is there.glyphs[2].shape


def fields(drawing: Drawing) -> list[Any]:
    """All that it says, as lists."""

    def plain(thing: Any) -> Any:
        if isinstance(thing, np.ndarray):
            return thing.tolist()
        if hasattr(thing, "__slots__") and not isinstance(thing, tuple):
            return [plain(getattr(thing, name)) for name in type(thing).__slots__]
        if isinstance(thing, tuple):
            return [plain(item) for item in thing]
        return thing

    return [plain(getattr(drawing, name)) for name in ("bbox", "paths", "glyphs", "images", "is_complete")]


def test_the_picture_of_an_image_file_draws_nothing() -> None:
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("RGB", (40, 30), "white").save(file, "png")
    with open_source(file.getvalue()) as source:
        (page,) = source.pages()

        assert (
            page.inside(read_drawing, None) == Drawing(page.bbox) or not page.inside(read_drawing, None).paths
        )
