"""The data of a run: pairs read or drawn, checked, and split into training and held-out pairs."""

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
from docai.pipelines.training import run_folder
from docai.pipelines.training.callbacks import Report
from docai.pipelines.training.checks import Rejected, TargetRules, check_pairs, describe_rejected
from docai.pipelines.training.pairs import DrawnPairs, Listed, ListedPairs, Pairs, read_pairs
from docai.pipelines.training.run_folder import explaining_write_errors
from docai.pipelines.training.settings import AdapterSettings, Recipe

L = TypeVar("L", bound=Listed)


_N_DRAWN_CHECKS = 24
"""Drawn pairs that are checked before the first step."""

_HELD_OUT_SHARE = 0.02
"""Largest share of the data that is held out."""

_SPLIT_LISTED = (
    "Held-out pairs were chosen by a hash of their content (the key or target of a pair), so pairs of equal "
    "content are on one side, and the same pairs are held out in any order of the data."
)

_SPLIT_DRAWN = (
    'Pairs were drawn by docai.pipelines.synthesis, each once; "not used" counts the '
    f"{_N_DRAWN_CHECKS} that were tried before the first step. Held-out pairs come from its held-out split, "
    "which shares no content with the training split."
)


@dataclass(frozen=True)
class Source:
    """Numbers of pairs of one source of data."""

    name: str
    n_train: int
    n_held_out: int
    rejected: Mapping[str, int]
    """Reason (see :mod:`docai.pipelines.training.checks`) → number of pairs."""


@dataclass(frozen=True)
class RunData:
    """The pairs of a run."""

    train: Pairs
    held_out: Pairs | None
    rejected: Sequence[Rejected]
    sources: Sequence[Source] = ()
    split: str = ""
    """How the held-out pairs were chosen, for people."""


@dataclass(frozen=True)
class ListedSource:
    """The pairs of one source, unchecked, and the cases that no pair could be made of."""

    name: str
    pairs: Sequence[Listed]
    rejected: Sequence[Rejected]


def list_pairs(data: Sequence[str | Path], head: Head) -> list[ListedSource]:
    """The pairs of each source.

    Raises:
        SettingError, DatasetError: see :func:`read_source`.
    """
    return [ListedSource(source_name(spec), *read_source(spec, head)) for spec in data]


def read_source(spec: str | Path, head: Head) -> tuple[list[Listed], list[Rejected]]:
    """The pairs of one ``--data``: ``FORMAT:PATH``, or a folder written by ``docai synth``.

    Returns:
        The pairs, unchecked, and the cases that no pair can be made of.

    Raises:
        SettingError, DatasetError: the data does not exist, or none of it can be used.
    """
    from docai.pipelines.training.datasets import is_dataset, read_dataset

    if isinstance(spec, str) and is_dataset(spec):
        crops, rejected = read_dataset(spec, head)
        return list(crops), rejected
    if isinstance(spec, str) and not Path(spec).exists() and ":" in spec:
        # Raises an error that lists the formats.
        read_dataset(spec, head)
    return list(read_pairs(Path(spec))), []


def source_name(spec: str | Path) -> str:
    """A name of the data that does not depend on the current folder."""
    name, colon, rest = str(spec).rpartition(":")
    return f"{name}{colon}{Path(rest).expanduser().resolve()}"


def checked_pairs(
    rules: TargetRules,
    settings: AdapterSettings,
    listed: Sequence[ListedSource],
    folder: Path,
    report: Report,
) -> RunData:
    """The listed pairs that can be used, split. Writes ``rejected.jsonl``.

    Raises:
        SettingError: too few pairs can be used.
    """
    processes = min(8, os.cpu_count() or 1) if settings.workers is None else settings.workers
    usable: list[Listed] = []
    rejected: list[Rejected] = []
    checked: list[tuple[ListedSource, list[Listed], list[Rejected]]] = []
    for source in listed:
        source_usable, source_rejected = check_pairs(source.pairs, rules, processes=processes)
        checked.append((source, source_usable, [*source.rejected, *source_rejected]))
        usable += source_usable
        rejected += checked[-1][2]
    n_all = len(usable) + len(rejected)
    _require_enough(rules.head, settings, folder, len(usable), rejected, f"{n_all} pairs", report)
    train, held_out = hold_out(usable, share=_HELD_OUT_SHARE, most=settings.held_out)
    if settings.held_out:
        report(
            f"{len(held_out)} of them are held out"
            if held_out
            else "too few pairs to hold one out: nothing is measured"
        )
    held_out_ids = {id(pair) for pair in held_out}
    sources = []
    for source, source_usable, source_rejected in checked:
        n_held_out = sum(id(pair) in held_out_ids for pair in source_usable)
        reasons = Counter(item.reason for item in source_rejected)
        sources.append(Source(source.name, len(source_usable) - n_held_out, n_held_out, dict(reasons)))
    size = rules.head.resolution
    return RunData(
        ListedPairs(train, size),
        ListedPairs(held_out, size) if held_out else None,
        rejected,
        sources,
        _SPLIT_LISTED,
    )


def hold_out(pairs: Sequence[L], *, share: float, most: int) -> tuple[list[L], list[L]]:
    """Split pairs into those to train on and held-out ones, disjoint by content, both in their order.

    A hash of the content decides, not the order: pairs of equal content stay together, and the same pairs
    are held out when the data is in another order. At least half of the data is trained on.

    Args:
        pairs: all of them.
        share: share of the pairs to hold out, approximate, 0…1.
        most: largest number of pairs to hold out.
    """
    hashes = [_hash_share(pair.content) for pair in pairs]
    lowest = sorted(hashes)
    n_most = min(most, len(pairs) // 2)
    limit = min(share, lowest[n_most]) if n_most < len(lowest) else share
    held_out = [pair for pair, value in zip(pairs, hashes, strict=True) if value < limit]
    return [pair for pair, value in zip(pairs, hashes, strict=True) if value >= limit], held_out


def _hash_share(content: str) -> float:
    """A hash of the content, evenly distributed over 0…1."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def drawn_pairs(
    rules: TargetRules, settings: AdapterSettings, recipe: Recipe, folder: Path, report: Report
) -> RunData:
    """Pairs that are drawn; the first few are checked. Writes ``rejected.jsonl``.

    Raises:
        SettingError: too few of the first pairs can be used.
    """
    needed = recipe.steps * recipe.step_size
    drawn = DrawnPairs(rules.head.name, settings.seed, settings.difficulty, needed, rules)
    rejected = drawn.check(_N_DRAWN_CHECKS)
    n_usable = _N_DRAWN_CHECKS - len(rejected)
    what = f"{_N_DRAWN_CHECKS} drawn pairs tried"
    # Targets that are too long are replaced by others.
    unusable = [item for item in rejected if item.reason != "too-long"]
    _require_enough(rules.head, settings, folder, n_usable, rejected, what, report, counted=unusable)
    held_out = None
    if settings.held_out:
        name, count = rules.head.name, settings.held_out
        held_out = DrawnPairs(name, settings.seed, settings.difficulty, count, rules, split="held-out")
    source = Source(
        drawn_name(settings), needed, settings.held_out, dict(Counter(item.reason for item in rejected))
    )
    return RunData(drawn, held_out, rejected, [source], _SPLIT_DRAWN)


def drawn_name(settings: AdapterSettings) -> str:
    """The name of drawn pairs as a source."""
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
    """Write ``rejected.jsonl``, and raise where too few pairs can be used.

    ``counted`` are the rejected pairs that count against ``--max-rejected``; None: all.
    """
    with explaining_write_errors(folder / run_folder.REJECTED_FILE, folder):
        run_folder.write_rejected(folder, rejected)
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
            f"See {folder / run_folder.REJECTED_FILE}; fix the data, or allow more."
        )
