"""Tables for the `table` head: HTML with the box of each cell's text.

Easy ones are drawn directly (:mod:`table_plain`); from a difficulty of 0.35 on more and more are laid out
and rendered as documents are (:mod:`table_render`), where ReportLab is installed.
"""

from __future__ import annotations

import importlib.util
import random
from functools import cache

from docai.pipelines.synthesis import table_content, table_plain
from docai.pipelines.synthesis.base import Generator, Plan, Sample
from docai.pipelines.synthesis.table_grid import Grid, TableCell, to_html

__all__ = ["Grid", "TableCell", "compose", "draw", "generate", "to_html"]

_DIRECT_SHARE = 0.08
"""Of the hardest samples, drawn directly: what was learnt first stays in the mixture."""


def compose(rng: random.Random, difficulty: float) -> Plan[Grid]:
    above = (difficulty - table_content.EASIEST) / (1 - table_content.EASIEST)
    if above > 0 and rng.random() < min(1 - _DIRECT_SHARE, 2 * above) and _has_layout_engine():
        return table_content.compose(rng, difficulty)
    return table_plain.compose(rng, difficulty)


def draw(plan: Plan[Grid], rng: random.Random, difficulty: float) -> Sample:
    if plan.content.numeric is None:
        return table_plain.draw(plan, rng, difficulty)
    from docai.pipelines.synthesis import table_render

    return table_render.draw(plan, rng, difficulty)


@cache
def _has_layout_engine() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("reportlab", "pymupdf"))


generate: Generator[Grid] = Generator("table", compose, draw)
