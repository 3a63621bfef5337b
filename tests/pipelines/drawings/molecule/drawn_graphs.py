"""Graphs as a drawing of a structure has them, made of its SMILES, for tests."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem import rdDepictor

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.types import (
    BondLink,
    BondStyle,
    DrawnGraph,
    LabelAtom,
    LabelMark,
    LabelStructure,
    NodeMark,
)

SCALE = 12.0
"""Points an Ångström of RDKit's layout, whose bonds are 1.5 Å long."""


def written(x: float, y: float, text: str) -> LabelMark:
    """A label whose first letter is around a point."""
    letters = [
        Letter(sign, (x - 3 + 7 * i, y - 3.5, x + 3 + 7 * i, y + 3.5), 10.0, y + 3.5, 0)
        for i, sign in enumerate(text)
    ]
    box = (letters[0].bbox[0], letters[0].bbox[1], letters[-1].bbox[2], letters[-1].bbox[3])
    return LabelMark(letters, [0] * len(letters), [0] * len(letters), box)


def labeled_node(x: float, y: float, text: str, atom: LabelAtom) -> NodeMark:
    """A node with a label of one atom."""
    return NodeMark((x, y), written(x, y, text), LabelStructure([atom], attached=[0]))


def graph_of(smiles: str) -> DrawnGraph:
    """The graph that a faithful drawing of a structure makes."""
    mol = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    rdDepictor.Compute2DCoords(mol)
    Chem.WedgeMolBonds(mol, mol.GetConformer())
    nodes = []
    for atom in mol.GetAtoms():
        place = mol.GetConformer().GetAtomPosition(atom.GetIdx())
        x, y = 300 + SCALE * place.x, 300 - SCALE * place.y
        symbol, n_hydrogens = atom.GetSymbol(), atom.GetTotalNumHs()
        is_plain = not (atom.GetFormalCharge() or atom.GetIsotope() or atom.GetNumRadicalElectrons())
        if symbol == "C" and is_plain and atom.GetDegree():
            nodes.append(NodeMark((x, y)))
            continue
        made = LabelAtom(symbol, atom.GetFormalCharge(), atom.GetIsotope(), n_hydrogens or None, letters=(0,))
        made.radicals = atom.GetNumRadicalElectrons()
        nodes.append(labeled_node(x, y, symbol, made))
    links = []
    for bond in mol.GetBonds():
        style: BondStyle = "plain"
        if bond.GetBondType() == Chem.BondType.DATIVE:
            style = "dative"
        elif bond.GetBondDir() == Chem.BondDir.BEGINWEDGE:
            style = "wedge"
        elif bond.GetBondDir() == Chem.BondDir.BEGINDASH:
            style = "hash"
        order = 1 if style == "dative" else int(bond.GetBondTypeAsDouble())
        is_open = bond.GetStereo() == Chem.BondStereo.STEREONONE and order == 2
        links.append(BondLink(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), order, style, is_crossed=is_open))
    xs, ys = [node.point[0] for node in nodes], [node.point[1] for node in nodes]
    return DrawnGraph(nodes, links, 1.5 * SCALE, (min(xs), min(ys), max(xs), max(ys)))
