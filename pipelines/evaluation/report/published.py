"""What has been published on the sets that docai reads, and how far it can be compared.

The figures are those of PaliGemma 2 (arXiv 2412.03555, December 2024) and of the references that paper
gives. None of them was measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from docai.pipelines.evaluation.base import Unit

PAPER = "arXiv 2412.03555"
PAPER_LINK = "https://arxiv.org/abs/2412.03555"


@dataclass(frozen=True, slots=True)
class Row:
    """One system's figures. ``values`` are shares or error rates, 0…1, by the name of our measure."""

    system: str
    values: Mapping[str, float]
    resolution: int | None = None
    """Side of the square that was read, pixels; None where the paper does not say."""


@dataclass(frozen=True, slots=True)
class Published:
    """The rows of one set, for the one task whose protocol they were measured by."""

    task: str
    rows: tuple[Row, ...]
    n_samples: int | None
    """Of the test split the rows are about; None where we have not verified it."""
    caveat: str
    """What is not known about their protocol."""


_SPOTTING = (
    "The paper follows the HierText competition's word-level protocol (IoU 0.5, the text exactly equal); it "
    "does not publish how it treats words marked as illegible."
)
_TABLES = (
    "The paper does not publish its split, nor how its HTML was brought into the form that TEDS compares: "
    "headers, inline tags and the wrapper all move TEDS. GriTS is taken for the mean over tables (macro), as "
    "its own paper has it. Examples of broken structure were left out there."
)

PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "icdar2015": Published(
            task="text-hiertext",
            rows=(
                Row("PaliGemma 2 3B", {"precision": 0.819, "recall": 0.707, "f1": 0.759}, 896),
                Row("HTS", {"precision": 0.819, "recall": 0.684, "f1": 0.745}),
            ),
            n_samples=500,
            caveat=_SPOTTING,
        ),
        "total-text": Published(
            task="text-hiertext",
            rows=(
                Row("PaliGemma 2 3B", {"precision": 0.738, "recall": 0.745, "f1": 0.742}, 896),
                Row("HTS", {"precision": 0.757, "recall": 0.694, "f1": 0.724}),
            ),
            n_samples=300,
            caveat=_SPOTTING,
        ),
        "fintabnet": Published(
            task="table",
            rows=(
                Row(
                    "PaliGemma 2 3B",
                    {"s-teds": 0.992, "teds": 0.989, "grits-top-macro": 0.994, "grits-con-macro": 0.992},
                    896,
                ),
                Row(
                    "its reference",
                    {"s-teds": 0.989, "teds": 0.982, "grits-top-macro": 0.990, "grits-con-macro": 0.986},
                ),
            ),
            n_samples=None,
            caveat=_TABLES,
        ),
        "pubtabnet": Published(
            task="table",
            rows=(
                Row(
                    "PaliGemma 2 3B",
                    {"s-teds": 0.976, "teds": 0.973, "grits-top-macro": 0.980, "grits-con-macro": 0.978},
                    896,
                ),
                Row("its reference", {"s-teds": 0.979, "teds": 0.969}),
            ),
            n_samples=None,
            caveat=_TABLES,
        ),
        "chemdraw": Published(
            task="molecule",
            rows=(
                Row("PaliGemma 2 10B", {"exact-no-ez": 0.948}, 448),
                Row("MolScribe", {"exact-no-ez": 0.938}),
            ),
            n_samples=5719,  # the size MolScribe gives; PaliGemma 2 says 5.7k
            caveat=(
                "MolScribe's figure is by its own evaluate.py, which ignores E/Z; what the paper counts as a "
                "full match is not verified."
            ),
        ),
        "grandstaff": Published(
            task="score",
            rows=(
                Row("PaliGemma 2 3B", {"cer": 0.016, "ser": 0.023, "ler": 0.067}, 896),
                Row("SMT", {"cer": 0.039, "ser": 0.051, "ler": 0.131}),
            ),
            n_samples=None,
            caveat=(
                "Both are older than July 2025, when SMT's code began to count spaces and line ends in CER; "
                "how the paper spelled kern, and so what one symbol is, was not published."
            ),
        ),
    }
)
"""By :attr:`DataSet.protocol`."""


SMALL = 100
"""Fewer samples than this are called few, whatever the size of the published set."""


def published_for(protocol: str | None, unit: Unit, task: str) -> Published | None:
    """The rows that stand beside ``task`` of a set of that protocol, if there are any.

    All were measured on crops: where regions have to be found first, there is nothing to compare to.
    """
    published = PUBLISHED.get(protocol or "") if unit == "crop" else None
    return published if published is not None and published.task == task else None


def caveats(published: Published, n: int, resolution: str | None) -> list[str]:
    """What has to be said before anyone compares ``n`` samples to the rows, as sentences.

    ``resolution`` is what the run's settings say about it, if anything.
    """
    whole = published.n_samples
    lines = [f"Not measured here: figures of {PAPER}, on the whole test split of the set."]
    if n < SMALL:
        lines.append(
            f"This run has only {n} sample{'' if n == 1 else 's'}: its figures say little about the whole "
            "set, and are not to be compared with the published ones."
        )
    elif whole is None:
        lines.append(f"This run has {n:,} samples; whether they are the published split is not checked.")
    elif n < whole:
        lines.append(
            f"This run has {n} of its {whole:,} samples: only the interval can be held against a published "
            "figure, and only if the samples were drawn at random."
        )
    for size in sorted({row.resolution for row in published.rows if row.resolution is not None}):
        if resolution is None:
            lines.append(f"Published at {size} px; the settings do not say what this run was read at.")
        elif resolution != str(size):
            lines.append(f"Published at {size} px, this run at {resolution} px: not the same resolution.")
    lines.append(published.caveat)
    return lines
