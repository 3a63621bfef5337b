"""What parsers make of a model's text: the contents of records, which stand alone, without page or model.

A content owns its parts (cells, words, atoms, measures) and its boxes, see :class:`docai.base.Content`.
Boxes are as in :mod:`docai.records`; those of a parser alone are shares 0…1 of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, TypeVar

from pydantic import Field

from docai.base import Content, Data, Place, counted
from docai.geometry import BBox, contains_center, union

ColumnKind = Literal["text", "integer", "number", "percent", "currency", "empty"]

Tie = Literal["start", "continue", "end"]


class Cell(Data):
    """One table cell. ``row`` and ``col`` count from 0 and name its top left grid position."""

    row: int = Field(ge=0, description="Row of its top left corner, from 0.")
    col: int = Field(ge=0, description="Column of its top left corner, from 0.")
    row_span: int = Field(default=1, ge=1, description="Rows that it covers.")
    col_span: int = Field(default=1, ge=1, description="Columns that it covers.")
    text: str = Field(
        default="", description="What is written in it, without footnote marks; empty for an empty cell."
    )
    marks: list[str] = Field(
        default_factory=list,
        description="Footnote marks raised at the end of its text, in ordinary characters; not part of it.",
    )
    is_header: bool = Field(default=False, description="It names columns or rows.")
    bbox: BBox | None = Field(default=None, description="Its box in page points; None where nobody gave one.")
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="Probability that its text is right; None: not measured."
    )

    @property
    def printed(self) -> str:
        """Text and footnote marks in ordinary characters, as one string: what plain transcriptions have."""
        return self.text + ",".join(self.marks)


class Column(Data):
    """What the cells of one column below the head are. Numbers: see ``docai.parsers.numbers``."""

    name: str = Field(default="", description="Texts of the header rows over it, joined by ` / `.")
    kind: ColumnKind = Field(
        default="text",
        description="`text` unless every cell that is not missing is a number, written in one way.",
    )
    unit: str | None = Field(
        default=None, description="As the cells write it: `%`, a currency, `kg`; None without, or for text."
    )
    n_read: int = Field(default=0, ge=0, description="Cells that are numbers by themselves.")
    n_missing: int = Field(default=0, ge=0, description="Cells that are empty, a dash, `n/a` or the like.")
    n_unread: int = Field(default=0, ge=0, description="All other cells.")


class TableContent(Content):
    """A rectangular grid: each position is covered by exactly one cell."""

    part_unit = "cell"

    html: str = Field(default="", description="Canonical HTML of the grid, always rectangular.")
    n_rows: int = Field(default=0, ge=0, description="Rows of the grid.")
    n_cols: int = Field(default=0, ge=0, description="Columns of the grid.")
    cells: list[Cell] = Field(default_factory=list, description="Row by row, from the left.")
    columns: list[Column] = Field(
        default_factory=list, description="From the left; empty in documents before format 1.3."
    )

    @property
    def is_empty(self) -> bool:
        """It has no cell."""
        return not self.cells

    def parts(self) -> list[Cell]:
        """The cells."""
        return self.cells

    def with_confidences(self, values: Sequence[float | None]) -> Self:
        return self.model_copy(update={"cells": _with_confidences(self.cells, values)})

    def map_boxes(self, place: Place) -> Self:
        return self.model_copy(update={"cells": [_moved(cell, place) for cell in self.cells]})

    def parts_within(self, box: BBox) -> Self:
        return self.model_copy(update={"cells": _within(box, self.cells)})

    def brief(self) -> str:
        """Such as ``4 x 3 cells``: rows by columns."""
        return f"{self.n_rows} x {self.n_cols} cells"

    def describe(self) -> str:
        """Size and first row."""
        first = " | ".join(cell.text for cell in self.cells if cell.row == 0)
        return f"{self.n_rows} rows × {self.n_cols} columns: {first}"


class Atom(Data):
    """One atom of a molecule."""

    symbol: str = Field(description="Of the element, such as `Cl`; `*` for a label that is not written out.")
    number: int = Field(ge=1, description="Its number in the mol block, from 1.")
    bbox: BBox | None = Field(
        default=None,
        description="In page points: of its letters, or a small one where its bonds meet; None where nobody "
        "gave one.",
    )
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="Probability that it is right; None: not measured."
    )


class Label(Data):
    """What stands in brackets where SMILES has an atom: a group's name, as drawings have them."""

    text: str = Field(description="As written, without the brackets.")
    kind: Literal["abbreviation", "r-group", "unknown"] = Field(
        description="`abbreviation`: a known group such as Ph; `r-group`: a variable such as R1."
    )
    expanded: bool = Field(default=False, description="Written out as atoms; else it became `*`.")
    atoms: list[int] = Field(
        default_factory=list, description="What it became: numbers in the mol block, from 1."
    )


class Fragment(Data):
    """One connected part of a structure."""

    smiles: str = Field(description="Canonical isomeric SMILES (RDKit).")
    role: Literal["main", "counter-ion", "solvent", "other"] = Field(
        description="`main`: the largest organic part and its like; none where all are salts and solvents."
    )
    charge: int = Field(default=0, description="Sum of its formal charges.")


class Stereo(Data):
    """What could have a configuration, what has one, and what was written and is none."""

    centres: int = Field(default=0, ge=0, description="Atoms that can have a configuration.")
    centres_specified: int = Field(default=0, ge=0, description="Those of them that have one, R or S.")
    bonds: int = Field(default=0, ge=0, description="Double bonds that can be E or Z.")
    bonds_specified: int = Field(default=0, ge=0, description="Those of them that are one of both.")
    dropped: int = Field(
        default=0, ge=0, description="Marks (`@`, `/`, `\\`) of the text where no configuration is."
    )


class MoleculeContent(Content):
    """A chemical structure. The chemistry fields are None or empty where the SMILES is not valid."""

    part_unit = "atom"

    smiles: str | None = Field(default=None, description="Canonical isomeric SMILES (RDKit).")
    smiles_labelled: str | None = Field(
        default=None, description="The same with the labels as they were written, such as `C[Ph]`."
    )
    labels: list[Label] = Field(default_factory=list, description="In the order of the model's text.")
    inchi: str | None = Field(default=None, description="Standard InChI; None where an atom is `*`.")
    inchikey: str | None = Field(default=None, description="Hash of the InChI, 27 characters.")
    formula: str | None = Field(default=None, description="Hill notation.")
    weight: float | None = Field(
        default=None, ge=0, description="Average molecular weight, g/mol; None where an atom is `*`."
    )
    exact_mass: float | None = Field(
        default=None, ge=0, description="Monoisotopic mass, Da; None where an atom is `*`."
    )
    charge: int | None = Field(default=None, description="Sum of the formal charges.")
    fragments: list[Fragment] = Field(default_factory=list, description="Sorted by their SMILES.")
    stereo: Stereo | None = Field(default=None, description="None where the SMILES is not valid.")
    molblock: str | None = Field(
        default=None,
        description="Mol block with 2-D coordinates: V2000, or V3000 where there are dative bonds. Those "
        "of a structure read from a drawing are points of the page, with y up and 0 at its top.",
    )
    atoms: list[Atom] = Field(default_factory=list, description="In the order of the SMILES.")
    is_valid: bool = Field(default=False, description="RDKit reads the SMILES as a structure.")

    @property
    def is_empty(self) -> bool:
        """It has no structure."""
        return self.smiles is None

    def parts(self) -> list[Atom]:
        """The atoms."""
        return self.atoms

    def with_confidences(self, values: Sequence[float | None]) -> Self:
        return self.model_copy(update={"atoms": _with_confidences(self.atoms, values)})

    def map_boxes(self, place: Place) -> Self:
        return self.model_copy(update={"atoms": [_moved(atom, place) for atom in self.atoms]})

    def parts_within(self, box: BBox) -> Self:
        if all(atom.bbox is None for atom in self.atoms):
            return self
        return self.model_copy(update={"atoms": _within(box, self.atoms)})

    def brief(self) -> str:
        """The formula, or that there is none."""
        return self.formula or "no valid structure"

    def describe(self) -> str:
        """Formula and SMILES."""
        return f"{self.formula}  {self.smiles}" if self.smiles and self.is_valid else "no structure"


class Measure(Data):
    """The notes between two barlines, as lines of ``kern``, counted from 1."""

    first_line: int = Field(ge=1, description="Its first line.")
    last_line: int = Field(ge=1, description="Its last line, which is its own too.")
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="Probability that its notes are right; None: not measured."
    )


class Event(Data):
    """One note or rest. Each note of a chord is one; times are exact, in quarter notes.

    A fraction is written ``7/2``, a whole number ``3``; ``fractions.Fraction`` reads both.
    """

    kind: Literal["note", "rest"] = Field(description="A rest has no pitch.")
    line: int = Field(ge=1, description="Line of `kern`, from 1.")
    spine: int = Field(ge=1, description="Number of the kern spine, from the left.")
    voice: int = Field(ge=1, description="Number of the part of a split spine, from the left.")
    staff: int = Field(ge=1, description="Number of the staff: as `*staff` says, else from the top.")
    measure: int = Field(ge=1, description="Place in `measures`, from 1.")
    chord: int = Field(default=0, ge=0, description="Place in its chord, from 1; 0: no chord.")
    onset: str = Field(description="Time since the start of the passage, such as `7/2`.")
    duration: str = Field(description="How long it lasts; `0` for a grace note.")
    pitch: str | None = Field(default=None, description="In scientific notation: C4, F#5, Bb3. None: rest.")
    midi: int | None = Field(default=None, ge=0, le=127, description="MIDI's number of the pitch.")
    accidental: str = Field(default="", description="As kern writes it: `#`, `--`, `n`.")
    dots: int = Field(default=0, ge=0, description="Augmentation dots.")
    tuplet: str | None = Field(default=None, description="Such as `3:2`: three in the time of two.")
    grace: bool = Field(default=False, description="A grace note, which takes no time.")
    tie: Tie | None = Field(default=None, description="To the next note (start), from the last (end), both.")
    slurs: str = Field(
        default="", description="Begun and ended here: `(`, `)`, `&(` and `&)` where two overlap."
    )
    beams: str = Field(default="", description="As kern writes them: `L`, `J`, `K`, `k`.")
    signs: str = Field(default="", description="Articulations, ornaments, stems: all other kern signs.")


class ScoreContent(Content):
    """A passage of music in Humdrum ``**kern``."""

    part_unit = "measure"

    kern: str = Field(default="", description="Humdrum `**kern`, one line for each moment.")
    musicxml: str | None = Field(
        default=None,
        description="MusicXML 4.0 up to the first invalid line; None without notes or where it failed.",
    )
    n_spines: int = Field(default=0, ge=0, description="Spines of notes, `**kern`; others are not counted.")
    n_measures: int = Field(default=0, ge=0, description="Measures with notes or rests.")
    measures: list[Measure] = Field(default_factory=list, description="In the order of `kern`.")
    events: list[Event] = Field(
        default_factory=list, description="Notes and rests by line, then from left to right."
    )
    is_valid: bool = Field(default=False, description="The kern holds notes, and was read without an error.")

    @property
    def is_empty(self) -> bool:
        """It has no kern text."""
        return not self.kern.strip()

    def parts(self) -> list[Measure]:
        """The measures."""
        return self.measures

    def with_confidences(self, values: Sequence[float | None]) -> Self:
        return self.model_copy(update={"measures": _with_confidences(self.measures, values)})

    def brief(self) -> str:
        """Such as ``8 measures``."""
        return counted(self.n_measures, "measure") + ("" if self.is_valid else ", not valid")

    def describe(self) -> str:
        """Size and kern."""
        state = "" if self.is_valid else ", not valid"
        size = f"{counted(self.n_measures, 'measure')} in {counted(self.n_spines, 'spine')}"
        return f"{size}{state}: {' '.join(self.kern.split())}"


class Word(Data):
    """One word with its box."""

    text: str = Field(description="Without white space around it.")
    bbox: BBox | None = Field(default=None, description="Its box in page points; None where nobody gave one.")
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="Probability that its text is right; None: not measured."
    )


class Line(Data):
    """One line of text; ``text`` is its words joined by the spaces that belong between them."""

    text: str = Field(
        description="Its words, in the order in which they are read; in code with the spaces before them."
    )
    bbox: BBox | None = Field(
        default=None, description="The box around those of its words; None without any."
    )
    words: list[Word] = Field(default_factory=list, description="In the order in which they are read.")
    direction: Literal["ltr", "rtl"] = Field(
        default="ltr", description="`rtl`: its first word is the rightmost, as in Arabic and Hebrew."
    )


def box_of_words(words: Sequence[Word]) -> BBox | None:
    """The smallest box around those of the words; None where none has one."""
    boxes = [word.bbox for word in words if word.bbox is not None]
    return union(boxes) if boxes else None


class TextContent(Content):
    """Lines in reading order."""

    part_unit = "word"

    text: str = Field(default="", description="Lines joined by newlines.")
    lines: list[Line] = Field(default_factory=list, description="In the order in which they are read.")

    @property
    def is_empty(self) -> bool:
        """It has no line."""
        return not self.lines

    def parts(self) -> list[Word]:
        """The words of all lines."""
        return [word for line in self.lines for word in line.words]

    def with_confidences(self, values: Sequence[float | None]) -> Self:
        words = iter(_with_confidences(self.parts(), values))
        lines = [line.model_copy(update={"words": [next(words) for _ in line.words]}) for line in self.lines]
        return self.model_copy(update={"lines": lines})

    def map_boxes(self, place: Place) -> Self:
        """See :meth:`Content.map_boxes`; the box of a line is that around its words."""
        return self.model_copy(update={"lines": [_moved_line(line, place) for line in self.lines]})

    def parts_within(self, box: BBox) -> Self:
        """See :meth:`Content.parts_within`; lines keep their texts."""
        lines = [line.model_copy(update={"words": _within(box, line.words)}) for line in self.lines]
        return self.model_copy(update={"lines": lines})

    def brief(self) -> str:
        """Such as ``12 words``."""
        return counted(len(self.parts()) or len(self.text.split()), "word")

    def describe(self) -> str:
        """The text itself."""
        return self.text


class FigureContent(Content):
    """A region that no head reads."""

    text: str = Field(
        default="",
        description="The PDF's own words inside the figure, on a scan those that an OCR engine sees, if any.",
    )

    @property
    def is_empty(self) -> bool:
        """It has no words."""
        return not self.text

    def brief(self) -> str:
        """How many words are in it."""
        return counted(len(self.text.split()), "word") if self.text else ""

    def describe(self) -> str:
        """Its words, or that nobody reads it."""
        return self.text or "(no head reads this)"


P = TypeVar("P", bound=Data)


def _with_confidences(parts: Sequence[P], values: Sequence[float | None]) -> list[P]:
    pairs = zip(parts, values, strict=True)
    return [part.model_copy(update={"confidence": value}) for part, value in pairs]


B = TypeVar("B", Cell, Word, Atom)


def _moved(part: B, place: Place) -> B:
    return part if part.bbox is None else part.model_copy(update={"bbox": place(part.bbox)})


def _within(box: BBox, parts: Sequence[B]) -> list[B]:
    return [part for part in parts if part.bbox is not None and contains_center(box, part.bbox)]


def _moved_line(line: Line, place: Place) -> Line:
    words = [_moved(word, place) for word in line.words]
    return line.model_copy(update={"words": words, "bbox": box_of_words(words)})


Severity = Literal["info", "warning", "error"]

Stage = Literal["ingest", "layout", "crop", "model", "parser", "validator", "evidence"]


class Issue(Data):
    """Something a reader of the result should know."""

    code: str = Field(description="Stable, kebab-case, such as `table-ragged-row`.")
    severity: Severity = Field(
        description="`error`: something is missing or cannot be trusted; `warning`: a part is doubtful."
    )
    stage: Stage = Field(description="The step that met it.")
    message: str = Field(description="One sentence a person understands.")
    page: int | None = Field(default=None, description="Page number, from 1.")
    region: str | None = Field(default=None, description="Id of the record it belongs to.")
