from __future__ import annotations

import pytest

from docai.pipelines.drawings.score.symbol_names import (
    base_name,
    is_music_font,
    sonata_name,
    symbol_name,
)
from docai.pipelines.ingest.drawing import GlyphShape


def shape(name: str = "", font: str = "F1") -> GlyphShape:
    return GlyphShape(font, 1, name, ())


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("\ue0a4", "noteheadBlack"),
        ("\ue050", "gClef"),
        ("\ue4e6", "rest8th"),
        ("\ue262", "accidentalSharp"),
        ("\ue880", "tuplet0"),
        ("\ueca5", "metNoteQuarterUp"),
    ],
)
def test_code_points_of_smufl_say_the_symbol(code: str, name: str) -> None:
    assert symbol_name(shape("12"), code) == name


@pytest.mark.parametrize(
    ("glyph", "name"),
    [
        ("noteheads.s2", "noteheadBlack"),
        ("noteheads.s0", "noteheadWhole"),
        ("noteheads.s2cross", "noteheadXBlack"),
        ("rests.0", "restWhole"),
        ("rests.5", "rest32nd"),
        ("rests.1o", "restHalfLegerLine"),
        ("flags.d4", "flag16thDown"),
        ("flags.u5", "flag32ndUp"),
        ("clefs.G_change", "gClef"),
        ("accidentals.flatflat", "accidentalDoubleFlat"),
        ("scripts.ufermata", "fermataAbove"),
        ("timesig.C22", "timeSigCutCommon"),
        ("uniE0A3", "noteheadHalf"),
        ("uE0A2", "noteheadWhole"),
        ("noteheadBlack", "noteheadBlack"),
    ],
)
def test_names_of_glyphs_say_the_symbol_where_codes_do_not(glyph: str, name: str) -> None:
    assert symbol_name(shape(glyph), "\ufffd") == name


def test_ordinary_names_are_music_in_fonts_of_lilypond_alone() -> None:
    assert symbol_name(shape("four", "Emmentaler-20"), "4") == "timeSig4"
    assert symbol_name(shape("fattened.fixedwidth.four", "Emmentaler-20"), "4") == "timeSig4"
    assert symbol_name(shape("f", "Emmentaler-20"), "f") == "dynamicForte"
    assert symbol_name(shape("brace181", "Emmentaler-Brace"), "") == "brace"
    assert symbol_name(shape("four", "Times-Roman"), "4") == ""
    assert symbol_name(shape("f", "Times-Roman"), "f") == ""


@pytest.mark.parametrize("text", ["a", "", "\ufffd", "♪", "\uf0cf", "ffi"])
def test_other_codes_say_nothing(text: str) -> None:
    assert symbol_name(shape("7"), text) == ""


@pytest.mark.parametrize(
    ("font", "is_music"),
    [
        ("Maestro", True),
        ("OpusStd", True),
        ("Petrucci", True),
        ("MScore", True),
        ("Inkpen2", True),
        ("OpusTextStd", False),
        ("Opus-Chords", False),
        ("MaestroTimes-Roman", False),
        ("TimesNewRomanPSMT", False),
        ("Helvetica", False),
        ("Edwin-Roman", False),
        ("", False),
    ],
)
def test_a_font_is_of_music_by_its_name(font: str, is_music: bool) -> None:
    assert is_music_font(font) is is_music


def test_a_variant_is_the_symbol_that_it_stands_for() -> None:
    assert base_name("timeSig4Large") == "timeSig4"
    assert base_name("gClefSmall") == "gClef"
    assert base_name("rest8th") == "rest8th"
    assert base_name("ornamentOfNobody") == "ornamentOfNobody"


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        ("œÏ\uf0cf", "noteheadBlack"),
        ("˙ú\uf0fa", "noteheadHalf"),
        ("ŒÎ\uf0ce", "restQuarter"),
        ("‰ä\uf0e4", "rest8th"),
        ("&\uf026", "gClef"),
        ("4", "timeSig4"),
    ],
)
def test_codes_of_sonata_are_known_in_each_way_that_a_text_layer_shows_them(texts: str, name: str) -> None:
    assert [sonata_name(text) for text in texts] == [name] * len(texts)


@pytest.mark.parametrize("text", ["", "ab", "\u4e00", "é", "\U0001f3b5"])
def test_other_characters_are_no_codes_of_sonata(text: str) -> None:
    assert sonata_name(text) == ""
