"""The families that text is drawn in, where Debian's packages of fonts are installed."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from docai.pipelines.synthesis import fonts


def test_forty_families_are_drawn_from() -> None:
    names = {Path(name).stem for name in fonts.system_faces()}
    if not {"Vollkorn-Regular", "EBGaramond12-Regular"} & names:
        pytest.skip("the fonts of .ci/run are not installed (fonts-vollkorn, fonts-ebgaramond and others)")
    rng = random.Random(1)
    drawn = {fonts.pick(rng, system=True, split=None) for _ in range(4000)}
    families = {fonts.design(name) for name in drawn if fonts.covers(name, string.ascii_letters)}
    assert len(families) >= 40


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (("FreeSans", "FreeSansBold", "FreeSansBoldOblique"), "FreeSans"),
        (("Courier Prime", "Courier Prime Bold Italic"), "Courier Prime"),
        (("LinLibertine_R", "LinLibertine_RBI", "LinLibertine_DR"), "LinLibertine"),
        (("Tuffy_Bold", "tuffy_bold_italic", "tuffy_regular"), "Tuffy"),
        (("GFSDidot", "GFSDidotBoldItalic"), "GFSDidot"),
        (("Karla-Bold", "Karla[wght]"), "Karla"),
    ],
)
def test_faces_named_without_a_hyphen_are_one_family_too(names: tuple[str, ...], family: str) -> None:
    assert {fonts.design(f"/x/{name}.ttf") for name in names} == {family}
