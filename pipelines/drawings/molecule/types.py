"""What a drawing of molecules consists of, between strokes and atoms. Lengths are points of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from docai.contents import Issue, MoleculeContent
from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.ingest.drawing import Point

BondStyle = Literal["plain", "wedge", "hash", "wavy", "bold", "dashed", "dative"]
"""``wedge`` and ``hash`` begin at their narrow end; ``hash`` is also a row of bars of one length."""

LARGE_SIGN: Final = 0.38
"""Bond lengths; the shorter side of a plus sign that is no charge, at least, where nothing is written."""

LARGER_THAN_LETTERS: Final = 1.15
"""The same in heights of the usual capital, where there is one."""


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
    axes: list[tuple[Point, Point]] = field(default_factory=list)
    """Of a double bond the axes that it may have, likeliest first: between its lines, or one of them."""
    slack: float = 0.0
    """How far beyond its ends an atom may stand, points: the bars of a hash need not reach it."""
    in_circle: bool = False
    """One of its two lines is dashed: aromatic."""
    is_crossed: bool = False
    """A double bond whose lines cross."""
    is_even: bool = False
    """A hash of bars of one length, whose narrow end is not to be seen."""


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
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of circles around its charges, of radical dots and of lone pairs."""


@dataclass(slots=True, eq=False)
class Attachment:
    """Where a bond meets a label."""

    point: Point
    direction: Point
    """Unit vector from the label along the bond."""
    bond: int
    """Index of the bond."""
    order: int = 1
    """Of the bond."""


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
    """Indices in ``LabelMark.letters`` of its symbol or name, without hydrogens, charge and isotope."""


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


@dataclass(slots=True, eq=False)
class NodeMark:
    """A place where bonds meet or end: a carbon atom that is not written, or a label."""

    point: Point
    """Where its bonds meet; of a label the middle of the letters where they do."""
    label: LabelMark | None = None
    structure: LabelStructure | None = None
    """What the label stands for; None for a carbon atom that is not written."""


@dataclass(slots=True, eq=False)
class BondLink:
    """A bond of the graph, between two nodes."""

    begin: int
    """Index of a node; of a wedge or hash the one at its narrow end, of a dative bond the donor."""
    end: int
    order: int
    style: BondStyle = "plain"
    begin_atom: int = 0
    """Index in ``LabelStructure.atoms`` of the node ``begin``; 0 for a carbon atom that is not written."""
    end_atom: int = 0
    """The same of the node ``end``."""
    in_circle: bool = False
    """In a ring with a circle inside: aromatic, and drawn without its double bonds."""
    is_crossed: bool = False
    """A double bond whose two lines cross, or with a wavy bond at one end: its geometry is not known."""
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of its strokes."""


@dataclass(slots=True, eq=False)
class DrawnGraph:
    """One structure, or several beside each other as of a salt, as drawn. The y axis points down."""

    nodes: list[NodeMark]
    links: list[BondLink]
    bond_length: float
    """Of most of its bonds, points; of a structure without bonds estimated from its letters."""
    bbox: BBox
    own_length: float = 0.0
    """Middle length of its own bonds, points; 0 of one with few bonds."""
    brackets: list[BBox] = field(default_factory=list)
    """Around each pair of brackets that is drawn with strokes, such as those of a polymer or an ion."""
    loose: list[LabelMark] = field(default_factory=list)
    """Labels beside it that no bond ends at, and that are no atom of it: the ``n`` or charge of a bracket,
    ``(R)`` at a stereo center, numbers of atoms."""
    used: float = 1.0
    """Share of the strokes in its box that are bonds, rings or brackets, weighted by their length."""
    unexplained: list[BBox] = field(default_factory=list)
    """Strokes and letters in its box that nothing above accounts for."""
    problems: list[str] = field(default_factory=list)
    """What could not be made out, in sentences a person understands."""


@dataclass(slots=True, eq=False)
class MoleculeReading:
    """One structure read from a drawing."""

    bbox: BBox
    content: MoleculeContent | None
    """None where the graph is no molecule."""
    confidence: float
    """Probability that the structure is that of the drawing."""
    method: str
    """How ``confidence`` was come to, in words."""
    issues: list[Issue] = field(default_factory=list)
    graph: DrawnGraph | None = None
    used: float = 1.0
    """Share of strokes and letters in its box that are explained, weighted by length."""
