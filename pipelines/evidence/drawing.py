"""The drawing of a born-digital page, which reads molecules and scores from their own strokes and glyphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from docai.contents import Issue, MoleculeContent, ScoreContent
from docai.geometry import BBox, area, contains_center, grow
from docai.parsers.score import parse_score
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.ingest import Page
from docai.records import Confidence, Evidence

SOUND: Final = 0.9
"""Confidence from which a drawing is read soundly: with ``prefer`` nobody else is asked."""

MARGIN_POINTS: Final = 3.0
"""Points around a region in which strokes are looked for: its box may touch them."""


SCORE_METHOD: Final = "share of the drawing explained, and how well the voices fill the measures"
"""How the confidence of a drawn score comes about."""


@dataclass(frozen=True)
class DrawnPart:
    """One structure or system that a drawing holds, in page points."""

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

    def available(self) -> str | None:
        """Always there: it is a part of docai."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The largest structure or system in the region."""
        parts = [part for kind in sorted(self.kinds) for part in self.read_parts(kind, region)]
        return max(parts, key=lambda part: area(part.bbox)).reading() if parts else Reading(self.name)

    def read_parts(self, kind: str, region: ReaderInput) -> list[DrawnPart]:
        """Each structure or system in the region, from the top; none on the page of an image file."""
        if kind not in self.kinds or region.page.image_size is not None:
            return []
        return region.page.inside(_read_parts, kind, region.bbox)


def _read_parts(page: Page, kind: str, bbox: BBox) -> list[DrawnPart]:
    """In the process that has the page."""
    from docai.pipelines.ingest.drawing_reader import read_drawing

    drawing = read_drawing(page, grow(bbox, MARGIN_POINTS))
    if kind == "molecule":
        from docai.pipelines.drawings.molecule.reader import read_molecules

        parts = [
            DrawnPart(
                one.bbox,
                one.content,
                "" if one.content is None else one.content.smiles or "",
                Confidence(value=one.confidence, method=one.method),
                tuple(one.issues),
            )
            for one in read_molecules(drawing)
        ]
    else:
        from docai.pipelines.drawings.score.reading import read_systems

        parts = []
        for one in read_systems(drawing):
            content, issues = _with_musicxml(one.content)
            parts.append(
                DrawnPart(
                    one.bbox,
                    None if one.is_tablature else content,
                    one.content.kern,
                    Confidence(value=one.confidence, method=SCORE_METHOD, parts=SCORE_METHOD),
                    (*one.issues, *issues),
                )
            )
    inside = [part for part in parts if contains_center(bbox, part.bbox)]
    return sorted(inside, key=lambda part: (part.bbox[1], part.bbox[0]))


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
