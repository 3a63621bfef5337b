"""text parser."""

from __future__ import annotations

from docai.parsers.base import Parsed
from docai.records import TextContent


def parse_text(text: str) -> Parsed[TextContent]:
    return Parsed(TextContent())
