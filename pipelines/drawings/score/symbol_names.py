"""Which music symbol a glyph of a font is, by its code, its name, and the name of its font.

Fonts that follow SMuFL say it by code points of the private use area; LilyPond's say it by the names of their
glyphs. Older ones have the codes of ordinary letters, which say nothing: these are told by their outlines.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from docai.pipelines.ingest.drawing import GlyphShape

_TABLE: Final = Path(__file__).parent / "smufl_names.json"
"""Names of SMuFL 1.4 by code point, of the ranges that common notation uses."""

MUSIC_FONTS: Final = re.compile(
    r"""^(?: anastasia | aruvarb | bravura | broadway\s?copyist | capella | chaconne | crescendo | denemo
    | ekmelos | emmentaler | engraver | feta | gonville | gootville | helsinki | inkpen2 | jazz(?:font|perc)?
    | leipzig | leland | maestro | mscore | musejazz | musisync | nepomuk | november | opus | parnasso
    | petaluma | petrucci | reprise | sebastian | sonata | swing | tamburo | toccata | xsonata
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""How names of fonts begin that hold music, not letters."""

TEXT_FONTS: Final = re.compile(
    r"text|chord|figured|roman|special$|metronome|lyric|title|cond|japan|plainchant|note ?names",
    re.IGNORECASE,
)
"""What the names of their companions for letters have."""

_LILYPOND_NAMES: Final = MappingProxyType(
    {
        "rests.M3": "restMaxima",
        "rests.M2": "restLonga",
        "rests.M1": "restDoubleWhole",
        "rests.M1o": "restDoubleWholeLegerLine",
        "rests.0": "restWhole",
        "rests.0o": "restWholeLegerLine",
        "rests.1": "restHalf",
        "rests.1o": "restHalfLegerLine",
        "rests.2": "restQuarter",
        "rests.2classical": "restQuarterOld",
        "rests.2z": "restQuarterZ",
        **{f"rests.{n}": f"rest{2**n}{'nd' if n == 5 else 'th'}" for n in range(3, 11)},
        **{f"flags.u{n}": f"flag{2**n}{'nd' if n == 5 else 'th'}Up" for n in range(3, 11)},
        **{f"flags.d{n}": f"flag{2**n}{'nd' if n == 5 else 'th'}Down" for n in range(3, 11)},
        "flags.ugrace": "graceNoteSlashStemUp",
        "flags.dgrace": "graceNoteSlashStemDown",
        "noteheads.uM2": "noteheadDoubleWholeSquare",
        "noteheads.dM2": "noteheadDoubleWholeSquare",
        "noteheads.sM1": "noteheadDoubleWhole",
        "noteheads.sM1double": "noteheadDoubleWhole",
        "noteheads.s0": "noteheadWhole",
        "noteheads.s1": "noteheadHalf",
        "noteheads.s2": "noteheadBlack",
        "noteheads.s0diamond": "noteheadDiamondWhole",
        "noteheads.s1diamond": "noteheadDiamondHalf",
        "noteheads.s2diamond": "noteheadDiamondBlack",
        "noteheads.s0harmonic": "noteheadDiamondWhite",
        "noteheads.s2harmonic": "noteheadDiamondBlack",
        "noteheads.s0triangle": "noteheadTriangleUpWhole",
        "noteheads.s1triangle": "noteheadTriangleUpHalf",
        "noteheads.s2triangle": "noteheadTriangleUpBlack",
        "noteheads.s0slash": "noteheadSlashWhiteWhole",
        "noteheads.s1slash": "noteheadSlashWhiteHalf",
        "noteheads.s2slash": "noteheadSlashHorizontalEnds",
        "noteheads.s0cross": "noteheadXWhole",
        "noteheads.s1cross": "noteheadXHalf",
        "noteheads.s2cross": "noteheadXBlack",
        "noteheads.s2xcircle": "noteheadCircleX",
        "accidentals.sharp": "accidentalSharp",
        "accidentals.natural": "accidentalNatural",
        "accidentals.flat": "accidentalFlat",
        "accidentals.flatflat": "accidentalDoubleFlat",
        "accidentals.doublesharp": "accidentalDoubleSharp",
        "accidentals.leftparen": "accidentalParensLeft",
        "accidentals.rightparen": "accidentalParensRight",
        "accidentals.sharp.slashslash.stem": "accidentalQuarterToneSharpStein",
        "accidentals.sharp.slashslash.stemstemstem": "accidentalThreeQuarterTonesSharpStein",
        "accidentals.mirroredflat": "accidentalQuarterToneFlatStein",
        "accidentals.mirroredflat.flat": "accidentalThreeQuarterTonesFlatZimmermann",
        "clefs.G": "gClef",
        "clefs.GG": "gClef8vbOld",
        "clefs.tenorG": "gClef8vbCClef",
        "clefs.F": "fClef",
        "clefs.C": "cClef",
        "clefs.varC": "cClef",
        "clefs.percussion": "unpitchedPercussionClef1",
        "clefs.varpercussion": "unpitchedPercussionClef2",
        "clefs.tab": "6stringTabClef",
        "timesig.C44": "timeSigCommon",
        "timesig.C22": "timeSigCutCommon",
        "dots.dot": "augmentationDot",
        "brackettips.up": "bracketTop",
        "brackettips.down": "bracketBottom",
        "pedal.*": "keyboardPedalUp",
        "pedal.P": "keyboardPedalP",
        "pedal.d": "keyboardPedalD",
        "pedal.e": "keyboardPedalE",
        "pedal..": "keyboardPedalDot",
        "pedal.M": "keyboardPedalHyphen",
        "pedal.Ped": "keyboardPedalPed",
        "scripts.sforzato": "articAccentAbove",
        "scripts.espr": "articSoftAccentAbove",
        "scripts.staccato": "articStaccatoAbove",
        "scripts.ustaccatissimo": "articStaccatissimoAbove",
        "scripts.dstaccatissimo": "articStaccatissimoBelow",
        "scripts.tenuto": "articTenutoAbove",
        "scripts.uportato": "articTenutoStaccatoAbove",
        "scripts.dportato": "articTenutoStaccatoBelow",
        "scripts.umarcato": "articMarcatoAbove",
        "scripts.dmarcato": "articMarcatoBelow",
        "scripts.ufermata": "fermataAbove",
        "scripts.dfermata": "fermataBelow",
        "scripts.ushortfermata": "fermataShortAbove",
        "scripts.dshortfermata": "fermataShortBelow",
        "scripts.uveryshortfermata": "fermataVeryShortAbove",
        "scripts.dveryshortfermata": "fermataVeryShortBelow",
        "scripts.ulongfermata": "fermataLongAbove",
        "scripts.dlongfermata": "fermataLongBelow",
        "scripts.uverylongfermata": "fermataVeryLongAbove",
        "scripts.dverylongfermata": "fermataVeryLongBelow",
        "scripts.uhenzeshortfermata": "fermataShortHenzeAbove",
        "scripts.dhenzeshortfermata": "fermataShortHenzeBelow",
        "scripts.uhenzelongfermata": "fermataLongHenzeAbove",
        "scripts.dhenzelongfermata": "fermataLongHenzeBelow",
        "scripts.thumb": "stringsThumbPosition",
        "scripts.open": "brassMuteOpen",
        "scripts.halfopen": "brassMuteHalfClosed",
        "scripts.halfopenvertical": "brassMuteHalfClosed",
        "scripts.stopped": "brassMuteClosed",
        "scripts.upbow": "stringsUpBow",
        "scripts.downbow": "stringsDownBow",
        "scripts.flageolet": "stringsHarmonic",
        "scripts.snappizzicato": "pluckedSnapPizzicatoAbove",
        "scripts.turn": "ornamentTurn",
        "scripts.reverseturn": "ornamentTurnInverted",
        "scripts.slashturn": "ornamentTurnSlash",
        "scripts.haydnturn": "ornamentHaydn",
        "scripts.trill": "ornamentTrill",
        "scripts.trill_element": "wiggleTrill",
        "scripts.prall": "ornamentShortTrill",
        "scripts.mordent": "ornamentMordent",
        "scripts.prallprall": "ornamentTremblement",
        "scripts.prallmordent": "ornamentPrecompMordentUpperPrefix",
        "scripts.upprall": "ornamentPrecompSlideTrillBach",
        "scripts.downprall": "ornamentPrecompCadenceUpperPrefix",
        "scripts.upmordent": "ornamentPrecompSlideTrillDAnglebert",
        "scripts.downmordent": "ornamentPrecompDoubleCadenceUpperPrefix",
        "scripts.prallup": "ornamentPrecompTrillSuffixDandrieu",
        "scripts.pralldown": "ornamentPrecompTrillLowerSuffix",
        "scripts.lineprall": "ornamentPrecompAppoggTrill",
        "scripts.segno": "segno",
        "scripts.varsegno": "segnoSerpent1",
        "scripts.coda": "coda",
        "scripts.varcoda": "codaSquare",
        "scripts.arpeggio": "wiggleArpeggiatoUp",
        "scripts.caesura.curved": "caesuraCurved",
        "scripts.caesura.straight": "caesura",
        "scripts.tickmark": "breathMarkTick",
        "scripts.upedalheel": "keyboardPedalHeel1",
        "scripts.dpedalheel": "keyboardPedalHeel2",
        "scripts.upedaltoe": "keyboardPedalToe1",
        "scripts.dpedaltoe": "keyboardPedalToe2",
        **{f"scripts.{side}{kind}comma": "breathMarkComma" for side in "lr" for kind in ("", "var", "alt")},
    }
)
"""Names of Emmentaler and Feta, the fonts of LilyPond, since version 2.4."""

_PLAIN_NAMES: Final = MappingProxyType(
    {
        **{
            word: f"timeSig{n}"
            for n, word in enumerate(
                ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
            )
        },
        "plus": "timeSigPlus",
        "f": "dynamicForte",
        "p": "dynamicPiano",
        "m": "dynamicMezzo",
        "r": "dynamicRinforzando",
        "s": "dynamicSforzando",
        "z": "dynamicZ",
        "n": "dynamicNiente",
    }
)
"""Ordinary names that are music in a font of LilyPond."""

_LILYPOND_FONTS: Final = re.compile(r"emmentaler|feta|gonville|lilypond|parmesan|aybabtu", re.IGNORECASE)

_CODE_NAME: Final = re.compile(r"^u(?:ni)?([0-9A-Fa-f]{4})$")
"""Names that say a code point: ``uniE0A4``."""

_LILYPOND_VARIANT: Final = re.compile(
    r"^(?:fattened\.|fixedwidth\.)+|_change$|\.(?:figbass|alt|fixedwidth)$|(?:Thin|Funk|Walker|Mirror)$"
)
"""What LilyPond adds for variants of one symbol; a smaller clef is told by its size."""

_VARIANT: Final = re.compile(
    r"(?:Small|Large|Oversized|Narrow|Straight|Short|Alt|Change|Old|Tall|Serif|Light|NoDot)+$"
)
"""What names of SMuFL's recommended alternates end in."""


_SONATA_CODES: Final = MappingProxyType(
    {
        **{ord(str(digit)): f"timeSig{digit}" for digit in range(10)},
        ord("#"): "accidentalSharp",
        ord("%"): "segno",
        ord("&"): "gClef",
        ord("-"): "articTenutoAbove",
        ord("."): "augmentationDot",
        ord(">"): "articAccentAbove",
        ord("?"): "fClef",
        ord("B"): "cClef",
        ord("C"): "timeSigCutCommon",
        ord("J"): "flag8thDown",
        ord("R"): "flag16thDown",
        ord("U"): "fermataAbove",
        ord("V"): "gClef8vb",
        ord("W"): "noteheadDoubleWhole",
        ord("^"): "articMarcatoAbove",
        ord("b"): "accidentalFlat",
        ord("c"): "timeSigCommon",
        ord("f"): "dynamicForte",
        ord("j"): "flag8thUp",
        ord("k"): "augmentationDot",
        ord("n"): "accidentalNatural",
        ord("p"): "dynamicPiano",
        ord("r"): "flag16thUp",
        ord("u"): "fermataBelow",
        ord("v"): "articMarcatoBelow",
        ord("w"): "noteheadWhole",
        0xA8: "rest32nd",
        0xB7: "restWhole",
        0xBA: "accidentalDoubleFlat",
        0xC5: "rest16th",
        0xCE: "restQuarter",
        0xCF: "noteheadBlack",
        0xDC: "accidentalDoubleSharp",
        0xE3: "restDoubleWhole",
        0xE4: "rest8th",
        0xEE: "restHalf",
        0xF4: "rest64th",
        0xFA: "noteheadHalf",
    }
)
"""Codes of Sonata, the first music font for PostScript, which Petrucci, Maestro and Opus took over."""


def sonata_name(text: str) -> str:
    """What a character means in a font with the codes of Sonata; empty for none that all of them share.

    Text layers show these codes as letters of Mac OS Roman or of Windows, or in Windows' area for symbols.
    """
    if len(text) != 1:
        return ""
    if "\uf000" <= text <= "\uf0ff":
        return _SONATA_CODES.get(ord(text) - 0xF000, "")
    for encoding in ("mac_roman", "cp1252"):
        code = text.encode(encoding, "ignore")
        if code and code[0] in _SONATA_CODES:
            return _SONATA_CODES[code[0]]
    return ""


@cache
def smufl_names() -> dict[int, str]:
    """Names by code point."""
    table: dict[str, str] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {int(code, 16): name for code, name in table.items()}


@cache
def _known_names() -> frozenset[str]:
    return frozenset(smufl_names().values())


def is_music_font(font: str) -> bool:
    """Whether a font of that name holds music symbols on ordinary codes."""
    return bool(MUSIC_FONTS.search(font)) and not TEXT_FONTS.search(font)


def symbol_name(shape: GlyphShape, text: str) -> str:
    """SMuFL's name of a glyph, as far as codes and names tell it; empty where they do not.

    Args:
        text: its character in the text layer.
    """
    named = _by_glyph_name(shape)
    if named:
        return named
    return smufl_names().get(ord(text), "") if len(text) == 1 else ""


def _by_glyph_name(shape: GlyphShape) -> str:
    name = shape.name
    if not name or name.isdigit():
        return ""
    code = _CODE_NAME.match(name)
    if code:
        return smufl_names().get(int(code[1], 16), "")
    if "." in name:
        while (plain := _LILYPOND_VARIANT.sub("", name)) != name:
            name = plain
    if name in _LILYPOND_NAMES:
        return _LILYPOND_NAMES[name]
    if _LILYPOND_FONTS.search(shape.font):
        if name in _PLAIN_NAMES:
            return _PLAIN_NAMES[name]
        if re.fullmatch(r"brace\d+", name):
            return "brace"
    return base_name(name) if base_name(name) in _known_names() and len(name) > 4 else ""


def base_name(name: str) -> str:
    """The symbol that a stylistic alternate stands for: ``timeSig4Large`` is ``timeSig4``."""
    if name in _known_names():
        return name
    base = _VARIANT.sub("", name)
    return base if base in _known_names() else name
