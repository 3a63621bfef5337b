"""The drawings that ``drawings.py`` measures on, and what is right for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from common import need_folder, real_data
from lxml import etree

from docai.geometry import BBox
from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.vector import lilypond
from docai.pipelines.synthesis.vector.decoys import DECOYS, draw_decoy
from docai.pipelines.synthesis.vector.molecules import Program, draw_molecule
from docai.pipelines.synthesis.vector.notes import Staves, notes_of_kern, notes_of_musicxml
from docai.pipelines.synthesis.vector.scores import draw_score

Kind = Literal["molecule", "score", "neither"]

WITH_MOLECULES: Final = ("molecules-with-text-labels", "reaction-scheme")
"""Awkward pages that have molecules."""


@dataclass(frozen=True)
class Case:
    """One drawing."""

    name: str
    kind: Kind
    data: bytes
    smiles: str = ""
    bbox: BBox | None = None
    """The part of the page, points; None: all of it."""
    notes: Staves = field(default_factory=list)
    style: str = ""
    """How it was drawn."""
    command: str = ""
    """Python that draws it again."""


def _drawn_molecules(program: Program) -> Callable[[int, int], Iterator[Case]]:
    def cases(start: int, count: int) -> Iterator[Case]:
        for seed in range(start, start + count):
            drawn = draw_molecule(program, seed)
            call = f"molecules.draw_molecule({program!r}, {seed})"
            name = f"{program}-{seed:05}"
            yield Case(name, "molecule", drawn.data, drawn.smiles, style=str(drawn.options), command=call)

    return cases


def _open_babel(start: int, count: int) -> Iterator[Case]:
    folder = need_folder(real_data()) / "vectors" / "molecules"
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    entries = [(page, entry) for page, listed in sorted(truth.items()) for entry in listed]
    for page, entry in entries[start : start + count]:
        x0, y0, x1, y1 = entry["bbox"]
        # Labels stand out of the box around the atoms.
        box = (x0 - 12, y0 - 12, x1 + 12, y1 + 12)
        data = (folder / f"{page}.pdf").read_bytes()
        yield Case(
            f"{page}-{entry['name']}", "molecule", data, entry["smiles"], box, command=f"{page}.pdf {box}"
        )


def _verovio(start: int, count: int) -> Iterator[Case]:
    for seed in range(start, start + count):
        drawn = draw_score(seed)
        level = f"difficulty {drawn.difficulty:.2f}"
        style = f"{level}, {drawn.glyphs}, {len(drawn.systems)} systems, {drawn.options}"
        call = f"scores.draw_score({seed})"
        yield Case(
            f"verovio-{seed:05}",
            "score",
            drawn.data,
            notes=notes_of_kern(drawn.kern),
            style=style,
            command=call,
        )


def _lilypond(start: int, count: int) -> Iterator[Case]:
    if reason := lilypond.missing():
        print(f"lilypond is left out: {reason}")
        return

    def drawn() -> Iterator[Case]:
        for path in islice(lilypond.pieces(), start, None):
            try:
                piece = lilypond.draw_piece(path)
            except UndrawableError:
                continue
            call = f"lilypond.draw_piece({path.parent.name}/{path.name})"
            yield Case(f"lilypond-{path.stem}", "score", piece.data, notes=piece.notes, command=call)

    yield from islice(drawn(), count)


def _musescore(start: int, count: int) -> Iterator[Case]:
    folder = need_folder(real_data()) / "vectors" / "scores"
    for path in sorted(folder.glob("*.pdf"))[start : start + count]:
        notes = notes_of_musicxml(etree.parse(path.with_suffix(".musicxml")).getroot())
        yield Case(f"musescore-{path.stem}", "score", path.read_bytes(), notes=notes, command=path.name)


def _decoys(start: int, count: int) -> Iterator[Case]:
    kinds = list(DECOYS)
    for number in range(start, start + count):
        kind, seed = kinds[number % len(kinds)], number // len(kinds)
        name = f"decoy-{kind.replace(' ', '-')}-{seed}"
        yield Case(name, "neither", draw_decoy(kind, seed), command=f"decoys.draw_decoy({kind!r}, {seed})")


def _pages(start: int, count: int) -> Iterator[Case]:
    folder = need_folder(real_data())
    found = sorted((folder / "pages" / "docbank").glob("*.pdf"))
    found += [path for path in sorted((folder / "pdfs").rglob("*.pdf")) if path.stem not in WITH_MOLECULES]
    found += [path for path in sorted((folder / "cases").glob("*.pdf")) if path.stem not in WITH_MOLECULES]
    for path in found[start : start + count]:
        place = path.relative_to(folder)
        yield Case("-".join(place.with_suffix("").parts), "neither", path.read_bytes(), command=str(place))


SETS: Final[Mapping[str, tuple[Callable[[int, int], Iterator[Case]], int]]] = MappingProxyType(
    {
        "rdkit": (_drawn_molecules("rdkit"), 1000),
        "indigo": (_drawn_molecules("indigo"), 1000),
        "openbabel": (_open_babel, 60),
        "verovio": (_verovio, 300),
        "lilypond": (_lilypond, 60),
        "musescore": (_musescore, 10),
        "decoys": (_decoys, 10 * len(DECOYS)),
        "pages": (_pages, 200),
    }
)
"""Name of a set → its cases from a number on, and how many there are by default."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "molecules": ("rdkit", "indigo", "openbabel"),
        "scores": ("verovio", "lilypond", "musescore"),
        "neither": ("decoys", "pages"),
    }
)
"""Name for several sets."""


_PARAGRAPH: Final = (
    "The residue was taken up in ether, washed with brine and dried over magnesium sulfate; evaporation of "
    "the solvent left an oil that was used without further purification. "
) * 3
_A4: Final = (595.0, 842.0)
_WIDTH: Final = 455.0
"""Points of the text block."""


def on_page(case: Case) -> Case:
    """A drawing of one page between paragraphs on a page of A4, as a form; several pages as they are."""
    import pymupdf

    with pymupdf.open(stream=case.data) as source, pymupdf.open() as document:
        size = source[0].rect
        if source.page_count > 1 or case.bbox is not None or case.kind == "neither":
            return case
        page = document.new_page(width=_A4[0], height=_A4[1])
        scale = min(1.0, _WIDTH / size.width, 500.0 / size.height)
        left, top = (_A4[0] - scale * size.width) / 2, 190.0
        place = pymupdf.Rect(left, top, left + scale * size.width, top + scale * size.height)
        page.show_pdf_page(place, source, 0)
        for y in (70.0, min(place.y1 + 30, 720.0)):
            page.insert_textbox((70.0, y, 70.0 + _WIDTH, y + 90), _PARAGRAPH, fontsize=10)
        return replace(case, data=document.tobytes(garbage=1, deflate=True))


def open_folder(path: Path) -> Path:
    """A folder, made where it is not there."""
    path.mkdir(parents=True, exist_ok=True)
    return path
