"""The drawing of a born-digital page, which reads molecules and scores from their own strokes and glyphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from docai.contents import Issue, MoleculeContent, ScoreContent
from docai.errors import DocaiError
from docai.geometry import BBox, area, contains_center, grow, join_touching
from docai.issues import make_issue
from docai.parsers.score import parse_score
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.ingest import Page
from docai.records import Confidence, Evidence

if TYPE_CHECKING:
    from docai.pipelines.drawings.score.content import PieceState
    from docai.pipelines.drawings.score.types import System
    from docai.pipelines.ingest.drawing import Drawing, PaintedPath, PlacedGlyph

SOUND: Final = 0.9
"""Confidence from which a drawing is read soundly: with ``prefer`` nobody else is asked."""

REACH_POINTS: Final = 15.0
"""Points around a region in which what is drawn may belong to it: layout cuts labels off that stand as far
from their bonds."""


CUT_CONFIDENCE: Final = 0.3
"""Confidence at most of a structure that is cut off: what is seen of it is seldom all."""

MAX_PAGES_BACK: Final = 40
"""Pages of music before a page that are played to know the meter that goes on there, where another process,
or a run that was stopped, has read them."""

SCORE_METHOD: Final = "share of the drawing explained, and how well the voices fill the measures"
"""How the confidence of a drawn score comes about."""


class Handed(NamedTuple):
    """What a page hands to the next: music goes on in its meter."""

    page: int
    piece: PieceState | None
    """None where the page has no music, or not all that it draws is known."""


@dataclass(frozen=True)
class DrawnPart:
    """One structure or system that a drawing holds, in page points."""

    kind: Literal["molecule", "score"]
    bbox: BBox
    content: MoleculeContent | ScoreContent | None
    """None where it cannot be made one, as of tablature; the issues say why."""
    text: str
    confidence: Confidence
    issues: tuple[Issue, ...]

    def reading(self) -> Reading:
        """The same as evidence."""
        return Reading(
            "drawing",
            self.content,
            self.text,
            self.issues,
            complete=self.content is not None and self.content.is_valid,
            confidence=self.confidence,
            is_calibrated=True,
        )


class DrawingReader:
    """Reads what the page draws, which costs milliseconds and is exact where all of it is explained."""

    name: Final[Evidence] = "drawing"
    kinds: Final[frozenset[str]] = frozenset(("molecule", "score"))
    needs: Final[frozenset[Need]] = frozenset(("strokes",))
    yields_to_words: Final = False

    def __init__(self) -> None:
        self._last: Handed | None = None
        """Of the page that was read last."""

    def available(self) -> str | None:
        """Always there: it is a part of docai."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The largest structure or system in the region."""
        parts = self.read_page(region.page, [region.bbox], ())
        mine = [part for part in parts if contains_center(region.bbox, part.bbox)]
        return max(mine, key=lambda part: area(part.bbox)).reading() if mine else Reading(self.name)

    def read_page(self, page: Page, boxes: Sequence[BBox], others: Sequence[BBox]) -> list[DrawnPart]:
        """Each structure and system of a page, from the top; none on the page of an image file.

        Args:
            page: it is open.
            boxes: where structures may be, page points; letters near them may be theirs.
            others: of regions that are something else: none of what they hold is of a structure.
        """
        if page.image_size is not None:
            return []
        known = self._last if self._last is not None and self._last.page < page.number else None
        self._last = None
        parts, piece = page.inside(_read_page, list(boxes), list(others), known)
        self._last = Handed(page.number, piece)
        return parts


def _read_page(
    page: Page, boxes: Sequence[BBox], others: Sequence[BBox], known: Handed | None
) -> tuple[list[DrawnPart], PieceState | None]:
    """In the process that has the page: its parts, and what its music hands on."""
    from docai.pipelines.drawings.score.reader import find_systems
    from docai.pipelines.ingest.drawing_reader import read_drawing

    drawing = read_drawing(page)
    music = [find_systems(drawing)] if drawing.is_complete else []
    parts = []
    for box in join_touching([grow(box, REACH_POINTS) for box in boxes], 0.0):
        near = drawing.within(box) if drawing.is_complete else read_drawing(page, box)
        parts += _structures(_without(near, others), page.bbox)
        if not drawing.is_complete:
            music.append(find_systems(near))
    piece = _state_before(page, known) if any(music) else None
    if piece is not None:
        parts += [part for systems in music for part in _scores(systems, piece)]
    in_order = sorted(parts, key=lambda part: (part.bbox[1], part.bbox[0]))
    return in_order, piece if drawing.is_complete else None


def _state_before(page: Page, known: Handed | None) -> PieceState:
    """What the pages before hand to one with music, whoever reads them: they are played from the first of
    the pages with music that follow each other without a gap."""
    from docai.pipelines.drawings.score.content import PieceState
    from docai.pipelines.drawings.score.reading import read_found_systems

    first = page.number
    state = PieceState()
    while first > max(1, page.number - MAX_PAGES_BACK):
        if known is not None and known.page == first - 1:
            state = known.piece or state
            break
        if not _music_of(page, first - 1):
            break
        first -= 1
    for number in range(first, page.number):
        read_found_systems(_music_of(page, number), state)
    return state


def _music_of(page: Page, number: int) -> Sequence[System]:
    """The systems of another page of the file, where all that it draws is known."""
    from docai.pipelines.drawings.score.reader import find_systems
    from docai.pipelines.ingest.drawing_reader import read_drawing

    try:
        other = page.sibling(number)
        if other is None:
            return ()
        try:
            drawing = read_drawing(other)
            return find_systems(drawing) if drawing.is_complete else ()
        finally:
            other.release()
    except DocaiError:
        return ()


def _without(drawing: Drawing, boxes: Sequence[BBox]) -> Drawing:
    """A drawing without what lies in some boxes."""

    def is_outside(painted: PaintedPath | PlacedGlyph) -> bool:
        return not any(contains_center(box, painted.bbox) for box in boxes)

    return replace(
        drawing,
        paths=tuple(path for path in drawing.paths if is_outside(path)),
        glyphs=tuple(glyph for glyph in drawing.glyphs if is_outside(glyph)),
    )


def _structures(drawing: Drawing, page: BBox) -> list[DrawnPart]:
    from docai.pipelines.drawings.molecule.cuts import find_cut
    from docai.pipelines.drawings.molecule.reader import read_molecules

    parts = []
    for one in read_molecules(drawing):
        value, method, issues = one.confidence, one.method, tuple(one.issues)
        cut = None if one.graph is None else find_cut(one.graph, drawing, page)
        if cut is not None:
            value, method = min(value, CUT_CONFIDENCE), f"{method}; it is cut off"
            message = f"The structure seems to be cut off at ({cut[0]:.0f}, {cut[1]:.0f})."
            issues = (*issues, make_issue("drawing-unsure", message))
        smiles = "" if one.content is None else one.content.smiles or ""
        confidence = Confidence(value=value, method=method)
        parts.append(DrawnPart("molecule", one.bbox, one.content, smiles, confidence, issues))
    return parts


def _scores(systems: Sequence[System], piece: PieceState) -> list[DrawnPart]:
    from docai.pipelines.drawings.score.reading import read_found_systems

    parts = []
    for one in read_found_systems(systems, piece):
        content, lost = _with_musicxml(one.content)
        # Later systems do not show the meter, which goes on.
        own = [issue for issue in one.issues if issue.code != "score-no-meter" or piece.length is None]
        parts.append(
            DrawnPart(
                "score",
                one.bbox,
                None if one.is_tablature else content,
                one.content.kern,
                Confidence(value=one.confidence, method=SCORE_METHOD, parts=SCORE_METHOD),
                (*own, *lost),
            )
        )
    return parts


def _with_musicxml(content: ScoreContent) -> tuple[ScoreContent, list[Issue]]:
    """A score with MusicXML, as one of a model has it, and what is lost in that."""
    if not content.is_valid:
        return content, []
    parsed, plain = parse_score(content.kern), parse_score(content.kern, with_musicxml=False)
    known = {issue.message for issue in plain.issues}
    lost = [issue for issue in parsed.issues if issue.message not in known]
    return content.model_copy(update={"musicxml": parsed.content.musicxml}), lost


def is_sound(reading: Reading | None) -> bool:
    """Whether a reading of the drawing is believed over all others."""
    return (
        reading is not None
        and reading.source == "drawing"
        and reading.content is not None
        and reading.complete
        and (reading.confidence.value or 0.0) >= SOUND
    )
