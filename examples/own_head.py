"""Teach docai a new kind of region: a content, a record, a parser and a head.

    python examples/own_head.py

Registers a head for seals, and prints what it makes of a region of the sample report; the answer is scripted.
"""

from pathlib import Path
from typing import Literal

import docai
from docai.base import Content
from docai.models.heads import Head, register
from docai.parsers.base import Parsed
from docai.records import RecordBase

SAMPLE = Path(__file__).parents[1] / "samples" / "report.pdf"


class SealContent(Content):
    number: str = ""


class Seal(RecordBase, SealContent):
    kind: Literal["seal"] = "seal"


def main() -> None:
    register(
        Head("seal", "seal to number", lambda text: Parsed(SealContent(number=text)), Seal, max_tokens=64)
    )
    pipeline = docai.Pipeline(engine=docai.ScriptedEngine({"seal": "No 4711"}))
    regions = {1: [("seal", (220, 400, 375, 525))]}
    [seal] = pipeline.process(SAMPLE, pages=[1], regions=regions).records
    print(f"{seal.kind} on page {seal.page}: {seal.number}, read from {seal.evidence}")


if __name__ == "__main__":
    main()
