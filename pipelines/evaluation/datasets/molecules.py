"""Drawings of molecules: MolScribe's CSV, and pictures with molfiles beside them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    files_below,
    is_picture,
    nothing_found,
    one_file,
    read_text,
    require_folder,
)

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_EXPECTED_CSV = "a CSV file with the columns file_path and SMILES"
_EXPECTED_FILES = "pictures with a .mol, .sdf or .smi of the same name"
_TRUTHS = (".mol", ".sdf", ".smi", ".smiles")
"""Lower case; the first that a picture has wins."""
_LONGEST_FIELD = 1 << 24


def read_molscribe(path: Path) -> Iterator[Sample | Skipped]:
    """MolScribe's CSV: ``image_id`` (else the file's stem), ``file_path`` relative to the file, ``SMILES``.

    The truth is canonical isomeric SMILES; one that RDKit cannot read, such as with ``[R1]`` or ``[Ph]``, is
    kept as it stands. ``node_coords`` and ``edges`` are not read. Source:
    https://github.com/thomas0809/MolScribe. ``docai synth molecule`` writes this layout.

    Raises:
        DatasetError: no such file, or a column is missing.
    """
    file = one_file(path, (".csv",), _EXPECTED_CSV)
    try:
        with file.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
            columns = next(csv.reader(stream), [])
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
    if "SMILES" not in columns or "file_path" not in columns:
        hint = "; MolScribe's PubChem list has no pictures" if "pubchem_cid" in columns else ""
        raise DatasetError(
            f"{file} has the columns {', '.join(columns) or 'none'}; expected {_EXPECTED_CSV}{hint}."
        )
    return _csv_rows(file, columns)


def _csv_rows(file: Path, columns: list[str]) -> Iterator[Sample | Skipped]:
    sources = Sources(file.parent, beyond=file.parent.parent)
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        rows = csv.reader(stream)
        next(rows)
        while True:
            # The limit is the module's own: it is set around each row, or another reader's would hold here.
            before = csv.field_size_limit(_LONGEST_FIELD)
            try:
                row = next(rows, None)
            except csv.Error:
                yield Skipped(f"line {rows.line_num}", "The line is not CSV.")
                continue
            finally:
                csv.field_size_limit(before)
            if row is None:
                return
            if not row:
                continue
            if len(row) != len(columns):
                yield Skipped(f"line {rows.line_num}", "The line has another number of columns.")
                continue
            yield _csv_sample(dict(zip(columns, row, strict=True)), rows.line_num, sources)


def _csv_sample(row: Mapping[str, str], line: int, sources: Sources) -> Sample | Skipped:
    name, smiles = row["file_path"].strip(), row["SMILES"].strip()
    if not name:
        return Skipped(f"line {line}", "The line has no file_path.")
    case = row.get("image_id", "").strip() or Path(name).stem
    if not smiles:
        return Skipped(case, "The line has no SMILES.")
    try:
        source = sources.require(name)
    except MalformedError as error:
        return Skipped(case, str(error))
    return Sample(id=case, truth=(Item(kind="molecule", text=_canonical(smiles) or smiles),), source=source)


def read_molfiles(path: Path) -> Iterator[Sample | Skipped]:
    """Pictures (TIFF, PNG, …) with ``.mol``, ``.sdf`` or ``.smi`` of the same stem, in a folder or a tree.

    So come USPTO, CLEF-2012, UOB, JPO (``X.TIF`` and ``X.MOL``: V2000, abbreviations as ``SUP`` S-groups
    with all atoms present), the SDF of testSet1 and the SMILES of USAN. Ends of names match in any case.
    The truth is canonical isomeric SMILES, stereo from the wedges, all fragments; the first token of a
    ``.smi``. What RDKit cannot read is skipped. Source: https://github.com/ncats/molvec.

    Raises:
        DatasetError: no such files.
    """
    require_folder(path, f"a folder with {_EXPECTED_FILES}")
    pictures: dict[Path, list[Path]] = {}
    truths: dict[Path, dict[str, Path]] = {}
    for file in files_below(path):
        suffix = file.suffix.lower()
        if suffix in _TRUTHS:
            truths.setdefault(file.with_suffix(""), {})[suffix] = file
        elif is_picture(file):
            pictures.setdefault(file.with_suffix(""), []).append(file)
    if not truths:
        raise nothing_found(path, _EXPECTED_FILES)
    return _molfiles(path, pictures, truths)


def _molfiles(
    root: Path, pictures: dict[Path, list[Path]], truths: dict[Path, dict[str, Path]]
) -> Iterator[Sample | Skipped]:
    for stem in sorted(pictures.keys() | truths.keys()):
        case = stem.relative_to(root).as_posix()
        candidates = pictures.get(stem, [])
        if stem not in truths:
            yield Skipped(case, "The picture has no .mol, .sdf or .smi beside it.")
        elif len(candidates) > 1:
            yield Skipped(case, "Several pictures have its name.")
        elif not candidates and pictures:
            yield Skipped(case, Sources.MISSING)
        else:
            by_suffix = truths[stem]
            truth = next(by_suffix[suffix] for suffix in _TRUTHS if suffix in by_suffix)
            try:
                item = Item(kind="molecule", text=_read_truth(truth))
                yield Sample(id=case, truth=(item,), source=candidates[0] if candidates else None)
            except MalformedError as error:
                yield Skipped(case, str(error))


def _read_truth(file: Path) -> str:
    try:
        text = read_text(file)
    except OSError as error:
        raise MalformedError("Its truth cannot be read.") from error
    if file.suffix.lower() in (".smi", ".smiles"):
        tokens = text.split(maxsplit=1)
        smiles = _canonical(tokens[0]) if tokens else None
    else:
        blocks = [block for block in text.split("$$$$") if "M  END" in block]
        if len(blocks) > 1:
            raise MalformedError("Its truth holds several records.")
        smiles = _smiles_of_block(text.split("$$$$", maxsplit=1)[0])
    if not smiles:
        raise MalformedError("RDKit cannot read its truth.")
    return smiles


def _canonical(smiles: str) -> str | None:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return _written(Chem.MolFromSmiles(smiles))


def _smiles_of_block(block: str) -> str | None:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            return _written(Chem.MolFromMolBlock(block))
        except (ValueError, RuntimeError):
            # Files whose counts line or blocks are cut raise instead of giving None.
            return None


def _written(molecule: Mol | None) -> str | None:
    from rdkit import Chem

    if molecule is None or not molecule.GetNumAtoms():
        return None
    return Chem.MolToSmiles(molecule) or None


FORMATS = (
    Format(
        name="molscribe",
        read=read_molscribe,
        unit="crop",
        kinds=("molecule",),
        tasks=("molecule",),
        summary="MolScribe: a .csv file with file_path and SMILES",
    ),
    Format(
        name="molfiles",
        read=read_molfiles,
        unit="crop",
        kinds=("molecule",),
        tasks=("molecule",),
        summary="USPTO, CLEF, UOB, JPO, USAN: pictures with a .mol, .sdf or .smi of the same name",
    ),
)
