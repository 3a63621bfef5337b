"""The one door to Verovio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docai.pipelines.external import engraving
from docai.pipelines.external.engraving import engrave

pytest.importorskip("verovio", reason="scores are engraved with docai[synth]")

KERN = "**kern\n*clefG2\n*M4/4\n4c\n4d\n4e\n4f\n*-\n"


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    engraving.close()
    yield
    engraving.close()


def test_a_drawing_does_not_depend_on_the_one_before() -> None:
    first = engrave(KERN)
    other = engrave(KERN, {"breaks": "auto", "pageWidth": 2000, "pageHeight": 60000, "scale": 40})
    assert first is not None
    assert other not in (None, first)
    assert engrave(KERN) == first
