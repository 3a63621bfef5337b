"""Labels of atoms and groups as programs misread them: characters that look alike are told apart by what
labels there are.

A label that is a known group or element is left as it is. Else it becomes the one known label that looks
the same: ``CFs`` is ``CF3``, ``H9CO`` is ``H3CO``, ``NCCH3l2`` is ``N(CH3)2``.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from docai.parsers.molecule_labels import GROUPS

MIN_LENGTH: Final = 3
"""Of a label that may be another one: two characters look like too many."""

_LOOK_ALIKES: Final = ("3sS98B5", "OoQ0DG", "2Zz", "lI1|)i", "Cc(", "HNnUM", "Ee", "Pp", "Ff", "uv", "tf")
"""Sets of characters that were seen to be taken for each other in small print."""

_NAMES: Final = (
    "CH3 H3C CH2 H2C CH HC C2H5 H5C2 C3H7 H7C3 C4H9 H9C4 C6H5 H5C6 C6H13 C8H17 CH2CH3 H3CH2C CH3CH2 OH HO "
    "NH HN NH2 H2N SH HS OCH3 H3CO CH3O OC2H5 C2H5O H5C2O OCH2CH3 SCH3 H3CS NCH3 H3CN NHCH3 H3CHN N(CH3)2 "
    "(CH3)2N (H3C)2N N(C2H5)2 (C2H5)2N (H5C2)2N N(CH2CH3)2 (CH3CH2)2N C(CH3)3 (CH3)3C (H3C)3C CH(CH3)2 "
    "(CH3)2CH (H3C)2HC CH2OH HOH2C HOCH2 CH2Cl ClH2C CH2Br CO2CH3 H3CO2C COOCH3 H3COOC CO2C2H5 COOC2H5 "
    "C2H5OOC H5C2OOC COCH3 H3COC CH3CO OCOCH3 H3COCO NHCOCH3 H3COCHN CONH2 H2NOC CONHCH3 SO2CH3 H3CO2S "
    "SO2NH2 H2NO2S NHSO2CH3 NO2 O2N NHOH OCF3 F3CO CF3 F3C SCF3 CHF2 COOH HOOC CO2H HO2C CHO OHC Cl Br "
    "OCl COCl ClOC CCl3 Cl3C SO3H HO3S PO3H2 Si(CH3)3 (CH3)3Si (H3C)3Si Si CN NC"
)
"""Formulas that drawings write, beside the table of groups."""


def repair_label(text: str) -> str:
    """The label that a text most likely is; the text itself where nothing known looks like it."""
    known = _labels_by_shape()
    if any(text in labels for labels in known.values()):
        return text
    if len(text) < MIN_LENGTH:
        return text
    alike = known.get(_shape(text), ())
    return alike[0] if len(alike) == 1 else text


@cache
def _labels_by_shape() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for label in dict.fromkeys((*_NAMES.split(), *GROUPS)):
        found[_shape(label)] = (*found.get(_shape(label), ()), label)
    return found


def _shape(text: str) -> str:
    return "".join(
        next((look_alikes[0] for look_alikes in _LOOK_ALIKES if sign in look_alikes), sign) for sign in text
    )
