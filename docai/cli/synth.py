"""``docai synth``: pairs of picture and target, drawn without end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from docai.cli.console import EXIT_CODES, people
from docai.cli.outputs import make_folder
from docai.errors import SettingError


def register(app: typer.Typer) -> None:
    app.command("synth", epilog=EXIT_CODES)(synth)


def synth(
    head: Annotated[str, typer.Argument(metavar="HEAD", help="table, molecule, score or text.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the pairs.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Pairs to draw.")] = 100,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same pairs.")] = 0,
    difficulty: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 few large symbols, 1 many small ones.")
    ] = 1.0,
    split: Annotated[str, typer.Option(help="train or held-out; disjoint by content.")] = "train",
    preview: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also a contact sheet of the first 24.")
    ] = None,
) -> None:
    """Draw pairs of an 896 px crop and its target, in the layout that the head's usual tools read.

    table: PubTabNet JSONL; molecule: MolScribe CSV; score: GrandStaff .krn beside .png; text: ICDAR 2015.
    """
    from itertools import islice

    from docai.models.heads import get_head

    get_head(head)
    if split not in ("train", "held-out"):
        raise SettingError(f"--split is {split!r}; it has to be train or held-out.")
    chosen: Literal["train", "held-out"] = "train" if split == "train" else "held-out"
    try:
        from docai.pipelines.synthesis import samples
        from docai.pipelines.synthesis.write import contact_sheet, write_pairs
    except ModuleNotFoundError as error:
        from docai.errors import MissingDependencyError

        raise MissingDependencyError(
            f"docai synth needs the package {error.name}: pip install 'docai[synth]'."
        ) from None
    written = write_pairs(head, count, seed, make_folder(out), difficulty=difficulty, split=chosen)
    if preview is not None:
        shown = list(islice(samples(head, seed, difficulty=difficulty, split=chosen), min(count, 24)))
        contact_sheet(shown).save(preview)
    people().print(f"{written.n_pairs} pairs of {written.n_keys} different contents in {written.folder}")
