"""What a drawing of music consists of, between strokes and notes. Lengths are points of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.ingest.drawing import Point

BarlineKind = Literal[
    "single", "double", "final", "heavy", "dashed", "dotted", "repeat-start", "repeat-end", "repeat-both"
]


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """One music glyph by its name in SMuFL, such as ``noteheadBlack``, ``gClef`` or ``rest8th``."""

    name: str
    bbox: BBox
    origin: Point
    """Of its base line; of an outline without a font where SMuFL has it, estimated from the outline."""
    size: float
    """Points an em, which is four staff spaces; grace notes and cues are smaller."""
    order: int
    score: float = 1.0
    glyph: int | None = None
    """Index in ``Drawing.glyphs``."""
    path: int | None = None
    """Index in ``Drawing.paths``."""
    more_paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of its other pieces, where several paths make one symbol."""


@dataclass(slots=True, eq=False)
class Staff:
    """The lines of one staff in one system."""

    lines: tuple[float, ...]
    """y of each line, from the top; five, and others in tablature and percussion."""
    x0: float
    x1: float
    is_tablature: bool = False

    @property
    def space(self) -> float:
        """Distance of two lines."""
        return (self.lines[-1] - self.lines[0]) / (len(self.lines) - 1) if len(self.lines) > 1 else 0.0


@dataclass(slots=True, eq=False)
class Head:
    """One notehead."""

    name: str
    """In SMuFL."""
    staff: int
    """Index of the staff on which it stands."""
    position: int
    """Half spaces above the bottom line: 0 is on it, 8 on the top line of five, 10 and up on ledger lines."""
    bbox: BBox
    accidental: str = ""
    """As kern writes it: ``#``, ``##``, ``-``, ``--``, ``n``; empty for none before it."""
    n_dots: int = 0


@dataclass(slots=True, eq=False)
class Chord:
    """Noteheads on one stem, or one notehead without a stem."""

    heads: list[Head]
    """From the bottom."""
    x: float
    """Where it stands in time: the middle of its heads on the usual side of the stem."""
    staff: int
    stem: Literal["up", "down", "none"] = "none"
    stem_x: float = 0.0
    n_flags: int = 0
    beams_left: int = 0
    """Beams on the stem that go on to the left."""
    beams_right: int = 0
    """Beams on the stem that go on to the right."""
    beam_group: int | None = None
    """Number of the group of beamed chords that it is in."""
    n_tremolos: int = 0
    is_grace: bool = False
    has_slash: bool = False
    marks: list[Symbol] = field(default_factory=list)
    """Articulations, ornaments and fermatas at it."""
    bbox: BBox = (0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True, eq=False)
class Rest:
    """One rest."""

    name: str
    """In SMuFL: ``restWhole``, ``restQuarter``, …"""
    staff: int
    position: float
    """Half spaces of its middle above the bottom line."""
    x: float
    bbox: BBox
    n_dots: int = 0
    n_measures: int = 0
    """Of a rest over several measures; 0 for others."""
    beam_group: int | None = None
    beams_left: int = 0
    beams_right: int = 0
    marks: list[Symbol] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Clef:
    """A clef; ``kern`` is its interpretation, such as ``*clefG2`` or ``*clefGv2``."""

    kern: str
    staff: int
    x: float
    is_change: bool = False
    """Drawn smaller, within the system."""


@dataclass(slots=True, eq=False)
class KeySignature:
    """The accidentals of a key signature from the left: sign as kern writes it, and half spaces."""

    signs: list[tuple[str, int]]
    staff: int
    x: float


@dataclass(slots=True, eq=False)
class Meter:
    """A time signature; ``kern`` is ``*M3/4``, or ``*met(c)`` and the meter that it means."""

    kern: tuple[str, ...]
    staff: int
    x: float


@dataclass(slots=True, eq=False)
class Barline:
    """A barline of a system, over one or more of its staves."""

    kind: BarlineKind
    x: float
    staves: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Curve:
    """A slur or tie. Its ends are chords by index in ``System.chords``, None beyond the system."""

    begin: Point
    end: Point
    is_above: bool
    """It bulges upward."""
    bbox: BBox
    first: int | None = None
    last: int | None = None
    tied: tuple[tuple[int, int], ...] = ()
    """Of a tie: pairs of heads by index in the first and the last chord."""


@dataclass(slots=True, eq=False)
class Tuplet:
    """The number of a tuplet, with the extent of its bracket where there is one."""

    numbers: tuple[int, ...]
    """``3``, or ``3, 2`` of ``3:2``."""
    staff: int
    x0: float
    x1: float
    y: float
    has_bracket: bool
    beam_group: int | None = None
    """The beamed group that it is at, where it has no bracket."""
    number_x: float | None = None
    """Middle of the number, under or over the middle of its notes."""


@dataclass(slots=True, eq=False)
class Span:
    """A line with text or a symbol over some time: ``8va``, a volta, a hairpin, a pedal."""

    kind: Literal["ottava", "volta", "hairpin", "pedal", "trill", "other"]
    text: str
    staff: int
    x0: float
    x1: float
    y: float


@dataclass(slots=True, eq=False)
class System:
    """One system of music as drawn."""

    bbox: BBox
    staves: list[Staff]
    barlines: list[Barline] = field(default_factory=list)
    chords: list[Chord] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    clefs: list[Clef] = field(default_factory=list)
    keys: list[KeySignature] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    tuplets: list[Tuplet] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    parts: list[tuple[int, ...]] = field(default_factory=list)
    """Staves that a brace joins, as of a piano, from the top; each other staff is a part of its own."""
    texts: list[Letter] = field(default_factory=list)
    """Lyrics, dynamics, fingerings, names: letters that are no music."""
    unexplained: list[BBox] = field(default_factory=list)
    """Strokes and symbols that nothing above accounts for."""
    problems: list[str] = field(default_factory=list)
    """What could not be made out, in sentences a person understands."""
