"""The comparison of each head: what is seen in the crop once, and each content held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from PIL import Image

from docai.pipelines.readback.base import Features, Gray, NotComparable, ReadBack, judged
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.molecule import molecule_features, observe_molecule
from docai.pipelines.readback.score import observe_score, score_features
from docai.pipelines.readback.table import observe_table, table_features
from docai.pipelines.readback.text import observe_text, text_features
from docai.records import Content, Kind, MoleculeContent, ScoreContent, TableContent, TextContent


@dataclass(frozen=True)
class Comparison:
    """Both steps of a head: ``observe`` looks at a picture alone; ``measure`` holds a content against it.

    Both raise :class:`NotComparable`.
    """

    kind: Kind
    observe: Callable[[Gray], Any]
    measure: Callable[[Any, Any], Features]


COMPARISONS: Mapping[type[Content], Comparison] = MappingProxyType(
    {
        TableContent: Comparison("table", observe_table, table_features),
        MoleculeContent: Comparison("molecule", observe_molecule, molecule_features),
        ScoreContent: Comparison("score", observe_score, score_features),
        TextContent: Comparison("text", observe_text, text_features),
    }
)


def compare(content: Content, image: Image.Image | Gray) -> ReadBack:
    """See :func:`docai.pipelines.readback.read_back`."""
    chosen = next((one for base, one in COMPARISONS.items() if isinstance(content, base)), None)
    if chosen is None:
        return ReadBack(None, reason="a figure is not drawn again")
    try:
        return judged(chosen.kind, chosen.measure(chosen.observe(to_gray(image)), content))
    except NotComparable as nothing:
        return ReadBack(None, reason=str(nothing))
