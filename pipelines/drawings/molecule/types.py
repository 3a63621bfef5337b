"""What a drawing of molecules consists of, between strokes and atoms. Lengths are points of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.ingest.drawing import Point

BondStyle = Literal["plain", "wedge", "hash", "wavy", "bold", "dashed", "dative"]
"""``wedge`` and ``hash`` begin at their narrow end; ``hash`` is also a row of bars of one length."""


@dataclass(slots=True, eq=False)
class BondMark:
    """One bond as drawn, whatever number of strokes it took."""

    begin: Point
    end: Point
    order: int
    """1, 2 or 3."""
    style: BondStyle = "plain"
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of its strokes."""


@dataclass(slots=True, eq=False)
class LabelMark:
    """Letters that are read together as the label of an atom or group, with what is raised and lowered."""

    letters: list[Letter]
    """In reading order: lines from the top, each from the left."""
    scripts: list[int]
    """For each letter 1 raised, -1 lowered, 0 neither."""
    lines: list[int]
    """For each letter the number of its line, from 0: ``NH`` over ``N`` has two."""
    bbox: BBox


@dataclass(slots=True, eq=False)
class Attachment:
    """Where a bond meets a label."""

    point: Point
    direction: Point
    """Unit vector from the label along the bond."""
    bond: int
    """Index of the bond."""


@dataclass(slots=True, eq=False)
class LabelAtom:
    """One atom that a label stands for."""

    symbol: str
    """Of an element, or ``*`` for a label that is kept as such, in ``label``."""
    charge: int = 0
    isotope: int = 0
    n_hydrogens: int | None = None
    """Hydrogens that the label writes; None where it does not say."""
    radicals: int = 0
    label: str = ""
    """Text of the abbreviation or R-group that a ``*`` stands for, as the label tables know it."""
    letters: tuple[int, ...] = ()
    """Indices in ``LabelMark.letters``."""


@dataclass(slots=True, eq=False)
class LabelStructure:
    """What a label stands for: its atoms, the bonds between them, and which atom each attachment is to."""

    atoms: list[LabelAtom]
    bonds: list[tuple[int, int, int]] = field(default_factory=list)
    """First atom, second atom, order."""
    attached: list[int] = field(default_factory=list)
    """For each attachment the index of its atom."""
    score: float = 1.0
    problems: list[str] = field(default_factory=list)
    """What could not be made out, in sentences a person understands."""
