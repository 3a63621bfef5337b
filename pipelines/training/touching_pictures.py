"""Pictures of molecules to learn letters from that touch bonds, drawn so that each letter's box is known.

Bonds end before a label, at it, or within it; letters are of any font for text. The picture is drawn large
and made small, blurred, and mostly brought to black and white, as scans and facsimiles are.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis.fonts import covers, face, pick
from docai.pipelines.synthesis.molecule.parts import from_list, joined

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

_ZOOM: Final = 4
"""Pixels that are drawn for each of the picture."""

_ENDS: Final = (
    *(
        "CH3",
        "CH3",
        "Me",
        "Et",
        "iPr",
        "tBu",
        "Ph",
        "C2H5",
        "C3H7",
        "C4H9",
        "C5H11",
        "C6H5",
        "C6H13",
        "C8H17",
    ),
    *(
        "CF3",
        "CN",
        "NO2",
        "NH2",
        "NHCH3",
        "OH",
        "OMe",
        "OCH3",
        "OC2H5",
        "CH2OH",
        "CHO",
        "COCH3",
        "CO2H",
        "COOH",
    ),
    *("CO2Me", "CO2Et", "CONH2", "SO2", "SO3H", "SCH3", "Si", "TBS", "Boc", "PMB", "Br", "Cl", "I", "F"),
    *("R", "R1", "R2", "R3", "R4", "R5"),
)
"""Labels at ends of chains."""

_LETTERS: Final = "CHNOSFPBIMRTElrieohtucunyz0123456789"
"""What a face must have."""


class DrawnLetter(NamedTuple):
    """A letter, and its box in pixels of the picture."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(slots=True, eq=False)
class TouchingPicture:
    """A picture ``(H, W)`` in gray, and its letters."""

    gray: NDArray[np.uint8]
    letters: list[DrawnLetter] = field(default_factory=list)
    cap: float = 0.0
    """Height of its capitals, pixels."""


def draw_pictures(seed: int) -> Iterator[TouchingPicture]:
    """Pictures without end."""
    rng = random.Random(seed)
    while True:
        size = rng.randint(5, 18)
        smiles = joined(rng, size, True) if rng.random() < 0.7 else from_list(rng, size, True)
        if smiles is not None and (picture := _draw(smiles, rng)) is not None:
            yield picture


def _laid_out(smiles: str, rng: random.Random) -> tuple[Mol, NDArray[np.float64]] | None:
    """The molecule, and its atoms' places in bond lengths, y down."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumBonds() == 0:
        return None
    Chem.Kekulize(mol, clearAromaticFlags=True)
    rdDepictor.Compute2DCoords(mol)
    places = np.array(mol.GetConformer().GetPositions())[:, :2] / 1.5
    turn = np.radians(rng.choice((0, 30, 90)) if rng.random() < 0.7 else rng.uniform(0, 360))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return mol, places @ matrix


def _label(atom: Atom, middles: float, rng: random.Random) -> str:
    """What is written at an atom; empty for a mere corner.

    Args:
        middles: the mean direction of its bonds, x of the unit vectors.
    """
    symbol, n_hydrogens, degree = str(atom.GetSymbol()), atom.GetTotalNumHs(), atom.GetDegree()
    if symbol == "C" and degree == 1 and rng.random() < 0.5:
        return rng.choice(_ENDS)
    if symbol == "C" and rng.random() > 0.06:
        return ""
    hydrogens = "" if n_hydrogens == 0 else "H" + (str(n_hydrogens) if n_hydrogens > 1 else "")
    return hydrogens + symbol if middles > 0.3 and hydrogens else symbol + hydrogens


def _draw(smiles: str, rng: random.Random) -> TouchingPicture | None:
    laid_out = _laid_out(smiles, rng)
    if laid_out is None:
        return None
    mol, places = laid_out
    bond = float(np.exp(rng.uniform(np.log(16), np.log(60))))
    cap = max(bond * rng.uniform(0.3, 0.52), 6.5)
    stroke = max(cap * rng.uniform(0.07, 0.22), 0.9)
    pad = cap * rng.uniform(-0.3, 0.15)
    margin = 2.5 * cap
    points = (places - places.min(axis=0)) * bond + margin
    width, height = (int(side) for side in np.ceil(points.max(axis=0) + margin))
    if width * height > 600_000:
        return None
    canvas = np.zeros((height * _ZOOM, width * _ZOOM), np.uint8)
    letters: list[DrawnLetter] = []
    boxes: list[tuple[float, float] | None] = []
    name = pick(rng, upright=rng.random() < 0.9, system=rng.random() < 0.5)
    if not covers(name, _LETTERS):
        return None
    for atom, (x, y) in zip(mol.GetAtoms(), points, strict=True):
        around = [points[other.GetIdx()] - (x, y) for other in atom.GetNeighbors()]
        text = _label(atom, float(np.mean([d[0] / max(np.hypot(*d), 1e-6) for d in around])), rng)
        if text and not (written := _write(canvas, text, atom.GetSymbol(), (x, y), cap, name)):
            return None
        if text:
            first = written[_main(text, atom.GetSymbol())]
            boxes.append(((first.x1 - first.x0) / 2, (first.y1 - first.y0) / 2))
            letters += written
        else:
            boxes.append(None)
    for link in mol.GetBonds():
        i, j = link.GetBeginAtomIdx(), link.GetEndAtomIdx()
        begin, end = (
            _trimmed(points[i], points[j], boxes[i], pad),
            _trimmed(points[j], points[i], boxes[j], pad),
        )
        _draw_bond(canvas, begin, end, int(link.GetBondTypeAsDouble()), stroke, bond, rng)
    return TouchingPicture(_degraded(canvas, rng), letters, cap)


def _main(text: str, symbol: str) -> int:
    """Which letter of a label its bonds are to."""
    return text.find(symbol) if text.startswith("H") and symbol != "H" and symbol in text else 0


def _write(
    canvas: NDArray[np.uint8], text: str, symbol: str, at: tuple[float, float], cap: float, name: str
) -> list[DrawnLetter]:
    """Write a label whose main letter is at an atom; empty where the font cannot."""
    from PIL import Image, ImageDraw

    tall = face(name, 200)
    _, y0, _, y1 = tall.ink("H")
    if y1 <= y0:
        return []
    large = face(name, max(round(200 * cap * _ZOOM / (y1 - y0)), 4))
    small = face(name, max(round(0.72 * 200 * cap * _ZOOM / (y1 - y0)), 4))
    fonts = [small if letter.isdigit() else large for letter in text]
    lefts = np.concatenate([[0.0], np.cumsum([f.advance(one) for f, one in zip(fonts, text, strict=True)])])
    main = _main(text, symbol)
    bx0, by0, bx1, by1 = fonts[main].ink(text[main])
    origin_x = at[0] * _ZOOM - lefts[main] - (bx0 + bx1) / 2
    origin_y = at[1] * _ZOOM - (by0 + by1) / 2
    shown = Image.fromarray(canvas)
    pen = ImageDraw.Draw(shown)
    found = []
    for k, (font, letter) in enumerate(zip(fonts, text, strict=True)):
        x = float(origin_x + lefts[k])
        y = float(origin_y + (large.ascent - small.ascent + 0.28 * cap * _ZOOM if font is small else 0))
        pen.text((x, y), letter, fill=255, font=font.font)
        b = font.ink(letter)
        found.append(DrawnLetter(letter, *(v / _ZOOM for v in (x + b[0], y + b[1], x + b[2], y + b[3]))))
    canvas[:] = np.asarray(shown)
    return found


def _trimmed(
    at: NDArray[np.float64], other: NDArray[np.float64], box: tuple[float, float] | None, pad: float
) -> NDArray[np.float64]:
    """Where a bond to an atom ends: at the edge of its letter, farther out by ``pad``."""
    if box is None:
        return at
    way = other - at
    half = np.maximum(np.array(box) + pad, 0.5)
    share = float(np.min(half / np.maximum(np.abs(way), 1e-6)))
    return at + way * min(share, 0.6)


def _draw_bond(
    canvas: NDArray[np.uint8],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    order: int,
    stroke: float,
    bond: float,
    rng: random.Random,
) -> None:
    way = end - begin
    length = float(np.hypot(*way))
    if length < 1:
        return
    normal = np.array([-way[1], way[0]]) / length
    gap = bond * rng.uniform(0.11, 0.2)
    kind = rng.random() if order == 1 else 1.0
    if kind < 0.06:
        wide = normal * 0.5 * gap * rng.uniform(0.8, 1.5)
        _fill(canvas, [begin, end + wide, end - wide])
    elif kind < 0.1:
        n_dashes = max(4, round(length / (2.6 * stroke)))
        for k in range(n_dashes):
            middle, half = begin + way * (k + 0.5) / n_dashes, normal * 0.5 * gap * (k + 1) / n_dashes
            _line(canvas, middle - half, middle + half, 0.9 * stroke)
    elif order == 1:
        _line(canvas, begin, end, stroke)
    elif order == 2 and rng.random() < 0.6:
        side = normal * gap * rng.choice((-1, 1))
        _line(canvas, begin, end, stroke)
        _line(canvas, begin + side + 0.12 * way, end + side - 0.12 * way, stroke)
    else:
        for at in (-0.5, 0.5) if order == 2 else (-1, 0, 1):
            _line(canvas, begin + at * gap * normal, end + at * gap * normal, stroke)


def _line(
    canvas: NDArray[np.uint8], begin: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    way = (end - begin) / max(float(np.hypot(*(end - begin))), 1e-6)
    side = np.array([-way[1], way[0]]) * width / 2
    along = way * width / 2
    _fill(canvas, [begin - along + side, end + along + side, end + along - side, begin - along - side])


def _fill(canvas: NDArray[np.uint8], corners: list[NDArray[np.float64]]) -> None:
    polygon = np.rint(np.array(corners) * _ZOOM * 16).astype(np.int32)
    cv2.fillConvexPoly(canvas, polygon, 255, cv2.LINE_AA, 4)


def _degraded(canvas: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """The picture, small, dark on light."""
    noise = np.random.default_rng(rng.getrandbits(32))
    small = cv2.resize(canvas, None, fx=1 / _ZOOM, fy=1 / _ZOOM, interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    if rng.random() < 0.5:
        small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.3, 1.0))
    small = small + noise.normal(0, rng.choice((0.0, 6.0, 18.0)), small.shape).astype(np.float32)
    if rng.random() < 0.7:
        small = np.where(small > rng.uniform(60, 150), 255.0, 0.0).astype(np.float32)
    return np.asarray(255 - np.clip(small, 0, 255), np.uint8)
