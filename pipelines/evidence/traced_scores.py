"""Music of a picture, by its staff lines, strokes and symbols, as a second reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from docai.parsers.score import parse_score
from docai.parsers.score_join import join_scores
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.trust import MEASURE, word_trust
from docai.records import Confidence, Evidence

if TYPE_CHECKING:
    from docai.pipelines.drawings.score.content import SystemReading

SOUND: Final = 0.5
"""Confidence of a system from which its reading counts as complete."""

METHOD: Final = "how well the voices fill the measures, and how surely the symbols were seen"
"""How the quality of a reading comes about."""

MEASURE_METHOD: Final = (
    "how well the voices fill the measure, whether its symbols and ledger lines were believed, and what of "
    "its ink nothing explains; fitted to the share of such measures that are right"
)
"""How the confidence of a measure does."""


class TracedScores:
    """Reads printed music from its picture: one system or several, one after the other."""

    name: Final[Evidence] = "tracing"
    kinds: Final[frozenset[str]] = frozenset(("score",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = False

    def available(self) -> str | None:
        """Always there: it is a part of docai."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The music of the region, its systems joined."""
        return read_score(region.picture)


def read_score(picture: Picture) -> Reading:
    """The music of one picture."""
    import numpy as np

    from docai.pipelines.tracing.score.reader import read_picture

    return reading_of(read_picture(np.asarray(picture.image.convert("L"))))


def reading_of(systems: Sequence[SystemReading]) -> Reading:
    """What the systems of one picture make together."""
    systems = [one for one in systems if one.content.kern and not one.is_tablature]
    if not systems:
        return Reading("tracing")
    scores = join_scores([one.content for one in systems])
    content = max(scores, key=lambda score: score.n_measures)
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
    return Reading(
        "tracing",
        content,
        content.kern,
        (*own, *parsed.issues),
        complete=content.is_valid and quality >= SOUND and len(scores) == 1,
        confidence=Confidence(method=METHOD, parts=MEASURE_METHOD),
        quality=quality,
    )
