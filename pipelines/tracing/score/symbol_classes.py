"""The music symbols that are found in pictures, by their names in SMuFL, and how large they are.

Symbols that look alike and are told by their place are one class; only dots are three, since the finder sees
their place. Plain strokes (stems, beams, bar lines, ledger lines) and letters are none.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

CLASSES: Final = (
    *("noteheadBlack", "noteheadHalf", "noteheadWhole", "noteheadDoubleWhole", "noteheadXBlack"),
    *("noteheadDiamondBlack", "noteheadDiamondHalf", "gClef", "gClef8vb", "fClef", "cClef"),
    *("unpitchedPercussionClef1", "accidentalSharp", "accidentalFlat", "accidentalNatural"),
    *("accidentalDoubleSharp", "accidentalDoubleFlat", "accidentalParensLeft", "accidentalParensRight"),
    *("restDoubleWhole", "restWhole", "restHalf", "restQuarter", "rest8th", "rest16th", "rest32nd"),
    *("rest64th", "flag8thUp", "flag16thUp", "flag32ndUp", "flag64thUp", "flag8thDown", "flag16thDown"),
    *("flag32ndDown", "flag64thDown", "augmentationDot", "articStaccatoAbove", "repeatDot", "timeSig0"),
    *("timeSig1", "timeSig2", "timeSig3", "timeSig4", "timeSig5", "timeSig6", "timeSig7", "timeSig8"),
    *("timeSig9", "timeSigCommon", "timeSigCutCommon", "tuplet2", "tuplet3", "tuplet4", "tuplet5"),
    *("tuplet6", "tuplet7", "tuplet8", "tuplet9", "fermataAbove", "fermataBelow", "ornamentTrill"),
    *("ornamentTurn", "ornamentTurnInverted", "ornamentShortTrill", "ornamentMordent"),
    *("articAccentAbove", "articMarcatoAbove", "articMarcatoBelow", "articTenutoAbove"),
    *("articStaccatissimoAbove", "articStaccatissimoBelow", "segno", "coda", "keyboardPedalPed"),
    "keyboardPedalUp",
)
"""Names in SMuFL, in the order of the network's outputs."""

SAME_LOOK: Final = MappingProxyType(
    {
        "articStaccatoBelow": "articStaccatoAbove",
        "articAccentBelow": "articAccentAbove",
        "articTenutoBelow": "articTenutoAbove",
        "restQuarterOld": "restQuarter",
        "restQuarterZ": "restQuarter",
        "restWholeLegerLine": "restWhole",
        "restHalfLegerLine": "restHalf",
        "ornamentTremblement": "ornamentShortTrill",
        "noteheadDoubleWholeSquare": "noteheadDoubleWhole",
        "noteheadDiamondWhite": "noteheadDiamondHalf",
        "gClef8vbOld": "gClef8vb",
        "segnoSerpent1": "segno",
        "codaSquare": "coda",
        "repeatDots": "repeatDot",
    }
)
"""Other symbols that are found under the name of one of :data:`CLASSES`."""

DOTS: Final = ("augmentationDot", "articStaccatoAbove", "repeatDot")
"""Classes that differ by their place alone."""

NORMAL_HEIGHTS: Final = MappingProxyType(
    {
        "noteheadBlack": 1.06,
        "noteheadHalf": 1.06,
        "noteheadWhole": 1.06,
        "noteheadDoubleWhole": 1.24,
        "noteheadXBlack": 1.0,
        "gClef": 7.0,
        "gClef8vb": 7.9,
        "fClef": 3.2,
        "cClef": 4.05,
        "accidentalSharp": 2.8,
        "accidentalFlat": 2.45,
        "accidentalNatural": 2.75,
        "accidentalDoubleSharp": 1.0,
        "accidentalDoubleFlat": 2.45,
        "restQuarter": 3.0,
        "rest8th": 1.75,
        "rest16th": 2.75,
        "rest32nd": 3.75,
        "rest64th": 4.75,
    }
)
"""Heights in staff spaces of symbols of the normal size, the middle of the known fonts. Heads of harmonics
are left out: fonts disagree on how large they are, and they are no grace notes."""


def class_of(name: str) -> int | None:
    """Index in :data:`CLASSES` of a symbol by its name in SMuFL; None for what is not found in pictures."""
    name = SAME_LOOK.get(name, name)
    return _INDEX.get(name)


_INDEX: Final = MappingProxyType({name: index for index, name in enumerate(CLASSES)})
