"""Read one image, as one region, with one head.

    python examples/read_image.py [IMAGE]

Without an image it draws paracetamol with RDKit. Prints the SMILES that was read, the confidence, which
reader it came from (the embedded model, or OSRA where it is installed), and how similar the answer is to the
picture when it is drawn again. The embedded model alone reads few molecules: look at the confidence.
"""

import sys

from rdkit.Chem import Draw, MolFromSmiles

import docai


def main() -> None:
    drawing = Draw.MolToImage(MolFromSmiles("CC(=O)Nc1ccc(O)cc1"), size=(400, 300))
    molecule = docai.read(sys.argv[1] if len(sys.argv) > 1 else drawing, head="molecule")
    assert isinstance(molecule, docai.Molecule)
    print("SMILES:    ", molecule.smiles)
    print("confidence:", molecule.confidence.value, "by", molecule.confidence.method)
    print("evidence:  ", ", ".join(molecule.evidence))
    if molecule.read_back is not None:
        print("read-back: ", molecule.read_back.similarity)
    for issue in molecule.issues:
        print(f"{issue.severity}: {issue.message} ({issue.code})")


if __name__ == "__main__":
    main()
