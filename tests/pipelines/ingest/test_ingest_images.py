"""Image files as pages: upright, on white, in the right size."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from docai.errors import DamagedSourceError
from docai.pipelines.ingest import open_source
from tests.pipelines.pictures import BLUE, GREEN, RED, WHITE, corners, encode, first_render, near


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners().transpose(undo[orientation]) if orientation in undo else corners()
    exif = Image.Exif()
    exif[274] = orientation
    with open_source(encode(stored, kind, exif=exif)) as source, source.page(1) as page:
        assert page.image_size == (40, 20)
        assert (page.width, page.height) == (40, 20)
        image = page.render()
    assert image.size == (40, 20)
    points = ((5, 3), RED), ((34, 3), GREEN), ((5, 16), BLUE), ((34, 16), WHITE)
    assert all(near(image.getpixel(point), color, 60) for point, color in points)


def test_broken_exif_is_ignored() -> None:
    data = encode(corners(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\xff\xff")
    assert first_render(data).size == (40, 20)


@pytest.mark.parametrize(
    ("image", "kind", "save"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG", {}),
        (Image.new("LA", (8, 8), (0, 0)), "PNG", {}),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "WEBP", {"lossless": True}),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "TIFF", {}),
        (Image.new("P", (8, 8), 0), "PNG", {"transparency": 0}),
        (Image.new("RGB", (8, 8), "black"), "PNG", {"transparency": (0, 0, 0)}),
        (Image.new("L", (8, 8), 0), "PNG", {"transparency": 0}),
        (Image.new("1", (8, 8), 1), "PNG", {}),
        (Image.new("1", (8, 8), 1), "TIFF", {"compression": "group4"}),
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", {}),
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "TIFF", {}),
        (Image.new("I;16", (8, 8), 65535), "PNG", {}),
        (Image.new("I;16", (8, 8), 65535), "TIFF", {}),
        (Image.new("F", (8, 8), 1.0), "TIFF", {}),
        (Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF", {}),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_what_should_be_white_is_white(image: Image.Image, kind: str, save: dict[str, Any]) -> None:
    rendered = first_render(encode(image, kind, **save))
    assert rendered.mode == "RGB"
    assert np.asarray(rendered).min() >= 250


def test_half_transparent_ink_is_blended_with_white() -> None:
    rendered = first_render(encode(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG"))
    assert near(rendered.getpixel((4, 4)), (127, 127, 127), 2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_its_middle_tones(kind: str) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    rendered = np.asarray(first_render(encode(Image.fromarray(ramp), kind)))[..., 0]
    assert np.abs(rendered.astype(int) - (ramp // 257)).max() <= 1


def test_palette_and_cmyk_colors() -> None:
    palette = corners().quantize(8)
    assert near(first_render(encode(palette, "PNG")).getpixel((4, 4)), RED, 4)
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert near(first_render(encode(cmyk, "TIFF")).getpixel((4, 4)), RED, 60)


def test_an_icc_profile_that_does_not_fit_is_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cmyk = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    assert np.asarray(first_render(encode(cmyk, "TIFF", icc_profile=profile))).min() >= 250


@pytest.mark.parametrize(
    ("dpi", "wanted"), [((300, 300), 300), ((1, 1), 72), ((99999, 99999), 72), ((0, 0), 72), (None, 72)]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_points_follow_a_sane_resolution(kind: str, dpi: Any, wanted: float) -> None:
    data = encode(Image.new("L", (300, 150), 255), kind, **({"dpi": dpi} if dpi else {}))
    with open_source(data) as source, source.page(1) as page:
        assert page.dpi == pytest.approx(wanted, rel=0.01)
        assert page.width == pytest.approx(300 * 72 / wanted, rel=0.01)
        assert page.native_scale(page.bbox) == page.dpi / 72


def test_oblong_pixels_of_a_fax_become_square() -> None:
    fax = Image.new("L", (204, 98), 255)
    with open_source(encode(fax, "TIFF", dpi=(204, 98))) as source, source.page(1) as page:
        assert page.width == pytest.approx(72, abs=0.5)
        assert page.height == pytest.approx(72, abs=0.5)
        assert page.render(scale=page.native_scale(page.bbox)).size == page.image_size


def test_frames_of_a_tiff_are_pages_and_other_frames_are_not() -> None:
    frames = [Image.new("RGB", (10 + i, 10), color) for i, color in enumerate((RED, GREEN, BLUE))]
    more = {"save_all": True, "append_images": frames[1:]}
    with open_source(encode(frames[0], "TIFF", **more)) as source:
        shown = [(page.image_size, page.render().getpixel((5, 5))) for page in source.pages()]
    assert shown == [((10, 10), RED), ((11, 10), GREEN), ((12, 10), BLUE)]
    same = [Image.new("RGB", (10, 10), color) for color in (RED, GREEN)]
    for kind in ("PNG", "WEBP", "MPO"):
        with open_source(encode(same[0], kind, save_all=True, append_images=same[1:])) as source:
            assert source.n_pages == 1


def test_a_tiff_cut_off_keeps_its_first_pages() -> None:
    frames = [Image.effect_noise((50, 50), 80) for _ in range(4)]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with open_source(data[: len(data) // 2]) as source:
        assert 1 <= source.n_pages < 4
        with source.page(1) as page:
            assert page.render().size == (50, 50)


def test_a_png_that_is_damaged_inside_is_told() -> None:
    """Its tags are behind its pixels, so that looking for them decodes it."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (200, 300), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[20_000:20_200] = bytes(200)
    with open_source(bytes(data)) as source, source.page(1) as page, pytest.raises(DamagedSourceError):
        page.render()
