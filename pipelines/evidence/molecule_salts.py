"""What is written beside a structure and belongs to it: acids, ions and solvents (``HCl``, ``2 Na+``).

Programs that read structures leave it out or take it for atoms. It is read by PP-OCR, and by the rules for
labels of drawings; a caption or a number is no formula and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.label_reader import read_free_label
from docai.pipelines.drawings.molecule.types import DrawnGraph, LabelMark, NodeMark
from docai.pipelines.evidence.molecule_answers import quietly_parsed
from docai.pipelines.evidence.molecule_picture import MoleculePicture, WrittenText
from docai.pipelines.external import ppocr
from docai.pipelines.external.programs import ReaderError

MAX_TEXTS: Final = 6
"""Lines beside a structure that are read; more of them are a page."""

MAX_LINE_HEIGHT: Final = 2.2
"""Letter heights of one line, with what is raised and lowered."""

MAX_LINE_LENGTH: Final = 14.0
"""Letter heights of a formula, at most."""

SHOWN_HEIGHT: Final = 32
"""Pixels to which a line is scaled for PP-OCR."""

SECONDS: Final = 20.0

_IONS: Final = {
    "Cl": -1,
    "Br": -1,
    "I": -1,
    "F": -1,
    "Na": 1,
    "K": 1,
    "Li": 1,
    "Mg": 2,
    "Ca": 2,
    "Zn": 2,
    "Al": 3,
}
"""Atoms that stand alone as ions, with their charge."""

_LOOK_ALIKES: Final = (
    ("CI", "Cl"),
    ("C1", "Cl"),
    ("HC|", "HCl"),
    ("8r", "Br"),
    ("H20", "H2O"),
    ("S04", "SO4"),
)

_LEADING: Final = re.compile(r"^[\s.,:;·•∙⋅*xX×']+(?=\w)")

_SIGNS: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00af\u203e_~\u207b", "-")
    | dict(zip("\u207a\u00b9\u00b2\u00b3", "+123", strict=True))
)

_IODIDE: Final = re.compile(r"[I1l|]{1,2}-?")
"""What an ``I`` with a raised minus is taken for, beside a cation."""

_SIGN_FIRST: Final = re.compile(r"([+-])([A-Za-z1|]{1,2})")
"""An ion whose sign, which stands above the end of its letters, is read before them."""

_WRITTEN: Final = re.compile(r"(?:\d\s*)?[A-Z(][\w()+-]*", re.ASCII)
"""A number and one formula, without spaces in it."""

MAX_COPIES: Final = 4
"""Of a structure in brackets, by the charges beside it."""


def read_texts(picture: MoleculePicture) -> tuple[str, ...]:
    """What is written beside the structures, line by line; empty where PP-OCR is not installed, or fails."""
    height, letter = MAX_LINE_HEIGHT * picture.letter_height, picture.letter_height
    lines = [
        text
        for text in picture.texts
        if text.box[3] - text.box[1] <= height and text.box[2] - text.box[0] <= MAX_LINE_LENGTH * letter
    ]
    if not lines or len(lines) > MAX_TEXTS or ppocr.missing() is not None:
        return ()
    return _read_lines(tuple(lines))


@lru_cache(maxsize=16)
def _read_lines(lines: tuple[WrittenText, ...]) -> tuple[str, ...]:
    shown = [_shown(line.gray) for line in lines]
    width = max(one.shape[1] for one in shown)
    sheet = np.full((sum(one.shape[0] for one in shown), width), 255, np.uint8)
    rows, y = [], 0
    for one in shown:
        sheet[y : y + one.shape[0], : one.shape[1]] = one
        rows.append((y, y + one.shape[0]))
        y += one.shape[0]
    picture = np.ascontiguousarray(np.stack([sheet] * 3, axis=-1))
    try:
        words = ppocr.read_words(picture, letter_height=0.7 * SHOWN_HEIGHT, seconds=SECONDS)
    except ReaderError:
        # What is beside the structure is then as unknown as without PP-OCR.
        return ()
    found = []
    for top, bottom in rows:
        mine = [word for word in words if top <= 0.5 * (word.box[1] + word.box[3]) < bottom]
        found.append(" ".join(word.text for word in sorted(mine, key=lambda word: word.box[0])))
    return tuple(text for text in found if text)


def _shown(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A line at the size that PP-OCR reads well, with white around it."""
    import cv2

    scale = SHOWN_HEIGHT / max(1, gray.shape[0] - 20)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=method)
    return np.asarray(np.pad(scaled, SHOWN_HEIGHT // 2, constant_values=255), np.uint8)


def salts_of_texts(texts: Sequence[str], charge: int) -> list[str]:
    """SMILES of what the texts name, ions and molecules each as often as written.

    Args:
        texts: as read beside the structure.
        charge: of the structure: a lone ``I`` beside a cation is iodide, and a number else.
    """
    found: list[str] = []
    for text in texts:
        found += _formula(text, charge)
    return found


def _formula(text: str, charge: int) -> list[str]:
    plain = _LEADING.sub("", text.strip()).translate(_SIGNS)
    for misread, meant in _LOOK_ALIKES:
        plain = plain.replace(misread, meant)
    if charge and (raised := _SIGN_FIRST.fullmatch(plain)) and (raised[1] == "-") == (charge > 0):
        plain = raised[2] + raised[1]
    if charge > 0 and _IODIDE.fullmatch(plain):
        plain = "I"
    ion = re.fullmatch(r"(?:([2-9])\s*)?([A-Z][a-z]?)\s*(\d?[+-]\d?|)", plain)
    if ion and ion[2] in _IONS:
        value = _IONS[ion[2]]
        sign = "+" if value > 0 else "-"
        # A symbol without its charge is an ion where the structure has the opposite one.
        if ion[3] or charge * value < 0:
            size = "" if abs(value) == 1 else str(abs(value))
            return [f"[{ion[2]}{sign}{size}]"] * int(ion[1] or 1)
        return []
    if not _WRITTEN.fullmatch(plain):
        return []
    label = _line(plain.replace(" ", ""))
    structure = read_free_label(label) if label.letters else None
    if structure is None:
        return []
    graph = DrawnGraph([NodeMark((0.0, 0.0), label, structure)], [], 1.0, label.bbox)
    content = describe_graph(graph).content
    smiles = content.smiles if content is not None else None
    return smiles.split(".") if smiles and "*" not in smiles else []


def _line(text: str) -> LabelMark:
    letters = [
        Letter(sign, (0.7 * at, 0.0, 0.7 * (at + 1), 0.7), 1.0, 0.7, at) for at, sign in enumerate(text)
    ]
    box = (0.0, 0.0, 0.7 * max(len(text), 1), 0.7)
    return LabelMark(letters, [0] * len(letters), [0] * len(letters), box)


def with_salts(smiles: str, texts: Sequence[str]) -> str:
    """The structure with what is written beside it; itself where that is nothing, or is drawn in it too."""
    from rdkit import Chem

    mol = quietly_parsed(smiles)
    if mol is None:
        return smiles
    salts = [
        salt for salt in salts_of_texts(texts, Chem.GetFormalCharge(mol)) if quietly_parsed(salt) is not None
    ]
    if not salts:
        return smiles
    charge = Chem.GetFormalCharge(mol)
    beside = sum(Chem.GetFormalCharge(quietly_parsed(salt)) for salt in salts)
    # Brackets around a structure are not read, but their number follows from the charges.
    copies = -beside // charge if charge and beside % charge == 0 else 1
    parts = [smiles] * (copies if 1 <= copies <= MAX_COPIES else 1)
    canonical: str = Chem.MolToSmiles(quietly_parsed(".".join((*parts, *salts))))
    return canonical
