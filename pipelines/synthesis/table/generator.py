"""Chooses the kind of table: easy ones are drawn directly (``plain``).

From a difficulty of 0.35 on, more and more are laid out and rendered as in documents (``content``,
``render``), where ReportLab is installed.
"""

from __future__ import annotations

import importlib.util
import random
from functools import cache

from docai.pipelines.synthesis.base import Generator, Plan, Sample, Split
from docai.pipelines.synthesis.table import content, plain
from docai.pipelines.synthesis.table.grid import Grid
from docai.pipelines.synthesis.table.values import split_of_grid

_DIRECT_SHARE = 0.08
"""Share of the hardest samples that are drawn directly, so that what was learned first is not forgotten."""


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[Grid]:
    """A table with words of the split only; numbers are in both splits (``values``)."""
    above = (difficulty - content.EASIEST) / (1 - content.EASIEST)
    if above > 0 and rng.random() < min(1 - _DIRECT_SHARE, 2 * above) and _has_layout_engine():
        return content.compose(rng, difficulty, split)
    return plain.compose(rng, difficulty, split)


def draw(plan: Plan[Grid], rng: random.Random, difficulty: float) -> Sample:
    if plan.content.numeric is None:
        return plain.draw(plan, rng, difficulty)
    from docai.pipelines.synthesis.table import render

    return render.draw(plan, rng, difficulty)


@cache
def _has_layout_engine() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("reportlab", "pymupdf"))


generate: Generator[Grid] = Generator("table", compose, draw, split_of_grid)
