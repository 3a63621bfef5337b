"""Pictures of records: cut from the source's pages, drawn by RDKit, engraved by Verovio."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from docai.contents import MoleculeContent
from docai.errors import InputError
from docai.exports.base import Export
from docai.records import Molecule, RecordBase, Score

FIGURE_SCALE: Final = 200 / 72
"""Pixels per point at most of a figure cut from a page: 200 dpi, as sharp as a page on a screen."""

MARGIN: Final = 2.0
"""Points of the page around a figure."""

BOND_PIXELS: Final = 28
"""Length of a bond as SVG."""

PNG_SCALE: Final = 2
"""Pixels of a PNG for each of an SVG: sharp in print."""

DOUBTFUL_COLOR: Final = (1.0, 0.72, 0.3)
"""Behind an atom that is not sure: red, green and blue, 0…1."""


def cut_from_pages(export: Export, records: Sequence[RecordBase]) -> Mapping[str, bytes]:
    """Record id → PNG of its region, for those whose source is at hand; the others are losses."""
    pictures: dict[str, bytes] = {}
    if not records:
        return pictures
    with export.open_source() as source:
        if source is None:
            return pictures
        for number in dict.fromkeys(record.page for record in records):
            here = [record for record in records if record.page == number]
            try:
                with source.page(number) as page:
                    for record in here:
                        x0, y0, x1, y1 = record.bbox
                        box = (
                            max(0.0, x0 - MARGIN),
                            max(0.0, y0 - MARGIN),
                            min(page.width, x1 + MARGIN),
                            min(page.height, y1 + MARGIN),
                        )
                        scale = page.fit_scale(min(page.native_scale(box), FIGURE_SCALE), box)
                        packed = io.BytesIO()
                        page.render(box, scale=scale).save(packed, "PNG")
                        pictures[record.id] = packed.getvalue()
            except InputError as error:
                for record in here:
                    if record.id not in pictures:
                        export.lose(
                            "no-picture", f"A picture of page {number} is left out: {error}", record.id
                        )
    return pictures


def molecule_svg(molecule: MoleculeContent, doubtful: Sequence[int] = ()) -> str | None:
    """The structure drawn as SVG on a transparent ground; None where there is none to draw.

    Args:
        molecule: drawn by its mol block.
        doubtful: numbers of atoms in the mol block, from 1, that get a patch of color.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = _drawn(molecule, rdMolDraw2D.MolDraw2DSVG(-1, -1), 1, doubtful)
    return None if drawn is None else str(drawn).replace("encoding='iso-8859-1'", "encoding='utf-8'", 1)


def molecule_png(molecule: Molecule) -> bytes | None:
    """The structure drawn as PNG on white; None where there is none to draw."""
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = _drawn(molecule, rdMolDraw2D.MolDraw2DCairo(-1, -1), PNG_SCALE)
    return None if drawn is None else bytes(drawn)


def _drawn(molecule: MoleculeContent, canvas: Any, scale: int, doubtful: Sequence[int] = ()) -> Any:
    """What RDKit's canvas has drawn: text, or bytes."""
    if not molecule.molblock:
        return None
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    mol = Chem.MolFromMolBlock(molecule.molblock)
    if mol is None:
        return None
    # Structures read from a drawing have coordinates of the page; bonds are 1.5 long behind this, as RDKit's.
    rdDepictor.NormalizeDepiction(mol, canonicalize=0)
    options = canvas.drawOptions()
    options.scalingFactor = BOND_PIXELS / 1.5 * scale
    options.padding = 0.06
    options.bondLineWidth = 1.5 * scale
    options.clearBackground = scale > 1
    atoms = [number - 1 for number in doubtful if number <= mol.GetNumAtoms()]
    colors = dict.fromkeys(atoms, DOUBTFUL_COLOR)
    rdMolDraw2D.PrepareAndDrawMolecule(
        canvas, mol, highlightAtoms=atoms, highlightAtomColors=colors, highlightBonds=[]
    )
    canvas.FinishDrawing()
    return canvas.GetDrawingText()


def score_svg(export: Export, score: Score) -> str | None:
    """Music engraved as SVG by Verovio, in lines under each other; None, with a loss, where it cannot be."""
    svg = engraved(score.kern)
    if svg is None:
        why = "Verovio refuses it"
        if find_spec("verovio") is None:
            why = "it is drawn by Verovio: pip install 'docai[exports]'"
        export.lose("no-engraving", f"Page {score.page}: the score is left as kern, since {why}.", score.id)
    elif (n_drawn := n_measures_of(svg)) < score.n_measures:
        export.lose(
            "cut-engraving",
            f"Page {score.page}: the score's picture ends after measure {n_drawn} of {score.n_measures}.",
            score.id,
        )
    return svg


def engraved(kern: str) -> str | None:
    """Kern as SVG, up to some 900 measures; None where Verovio is not installed or refuses it."""
    from docai.pipelines.external.engraving import engrave

    return engrave(kern, {"breaks": "auto", "pageWidth": 2100, "pageHeight": 60_000, "scale": 40})


def n_measures_of(svg: str) -> int:
    """Measures that Verovio drew."""
    return svg.count('class="measure"')


def score_png(export: Export, score: Score) -> bytes | None:
    """Music as PNG on white; None, with a loss, where it cannot be drawn."""
    svg = score_svg(export, score)
    if svg is None:
        return None
    if find_spec("resvg_py") is None:
        why = "resvg makes its picture: pip install 'docai[exports]'"
        export.lose("no-engraving", f"Page {score.page}: the score is left as kern, since {why}.", score.id)
        return None
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, background="white", zoom=PNG_SCALE))
