"""Music of a picture, by its staff lines, strokes and symbols, as a second reader."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from docai.base import counted
from docai.contents import ScoreContent
from docai.issues import make_issue
from docai.parsers.score import parse_score
from docai.parsers.score_join import join_scores
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.trust import MEASURE, word_trust
from docai.records import Alternative, Confidence, Evidence

if TYPE_CHECKING:
    from docai.pipelines.drawings.score.content import PieceState, SystemReading

SOUND: Final = 0.5
"""Confidence of a system from which its reading counts as complete."""

METHOD: Final = "how well the voices fill the measures, and how surely the symbols were seen"
"""How the quality of a reading comes about."""

GOES_ON: Final = "the meter goes on from the page before"
"""Added to :data:`METHOD` where it does."""

MEASURE_METHOD: Final = (
    "how well the voices fill the measure, whether its symbols and ledger lines were believed, and what of "
    "its ink nothing explains; fitted to the share of such measures that are right"
)
"""How the confidence of a measure does."""


class _PageEnd(NamedTuple):
    """How the lowest music of a page ends."""

    bottom: float
    piece: PieceState


class TracedScores:
    """Reads printed music from its picture: one system or several, one after the other.

    The first music of a page goes on with the meter, and the ties, with which the page before ended: later
    systems do not show them. What it shows itself, as the first system of a piece does, counts more.
    """

    name: Final[Evidence] = "tracing"
    kinds: Final[frozenset[str]] = frozenset(("score",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._ends: dict[int, _PageEnd] = {}
        """Of the last two pages, by their number; regions of one page are read in threads."""

    def available(self) -> str | None:
        """Always there: it is a part of docai."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The music of the region, its systems joined."""
        from docai.pipelines.drawings.score.content import PieceState

        piece = PieceState()
        number, bottom = region.page.number, region.bbox[3]
        with self._lock:
            if region.is_first and (before := self._ends.get(number - 1)):
                piece = deepcopy(before.piece)
        reading = read_score(region.picture, piece)
        with self._lock:
            end = self._ends.get(number)
            if end is None or end.bottom <= bottom:
                recent = {page: one for page, one in self._ends.items() if page >= number - 1}
                self._ends = {**recent, number: _PageEnd(bottom, piece)}
        return reading


def read_score(picture: Picture, piece: PieceState | None = None) -> Reading:
    """The music of one picture.

    Args:
        picture: of one system or several.
        piece: what the music before hands over; it is changed to what this hands over.
    """
    import numpy as np

    from docai.pipelines.drawings.score.content import PieceState
    from docai.pipelines.tracing.score.reader import read_picture

    piece = piece or PieceState()
    has_meter = piece.length is not None
    return reading_of(read_picture(np.asarray(picture.image.convert("L")), piece), has_meter=has_meter)


def reading_of(systems: Sequence[SystemReading], *, has_meter: bool = False) -> Reading:
    """What the systems of one picture make together.

    Args:
        systems: from the top.
        has_meter: the music before them has one, which goes on where they show none.
    """
    systems = [one for one in systems if one.content.kern and not one.is_tablature]
    if not systems:
        return Reading("tracing")
    scores = join_scores([one.content for one in systems], also_pieces=True)
    content = max(scores, key=lambda score: score.n_measures, default=systems[0].content)
    left_out = _left_out(systems, scores, content)
    quality = min(one.confidence for one in systems)
    parsed = parse_score(content.kern)
    content = content.model_copy(update={"musicxml": parsed.content.musicxml})
    content = content.with_confidences(
        [
            None if value is None else word_trust("tracing", value, MEASURE)
            for value in content.part_confidences()
        ]
    )
    own = [issue for one in systems for issue in one.issues if issue.code.startswith("score-drawing")]
    if left_out:
        message = (
            f"{counted(len(left_out), 'passage')} of the region could not be joined to the longest, for "
            "other staves or kern that is not valid; see `alternatives`."
        )
        own.append(make_issue("score-passages-apart", message))
    goes_on = has_meter and any(issue.code == "score-no-meter" for issue in parsed.issues)
    # Its durations were checked by the meter of the page before.
    of_kern = [issue for issue in parsed.issues if not goes_on or issue.code != "score-no-meter"]
    method = f"{METHOD}; {GOES_ON}" if goes_on else METHOD
    return Reading(
        "tracing",
        content,
        content.kern,
        (*own, *of_kern),
        complete=content.is_valid and quality >= SOUND and not left_out,
        confidence=Confidence(method=method, parts=MEASURE_METHOD),
        quality=quality,
        left_out=left_out,
    )


def _left_out(
    systems: Sequence[SystemReading], scores: Sequence[ScoreContent], kept: ScoreContent
) -> tuple[Alternative, ...]:
    """Passages that the score of a region cannot hold: kern has as many staves from begin to end."""
    apart = [score.kern for score in scores if score is not kept]
    invalid = [one.content.kern for one in systems if not one.content.is_valid and one.content is not kept]
    reason = "the longest passage of the region was taken, and this one has other staves or is no valid kern"
    return tuple(Alternative(source="tracing", content=kern, reason=reason) for kern in (*apart, *invalid))
