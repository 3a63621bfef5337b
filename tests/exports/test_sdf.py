"""SD files as RDKit reads them: atoms, bonds and properties."""

from __future__ import annotations

import pytest
from rdkit import Chem

from docai.errors import NothingToExportError
from docai.exports import export

from . import made


def _read(data: bytes) -> list[Chem.Mol]:
    supplier = Chem.SDMolSupplier()
    supplier.SetData(data.decode())
    return list(supplier)


@pytest.mark.parametrize(
    "smiles", ["CCO", "C[C@H](N)C(=O)O", "F/C=C/F", "[Na+].[Cl-]", "c1ccc2ccccc2c1", "*CC"]
)
def test_structures_come_back(smiles: str) -> None:
    (mol,) = _read(export(made.document(made.molecule(smiles)), "out.sdf"))
    assert Chem.MolToSmiles(mol) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def test_confidence_and_place_are_properties() -> None:
    molecule = made.molecule("CCO", page=4)
    for atom, value in zip(molecule.atoms, (0.5, 0.25, None), strict=True):
        atom.confidence = value
    (mol,) = _read(export(made.document(molecule), "out.sdf"))
    assert mol.GetProp("_Name") == molecule.id
    properties = mol.GetPropsAsDict()
    assert (properties["page"], properties["x1"], properties["confidence"]) == (4, 110.0, 0.75)
    assert properties["inchikey"] == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    by_number = {atom.number: atom.confidence for atom in molecule.atoms}
    for index, atom in enumerate(mol.GetAtoms(), 1):
        expected = by_number[index]
        if expected is not None:
            assert atom.GetDoubleProp("confidence") == expected


def test_text_of_a_model_does_not_break_the_file() -> None:
    molecule = made.molecule("CCO").model_copy(update={"raw": "CCO\n\n$$$$\n>  <page>\n99"})
    first, second = _read(export(made.document(molecule, made.molecule("CC")), "out.sdf"))
    assert first.GetProp("raw") == "CCO $$$$ >  <page> 99"
    assert first.GetProp("page") == "1"
    assert second.GetNumAtoms() == 2


def test_what_is_no_structure_is_a_loss() -> None:
    bad = made.molecule("C(((")
    file = export(made.document(bad, made.molecule("CC")), "out.sdf")
    assert len(_read(file)) == 1
    assert [(loss.code, loss.record) for loss in file.losses] == [("invalid-structure", bad.id)]
    with pytest.raises(NothingToExportError, match="no valid molecules"):
        export(made.document(bad), "out.sdf")
