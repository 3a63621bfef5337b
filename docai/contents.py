"""What parsers make of a model's text: the contents of records, which stand alone, without page or model.

Boxes are as in :mod:`docai.records`; those of a parser alone are shares 0…1 of the crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from docai.geometry import BBox

if TYPE_CHECKING:
    pass

ColumnKind = Literal["text", "integer", "number", "percent", "currency", "empty"]

Tie = Literal["start", "continue", "end"]


class Data(BaseModel):
    """Base of everything serialised: unknown fields are refused, so that a typo never passes."""

    model_config = ConfigDict(extra="forbid")


class Cell(Data):
    """One table cell. ``row`` and ``col`` count from 0 and name its top left grid position."""

    row: int = Field(ge=0)
    col: int = Field(ge=0)
    row_span: int = Field(default=1, ge=1)
    col_span: int = Field(default=1, ge=1)
    text: str = ""
    is_header: bool = False
    bbox: BBox | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)


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


class TableContent(Data):
    """A rectangular grid: each position is covered by exactly one cell."""

    html: str = Field(default="", description="Canonical HTML of the grid, always rectangular.")
    n_rows: int = Field(default=0, ge=0)
    n_cols: int = Field(default=0, ge=0)
    cells: list[Cell] = Field(default_factory=list)
    columns: list[Column] = Field(
        default_factory=list, description="From the left; empty in documents before format 1.3."
    )


class Atom(Data):
    """One atom of a molecule."""

    symbol: str
    number: int = Field(ge=1, description="Its number in the mol block.")
    confidence: float | None = Field(default=None, ge=0, le=1)


class Label(Data):
    """What stands in brackets where SMILES has an atom: a group's name, as drawings have them."""

    text: str = Field(description="As written, without the brackets.")
    kind: Literal["abbreviation", "r-group", "unknown"]
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
    charge: int = 0


class Stereo(Data):
    """What could have a configuration, what has one, and what was written and is none."""

    centres: int = Field(default=0, ge=0, description="Atoms that can have a configuration.")
    centres_specified: int = Field(default=0, ge=0)
    bonds: int = Field(default=0, ge=0, description="Double bonds that can be E or Z.")
    bonds_specified: int = Field(default=0, ge=0)
    dropped: int = Field(
        default=0, ge=0, description="Marks (`@`, `/`, `\\`) of the text where no configuration is."
    )


class MoleculeContent(Data):
    """A chemical structure. The chemistry fields are None or empty where the SMILES is not valid."""

    smiles: str | None = Field(default=None, description="Canonical isomeric SMILES (RDKit).")
    smiles_labelled: str | None = Field(
        default=None, description="The same with the labels as they were written, such as `C[Ph]`."
    )
    labels: list[Label] = Field(default_factory=list, description="In the order of the model's text.")
    inchi: str | None = None
    inchikey: str | None = None
    formula: str | None = Field(default=None, description="Hill notation.")
    weight: float | None = Field(
        default=None, ge=0, description="Average molecular weight, g/mol; None where an atom is `*`."
    )
    exact_mass: float | None = Field(
        default=None, ge=0, description="Monoisotopic mass, Da; None where an atom is `*`."
    )
    charge: int | None = Field(default=None, description="Sum of the formal charges.")
    fragments: list[Fragment] = Field(default_factory=list, description="Sorted by their SMILES.")
    stereo: Stereo | None = None
    molblock: str | None = Field(
        default=None,
        description="Mol block with 2-D coordinates: V2000, or V3000 where there are dative bonds.",
    )
    atoms: list[Atom] = Field(default_factory=list, description="In the order of the SMILES.")
    is_valid: bool = False


class Measure(Data):
    """The notes between two barlines, as lines of ``kern``, counted from 1."""

    first_line: int = Field(ge=1)
    last_line: int = Field(ge=1)
    confidence: float | None = Field(default=None, ge=0, le=1)


class Event(Data):
    """One note or rest. Each note of a chord is one; times are exact, in quarter notes.

    A fraction is written ``7/2``, a whole number ``3``; ``fractions.Fraction`` reads both.
    """

    kind: Literal["note", "rest"]
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
    dots: int = Field(default=0, ge=0)
    tuplet: str | None = Field(default=None, description="Such as `3:2`: three in the time of two.")
    grace: bool = False
    tie: Tie | None = Field(default=None, description="To the next note (start), from the last (end), both.")
    slurs: str = Field(
        default="", description="Begun and ended here: `(`, `)`, `&(` and `&)` where two overlap."
    )
    beams: str = Field(default="", description="As kern writes them: `L`, `J`, `K`, `k`.")
    signs: str = Field(default="", description="Articulations, ornaments, stems: all other kern signs.")


class ScoreContent(Data):
    """A passage of music in Humdrum ``**kern``."""

    kern: str = ""
    musicxml: str | None = None
    n_spines: int = Field(default=0, ge=0)
    n_measures: int = Field(default=0, ge=0)
    measures: list[Measure] = Field(default_factory=list)
    events: list[Event] = Field(
        default_factory=list, description="Notes and rests by line, then from left to right."
    )
    is_valid: bool = False


class Word(Data):
    """One word with its box."""

    text: str
    bbox: BBox | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)


class Line(Data):
    """One line of text; ``text`` is its words joined by the spaces that belong between them."""

    text: str
    bbox: BBox | None = None
    words: list[Word] = Field(default_factory=list, description="In the order in which they are read.")
    direction: Literal["ltr", "rtl"] = Field(
        default="ltr", description="`rtl`: its first word is the rightmost, as in Arabic and Hebrew."
    )


def box_of_words(words: Sequence[Word]) -> BBox | None:
    """The smallest box around those of the words; None where none has one."""
    boxes = [word.bbox for word in words if word.bbox is not None]
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


class TextContent(Data):
    """Lines in reading order."""

    text: str = Field(default="", description="Lines joined by newlines.")
    lines: list[Line] = Field(default_factory=list)


class FigureContent(Data):
    """A region that no head reads."""

    text: str = Field(default="", description="The PDF's own words inside the figure, if any.")


Content = TableContent | MoleculeContent | ScoreContent | TextContent | FigureContent

Severity = Literal["info", "warning", "error"]

Stage = Literal["ingest", "layout", "crop", "model", "parser", "validator", "evidence"]


class Issue(Data):
    """Something a reader of the result should know."""

    code: str = Field(description="Stable, kebab-case, such as `table-ragged-row`.")
    severity: Severity
    stage: Stage
    message: str = Field(description="One sentence a person understands.")
    page: int | None = Field(default=None, description="Page number, from 1.")
    region: str | None = Field(default=None, description="Id of the record it belongs to.")


Unit = Literal["record", "cell", "word", "atom", "measure"]

B = TypeVar("B", Cell, Word)


def map_boxes(content: Content, place: Callable[[BBox], BBox | None]) -> Content:
    """The same content with ``place`` applied to each box; a line's is that around its words."""
    if isinstance(content, TableContent):
        return content.model_copy(update={"cells": [_moved(cell, place) for cell in content.cells]})
    if isinstance(content, TextContent):
        return content.model_copy(update={"lines": [_moved_line(line, place) for line in content.lines]})
    return content


def _moved_line(line: Line, place: Callable[[BBox], BBox | None]) -> Line:
    words = [_moved(word, place) for word in line.words]
    return line.model_copy(update={"words": words, "bbox": box_of_words(words)})


def _moved(item: B, place: Callable[[BBox], BBox | None]) -> B:
    return item if item.bbox is None else item.model_copy(update={"bbox": place(item.bbox)})


P = TypeVar("P", Cell, Word)


def unit_of(content: Content) -> Unit | None:
    """What the content consists of; None for a figure."""
    match content:
        case TableContent():
            return "cell"
        case MoleculeContent():
            return "atom"
        case ScoreContent():
            return "measure"
        case TextContent():
            return "word"
    return None


def put_confidence(content: Content, values: Sequence[float | None]) -> Content:
    """The content with these confidences on its parts, in their order.

    Raises:
        ValueError: there are more or fewer values than parts.
    """
    match content:
        case TableContent():
            cells = [_sure(*pair) for pair in zip(content.cells, values, strict=True)]
            return content.model_copy(update={"cells": cells})
        case MoleculeContent():
            atoms = [
                atom.model_copy(update={"confidence": value})
                for atom, value in zip(content.atoms, values, strict=True)
            ]
            return content.model_copy(update={"atoms": atoms})
        case ScoreContent():
            measures = [
                measure.model_copy(update={"confidence": value})
                for measure, value in zip(content.measures, values, strict=True)
            ]
            return content.model_copy(update={"measures": measures})
        case TextContent():
            left = iter(values)
            lines = [
                line.model_copy(update={"words": [_sure(word, next(left)) for word in line.words]})
                for line in content.lines
            ]
            return content.model_copy(update={"lines": lines})
    return content


def part_confidences(content: Content) -> list[float | None]:
    """The confidences of the parts, in their order."""
    match content:
        case TableContent():
            return [cell.confidence for cell in content.cells]
        case MoleculeContent():
            return [atom.confidence for atom in content.atoms]
        case ScoreContent():
            return [measure.confidence for measure in content.measures]
        case TextContent():
            return [word.confidence for line in content.lines for word in line.words]
    return []


def _sure(part: P, value: float | None) -> P:
    return part.model_copy(update={"confidence": value})
