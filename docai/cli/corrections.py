"""What ``docai train`` and ``docai evaluate`` share: pairs from the corrections of a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from docai.base import counted

if TYPE_CHECKING:
    from rich.console import Console

SUFFIX: Final = "-corrections"
"""Of the folder for the pairs, which is beside that of the run: DIR-corrections."""

_MAX_LINES: Final = 10
"""Records without a pair that are named."""

Corrections = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="Corrections made in docai view, or a folder with such files; can be repeated. Their pairs are "
        f"written to DIR{SUFFIX}, beside the DIR of -o.",
        rich_help_panel="Corrections",
    ),
]

CorrectionSources = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="The documents of the corrections, or a folder with them. Default: beside the results.",
        rich_help_panel="Corrections",
    ),
]


def corrected_pairs(
    head: str, places: list[Path], sources: list[Path] | None, out: Path, console: Console
) -> Path:
    """Write the pairs of a head, and say what came of the corrections; the folder of the pairs.

    Raises:
        DatasetError: the corrections give no pair for the head.
        SettingError: the folder cannot be used.
        DocaiError: writing failed.
    """
    from docai.errors import needs

    with needs("docai[synth]", "Pairs from corrections"):
        from docai.pipelines.harvest.corrected import write_corrected_pairs

    made = write_corrected_pairs(
        places, out.with_name(out.name + SUFFIX), heads=[head], sources=sources or ()
    )
    folder = made.of_head(head)
    lines = [f"{counted(made.pairs[head], 'pair')} of {head} from corrections, in {folder}"]
    lines += [f"  left out: {line}" for line in made.left_out[:_MAX_LINES]]
    if len(made.left_out) > _MAX_LINES:
        lines.append(f"  and {len(made.left_out) - _MAX_LINES} more")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    return folder
