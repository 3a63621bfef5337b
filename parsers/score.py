"""score parser."""

from __future__ import annotations

from docai.parsers.base import Parsed
from docai.records import ScoreContent


def parse_score(text: str) -> Parsed[ScoreContent]:
    return Parsed(ScoreContent())
