"""The data of a run: listed or drawn, checked, and parted into training and held-out pairs."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from docai.errors import SettingError
from docai.models.heads import Head
from docai.pipelines.training import run_folder as folders
from docai.pipelines.training.callbacks import Report
from docai.pipelines.training.checks import Rejected, TargetRules, check_pairs, describe_rejected
from docai.pipelines.training.pairs import DrawnPairs, Listed, ListedPairs, Pairs, read_pairs
from docai.pipelines.training.run_folder import writing
from docai.pipelines.training.settings import AdapterSettings, Recipe

L = TypeVar("L", bound=Listed)


def hold_out(pairs: Sequence[L], *, share: float, most: int) -> tuple[list[L], list[L]]:
    """Pairs to train on and held-out pairs, disjoint by content, both in their order.

    A hash of the content decides, not the place: pairs of equal content stay together, and the same pairs
    are held out again in another order. At least half of the data is trained on.

    Args:
        share: of the pairs, about, 0…1.
        most: most pairs that are held out.
    """
    ranks = [_rank(pair.content) for pair in pairs]
    lowest = sorted(ranks)
    n_most = min(most, len(pairs) // 2)
    limit = min(share, lowest[n_most]) if n_most < len(lowest) else share
    held = [pair for pair, rank in zip(pairs, ranks, strict=True) if rank < limit]
    return [pair for pair, rank in zip(pairs, ranks, strict=True) if rank >= limit], held


def _rank(content: str) -> float:
    """0…1, evenly spread over contents."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


_DRAWN_CHECKS = 24

_HELD_OUT_SHARE = 0.02

_SPLIT_LISTED = (
    "Held-out pairs were chosen by a hash of their content (the key or target of a pair), so pairs of equal "
    "content stand on one side, and the same ones are held out in any order of the data."
)

_SPLIT_DRAWN = (
    "Pairs were drawn by docai's data engine, each once; what was not used counts the "
    f"{_DRAWN_CHECKS} that were tried before the first step. Held-out pairs come from its held-out stream, "
    "which shares no content with the one trained on (see docai.pipelines.synthesis)."
)


@dataclass(frozen=True)
class Source:
    """What became of the pairs of one source."""

    name: str
    n_train: int
    n_held_out: int
    rejected: Mapping[str, int]
    """Reason (see :mod:`docai.pipelines.training.checks`) → pairs."""


@dataclass(frozen=True)
class RunData:
    """The pairs of a run."""

    train: Pairs
    held_out: Pairs | None
    rejected: Sequence[Rejected]
    sources: Sequence[Source] = ()
    split: str = ""
    """How the held-out pairs were taken, for people."""


@dataclass(frozen=True)
class ListedSource:
    """The pairs of one source, unchecked, and what its reader could make no pair of."""

    name: str
    pairs: Sequence[Listed]
    rejected: Sequence[Rejected]


def list_pairs(data: Sequence[str | Path], head: Head) -> list[ListedSource]:
    """The pairs of each source.

    Raises:
        SettingError, DatasetError: see :func:`docai.pipelines.training.prepare.read_source`.
    """
    return [ListedSource(source_name(spec), *read_source(spec, head)) for spec in data]


def source_name(spec: str | Path) -> str:
    """The same for the same data, wherever the command is called from."""
    name, colon, rest = str(spec).rpartition(":")
    return f"{name}{colon}{Path(rest).expanduser().resolve()}"


def checked_pairs(
    rules: TargetRules,
    settings: AdapterSettings,
    listed: Sequence[ListedSource],
    folder: Path,
    report: Report,
) -> RunData:
    """The listed pairs that can be used, apart. Raises :class:`SettingError` where too few are left."""
    processes = min(8, os.cpu_count() or 1) if settings.workers is None else settings.workers
    usable: list[Listed] = []
    rejected: list[Rejected] = []
    found: list[tuple[ListedSource, list[Listed], list[Rejected]]] = []
    for source in listed:
        good, bad = check_pairs(source.pairs, rules, processes=processes)
        found.append((source, good, [*source.rejected, *bad]))
        usable += good
        rejected += found[-1][2]
    n_all = len(usable) + len(rejected)
    _require_enough(rules.head, settings, folder, len(usable), rejected, f"{n_all} pairs", report)
    train, held = hold_out(usable, share=_HELD_OUT_SHARE, most=settings.held_out)
    if settings.held_out:
        report(
            f"{len(held)} of them are held out" if held else "too few to hold one out: nothing is measured"
        )
    taken = {id(pair) for pair in held}
    sources = []
    for source, good, bad in found:
        n_held = sum(id(pair) in taken for pair in good)
        reasons = Counter(item.reason for item in bad)
        sources.append(Source(source.name, len(good) - n_held, n_held, dict(reasons)))
    size = rules.head.resolution
    return RunData(
        ListedPairs(train, size), ListedPairs(held, size) if held else None, rejected, sources, _SPLIT_LISTED
    )


def drawn_pairs(
    rules: TargetRules, settings: AdapterSettings, recipe: Recipe, folder: Path, report: Report
) -> RunData:
    """Pairs of the data engine; the first few are tried. Raises :class:`SettingError` as above."""
    needed = recipe.steps * recipe.step_size
    drawn = DrawnPairs(rules.head.name, settings.seed, settings.difficulty, needed, rules)
    rejected = drawn.check(_DRAWN_CHECKS)
    n_usable = _DRAWN_CHECKS - len(rejected)
    what = f"{_DRAWN_CHECKS} drawn pairs tried"
    # A target that is too long is drawn again.
    lasting = [item for item in rejected if item.reason != "too-long"]
    _require_enough(rules.head, settings, folder, n_usable, rejected, what, report, counted=lasting)
    held = None
    if settings.held_out:
        n_held, name = settings.held_out, rules.head.name
        held = DrawnPairs(name, settings.seed, settings.difficulty, n_held, rules, split="held-out")
    source = Source(
        drawn_name(settings), needed, settings.held_out, dict(Counter(item.reason for item in rejected))
    )
    return RunData(drawn, held, rejected, [source], _SPLIT_DRAWN)


def drawn_name(settings: AdapterSettings) -> str:
    """What drawn pairs are called in the place of a source."""
    return f"drawn, difficulty {settings.difficulty:g}"


def _require_enough(
    head: Head,
    settings: AdapterSettings,
    folder: Path,
    n_usable: int,
    rejected: Sequence[Rejected],
    what: str,
    report: Report,
    *,
    counted: Sequence[Rejected] | None = None,
) -> None:
    """Write ``rejected.jsonl`` and go on only where enough is left; ``counted``: what is unusable."""
    with writing(folder / folders.REJECTED_FILE, folder):
        folders.write_rejected(folder, rejected)
    report(f"{n_usable} of {what} can be used")
    lines = describe_rejected(rejected)
    for line in lines:
        report(line)
    if not n_usable:
        why = f": {'; '.join(line.strip().rstrip('.') for line in lines)}" if lines else ""
        raise SettingError(f"There is nothing to train the head {head.name!r} on{why}.")
    n_bad = len(rejected if counted is None else counted)
    share = n_bad / (n_usable + len(rejected))
    if share > settings.max_rejected:
        raise SettingError(
            f"{n_bad} of {what} cannot be used ({share:.0%}), more than the {settings.max_rejected:.0%} that "
            f"--max-rejected allows: {'; '.join(line.strip() for line in lines[:3])}. "
            f"See {folder / folders.REJECTED_FILE}; mend the data, or allow more."
        )


def read_source(spec: str | Path, head: Head) -> tuple[list[Listed], list[Rejected]]:
    """The pairs of one ``--data``: ``FORMAT:PATH``, or a folder that ``docai synth`` wrote.

    Returns:
        The pairs, unchecked, and the cases of which no pair can be made.

    Raises:
        SettingError, DatasetError: there is no such thing, or nothing of it can be used.
    """
    from docai.pipelines.training.datasets import is_dataset, read_dataset

    if isinstance(spec, str) and is_dataset(spec):
        crops, rejected = read_dataset(spec, head)
        return list(crops), rejected
    if isinstance(spec, str) and not Path(spec).exists() and ":" in spec:
        # Says which formats there are.
        read_dataset(spec, head)
    return list(read_pairs(Path(spec))), []
