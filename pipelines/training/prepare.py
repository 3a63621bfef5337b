"""The data of a run: listed or drawn, checked, and parted into training and held-out pairs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from docai.errors import SettingError
from docai.models.heads import Head
from docai.pipelines.training import folders
from docai.pipelines.training.checks import Rejected, TargetRules, check_pairs, describe_rejected
from docai.pipelines.training.keeper import Report
from docai.pipelines.training.pairs import DrawnPairs, Listed, ListedPairs, Pairs, read_source
from docai.pipelines.training.presets import Recipe
from docai.pipelines.training.settings import AdapterSettings
from docai.pipelines.training.splits import hold_out

_DRAWN_CHECKS = 24
_HELD_OUT_SHARE = 0.02


@dataclass(frozen=True)
class RunData:
    """The pairs of a run."""

    train: Pairs
    held_out: Pairs | None
    rejected: Sequence[Rejected]


def list_pairs(data: Sequence[str | Path], head: Head) -> tuple[list[Listed], list[Rejected]]:
    listed: list[Listed] = []
    rejected: list[Rejected] = []
    for spec in data:
        pairs, bad = read_source(spec, head)
        listed += pairs
        rejected += bad
    return listed, rejected


def checked_pairs(
    rules: TargetRules,
    settings: AdapterSettings,
    listed: Sequence[Listed],
    rejected: list[Rejected],
    folder: Path,
    report: Report,
) -> RunData:
    """The listed pairs that can be used, apart. Raises :class:`SettingError` where too few are left."""
    processes = min(8, os.cpu_count() or 1) if settings.workers is None else settings.workers
    usable, bad = check_pairs(listed, rules, processes=processes)
    rejected = [*rejected, *bad]
    n_all = len(usable) + len(rejected)
    _require_enough(rules.head, settings, folder, len(usable), rejected, f"{n_all} pairs", report)
    train, held = hold_out(usable, share=_HELD_OUT_SHARE, most=settings.held_out)
    if settings.held_out:
        report(
            f"{len(held)} of them are held out" if held else "too few to hold one out: nothing is measured"
        )
    size = rules.head.resolution
    return RunData(ListedPairs(train, size), ListedPairs(held, size) if held else None, rejected)


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
    return RunData(drawn, held, rejected)


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
    folders.write_rejected(folder, rejected)
    report(f"{n_usable} of {what} can be used")
    lines = describe_rejected(rejected)
    for line in lines:
        report(line)
    if not n_usable:
        why = f": {'; '.join(line.strip() for line in lines)}" if lines else ""
        raise SettingError(f"There is nothing to train the head {head.name!r} on{why}.")
    n_bad = len(rejected if counted is None else counted)
    share = n_bad / (n_usable + len(rejected))
    if share > settings.max_rejected:
        raise SettingError(
            f"{n_bad} of {what} cannot be used ({share:.0%}), more than the {settings.max_rejected:.0%} that "
            f"--max-rejected allows: {'; '.join(line.strip() for line in lines[:3])}. "
            f"See {folder / folders.REJECTED_FILE}; mend the data, or allow more."
        )
