"""Pictures of the viewer: pages, the crops that heads read, and contents drawn anew."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent
from docai.limits import Limits
from docai.models.heads import HEADS
from docai.pipelines.crops.crop import CROP_SIZE, make_crop
from docai.pipelines.external.engraving import engrave
from docai.pipelines.ingest import Page, Source, open_source
from docai.records import RecordBase, kind_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from rdkit.Chem import Mol

PAGE_PX: Final = 1400
"""Longer side of the picture of a page."""

_QUALITY: Final = 70
"""Of WebP; small print is clear."""

_DRAWING_PX: Final = (640, 420)
"""Width and height of the drawing of a molecule."""

_DOUBTFUL_ATOM: Final = (1.0, 0.72, 0.3)
"""Color behind an atom that is not sure: red, green and blue, 0…1."""

_SURE: Final = 0.8


class PictureBook:
    """Pictures of one document. Use it in a ``with`` block; several threads may ask at a time.

    Args:
        source: the file that was read.
        password: opens an encrypted PDF.
        limits: None for the defaults.
    """

    def __init__(self, source: Path, *, password: str | None = None, limits: Limits | None = None) -> None:
        self._path = source
        self._password = password
        self._limits = limits or Limits()
        self._source: Source | None = None
        self._lock = Lock()

    def page(self, number: int) -> bytes:
        """A page, from 1, as WebP. Raises :class:`docai.errors.InputError`."""
        with self._page(number) as page:
            scale = page.fit_scale(PAGE_PX / max(page.width, page.height, 1.0))
            return as_webp(page.render(scale=scale))

    def crop(self, record: RecordBase) -> bytes:
        """The square that the head of a record reads, as WebP. Raises :class:`docai.errors.InputError`."""
        kind = kind_of(type(record))
        size = HEADS[kind].resolution if kind in HEADS else CROP_SIZE
        with self._page(record.page) as page:
            return as_webp(make_crop(page, record.bbox, size=size).image)

    @contextmanager
    def _page(self, number: int) -> Iterator[Page]:
        with self._lock:
            if self._source is None:
                self._source = open_source(self._path, password=self._password, limits=self._limits)
            with self._source.page(number) as page:
                yield page

    def close(self) -> None:
        with self._lock:
            if self._source is not None:
                self._source.close()
                self._source = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_webp(picture: Image) -> bytes:
    """A picture for a browser."""
    data = io.BytesIO()
    picture.convert("RGB").save(data, "WEBP", quality=_QUALITY, method=2)
    return data.getvalue()


def draw_content(content: Content) -> str | None:
    """A molecule or a score as SVG; None for other kinds, and where it cannot be drawn here.

    RDKit draws molecules, with a patch of color behind each atom that is not sure. Verovio engraves scores;
    it is in the extra ``synth``.
    """
    match content:
        case MoleculeContent():
            return _draw_molecule(content)
        case ScoreContent():
            return engrave(content.kern) if content.kern.strip() else None
    return None


def _draw_molecule(content: MoleculeContent) -> str | None:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = None if not content.molblock else Chem.MolFromMolBlock(content.molblock, removeHs=False)
    if molecule is None:
        return None
    # Coordinates may be points of a page; letters are drawn as large as fits bonds of RDKit's own length.
    rdDepictor.NormalizeDepiction(molecule, canonicalize=0)
    doubtful = _doubtful_atoms(content, molecule)
    drawing = rdMolDraw2D.MolDraw2DSVG(*_DRAWING_PX)
    try:
        rdMolDraw2D.PrepareAndDrawMolecule(
            drawing,
            molecule,
            highlightAtoms=doubtful,
            highlightAtomColors=dict.fromkeys(doubtful, _DOUBTFUL_ATOM),
            highlightBonds=[],
        )
        drawing.FinishDrawing()
    except (RuntimeError, ValueError):
        return None
    text: str = drawing.GetDrawingText()
    return text


def _doubtful_atoms(content: MoleculeContent, molecule: Mol) -> Sequence[int]:
    """Indices of them, from 0."""
    return [
        atom.number - 1
        for atom in content.atoms
        if atom.confidence is not None and atom.confidence < _SURE and atom.number <= molecule.GetNumAtoms()
    ]
