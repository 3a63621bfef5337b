"""Text in photographs: signs and labels that an OCR engine reads where layout sees a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from docai.geometry import center, union
from docai.pipelines.layout.assign import regions_of_lines
from docai.pipelines.layout.types import PageEvidence, RegionCandidate
from docai.pipelines.pixels import halftone_share

MIN_HALFTONES: Final = 0.3
"""Share of the pixels that are neither white nor black from which a picture is a photograph. The words of
charts and schemes belong to these."""


def text_in_photographs(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, and after each photograph the texts that are read in it."""
    result: list[RegionCandidate] = []
    for region in regions:
        result.append(region)
        indices = [index for index in region.word_indices if page.words[index].text]
        if region.kind != "figure" or not indices or halftone_share(page.gray(region.bbox)) < MIN_HALFTONES:
            continue
        lines: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index in indices:
            lines[page.words[index].line].append(index)
        ordered = sorted(
            lines.values(), key=lambda line: center(union([page.words[i].bbox for i in line]))[1]
        )
        texts = regions_of_lines(page.words, ordered, [])
        for text in texts:
            text.evidence = ["words seen in a photograph"]
        region.word_indices = [index for index in region.word_indices if index not in set(indices)]
        result += texts
    return result
