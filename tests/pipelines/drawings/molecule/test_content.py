"""Graphs of drawings as records: the same chemistry as that of a SMILES, with places on the page."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from rdkit import Chem

from docai.contents import MoleculeContent
from docai.geometry import center, contains_center, grow
from docai.parsers.molecule import parse_molecule
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.types import (
    BondLink,
    DrawnGraph,
    LabelAtom,
    LabelStructure,
    MoleculeReading,
    NodeMark,
)
from tests.pipelines.drawings.molecule.drawn_graphs import graph_of, labeled_node, written

STRUCTURES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "C[C@H](N)C(=O)O",
    "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O",
    "C/C=C/C(=O)OCC",
    "C/C=C\\C",
    "CC=CC",
    "F/C=C/C=C/Cl",
    "C[N+](C)(C)CC(=O)[O-]",
    "O=[N+]([O-])c1ccccc1",
    "CCO.[Na+].[Cl-]",
    "[2H]C([2H])([2H])O",
    "[13CH3]CO",
    "C[CH]C",
    "CC[O-].[K+]",
    "c1cc[nH]c1",
    "C[S@](=O)CC",
    "C[C@]12CC[C@H](O)C[C@@H]1CC[C@@H]1[C@@H]2CC[C@]2(C)C(=O)CC[C@@H]12",
    "N->[Pt](Cl)(Cl)<-N",
    "[1*]c1ccccc1",
]


def read(graph: DrawnGraph) -> MoleculeContent:
    reading = describe_graph(graph)
    assert reading.content is not None, reading.issues
    return reading.content


@pytest.mark.parametrize("smiles", STRUCTURES)
def test_a_drawn_structure_has_the_content_of_its_smiles(smiles: str) -> None:
    drawn, parsed = read(graph_of(smiles)), parse_molecule(smiles).content
    unlike = {"molblock", "atoms"}
    assert drawn.model_dump(exclude=unlike) == parsed.model_dump(exclude=unlike)
    assert [atom.symbol for atom in drawn.atoms] == [atom.symbol for atom in parsed.atoms]


@pytest.mark.parametrize("smiles", STRUCTURES)
def test_the_mol_block_has_the_coordinates_of_the_page_and_is_the_same_structure(smiles: str) -> None:
    graph = graph_of(smiles)
    content = read(graph)
    assert content.molblock
    mol = Chem.MolFromMolBlock(content.molblock)
    assert Chem.MolToSmiles(mol) == content.smiles
    points = {(round(x, 2), round(y, 2)) for x, y in (node.point for node in graph.nodes)}
    for x, y, _ in mol.GetConformer().GetPositions():
        assert min(math.dist((x, -y), point) for point in points) < 0.02


def test_each_atom_has_its_place_on_the_page() -> None:
    content = read(graph_of("CC(=O)Nc1ccc(O)cc1"))
    mol = Chem.MolFromMolBlock(content.molblock)
    for atom in content.atoms:
        assert atom.bbox is not None
        place = mol.GetConformer().GetAtomPosition(atom.number - 1)
        assert math.dist(center(atom.bbox), (place.x, -place.y)) < 0.02
        assert mol.GetAtomWithIdx(atom.number - 1).GetSymbol() == atom.symbol


def test_boxes_of_atoms_move_and_are_chosen_as_those_of_cells() -> None:
    content = read(graph_of("CCO"))
    moved = content.map_boxes(lambda box: (box[0] + 10, box[1], box[2] + 10, box[3]))
    before, after = [atom.bbox for atom in content.atoms], [atom.bbox for atom in moved.atoms]
    assert all(a and b and b[0] == a[0] + 10 for a, b in zip(before, after, strict=True))
    assert before[0] is not None
    assert [atom.symbol for atom in content.parts_within(grow(before[0], 1)).atoms] == ["C"]
    assert parse_molecule("CCO").content.parts_within((0, 0, 1, 1)).atoms


def with_group(name: str, *, style: str = "plain") -> DrawnGraph:
    """Toluene's ring with a group for its methyl."""
    graph = graph_of("Cc1ccccc1")
    x, y = graph.nodes[0].point
    graph.nodes[0] = labeled_node(x, y, name, LabelAtom("*", label=name, letters=tuple(range(len(name)))))
    return graph


def test_an_abbreviation_is_expanded_and_kept_as_a_label() -> None:
    content = read(with_group("CO2Et"))
    parsed = parse_molecule("c1ccccc1[CO2Et]").content
    assert content.smiles == parsed.smiles
    assert content.smiles_labelled == parsed.smiles_labelled
    assert [(label.text, label.kind, label.expanded) for label in content.labels] == [
        ("CO2Et", "abbreviation", True)
    ]
    assert len(content.labels[0].atoms) == 5


def test_atoms_of_an_abbreviation_are_at_its_letters_and_apart_in_the_mol_block() -> None:
    graph = with_group("Boc")
    content = read(graph)
    label = graph.nodes[0].label
    assert label is not None
    inside = [atom for atom in content.atoms if atom.number in content.labels[0].atoms]
    assert all(atom.bbox is not None and contains_center(label.bbox, atom.bbox) for atom in inside)
    points = Chem.MolFromMolBlock(content.molblock).GetConformer().GetPositions()
    assert min(math.dist(a, b) for i, a in enumerate(points) for b in points[:i]) > 0.3 * graph.bond_length


def test_an_r_group_is_a_numbered_dummy() -> None:
    content = read(with_group("R2"))
    parsed = parse_molecule("c1ccccc1[R2]").content
    assert (content.smiles, content.smiles_labelled) == (parsed.smiles, parsed.smiles_labelled)
    assert [label.kind for label in content.labels] == ["r-group"]
    assert content.inchi is None


def test_a_ring_with_a_circle_is_aromatic() -> None:
    for smiles in ("c1ccccc1", "Oc1ccncc1", "c1cc[nH]c1"):
        graph = graph_of(smiles)
        in_ring = [bond.IsInRing() for bond in Chem.MolFromSmiles(smiles).GetBonds()]
        graph.links = [
            replace(link, order=1, in_circle=True, is_crossed=False) if ring else link
            for link, ring in zip(graph.links, in_ring, strict=True)
        ]
        assert read(graph).smiles == Chem.CanonSmiles(smiles)


def test_wavy_bonds_and_crossed_double_bonds_have_no_configuration() -> None:
    graph = graph_of("C[C@H](N)C(=O)O")
    graph.links = [replace(link, style="wavy") if link.style != "plain" else link for link in graph.links]
    assert read(graph).smiles == "CC(N)C(=O)O"
    graph = graph_of("C/C=C/C")
    graph.links = [replace(link, is_crossed=True) for link in graph.links]
    assert read(graph).smiles == "CC=CC"


def test_a_charge_beside_an_atom_that_is_not_written_is_its_charge() -> None:
    graph = graph_of("CCC")
    x, y = graph.nodes[1].point
    graph.loose = [written(x + 4, y - 6, "+")]
    assert read(graph).smiles == "C[CH+]C"


def test_a_formula_beside_a_structure_is_a_fragment_and_a_number_is_none() -> None:
    graph = graph_of("CCN")
    graph.loose = [written(420, 300, "HCl"), written(300, 340, "7"), written(330, 340, "3a")]
    assert read(graph).smiles == "CCN.Cl"


def test_lone_pairs_are_no_unpaired_electrons_and_a_dot_is_one() -> None:
    for n_dots, smiles in ((4, "CO"), (1, "C[O]")):
        graph = graph_of("CO")
        structure = graph.nodes[1].structure
        assert structure is not None
        structure.atoms[0].radicals = n_dots
        structure.atoms[0].n_hydrogens = 1 if n_dots == 4 else None
        assert read(graph).smiles == smiles


def test_hydrogens_drawn_as_atoms_are_counted_and_keep_their_wedges() -> None:
    graph = graph_of("C[C@H](N)C(=O)O")
    wedge = next(link for link in graph.links if link.style != "plain")
    x, y = graph.nodes[1].point
    graph.nodes.append(labeled_node(x, y + 18, "H", LabelAtom("H", letters=(0,))))
    other = "hash" if wedge.style == "wedge" else "wedge"
    links = [replace(link, style="plain") for link in graph.links]
    links.append(BondLink(1, len(graph.nodes) - 1, 1, other))  # type: ignore[arg-type]
    assert "@" in (read(replace_links(graph, links)).smiles or "")


def replace_links(graph: DrawnGraph, links: list[BondLink]) -> DrawnGraph:
    return replace(graph, links=links)


def codes(reading: MoleculeReading) -> set[str]:
    return {issue.code for issue in reading.issues}


def test_an_atom_with_too_many_bonds_is_an_issue_with_its_place() -> None:
    graph = graph_of("CN(C)C")
    x, y = graph.nodes[1].point
    graph.nodes.append(NodeMark((x, y + 18)))
    graph.links.append(BondLink(1, 4, 1))
    reading = describe_graph(graph)
    assert reading.content is None
    assert reading.confidence == 0.0
    assert "drawing-valence" in codes(reading)
    assert f"N at ({x:.0f}, {y:.0f})" in reading.issues[0].message


def test_nitro_groups_and_azides_drawn_with_five_bonds_are_in_standard_form() -> None:
    graph = graph_of("CC(C)C")
    for index, (symbol, order) in enumerate((("N", 1), ("O", 2), ("O", 2)), start=1):
        x, y = graph.nodes[index].point
        graph.nodes[index] = labeled_node(x, y, symbol, LabelAtom(symbol, letters=(0,)))
        graph.links[index - 1] = replace(graph.links[index - 1], order=order)
    assert read(graph).smiles == "C[N+](=O)[O-]"


def test_what_is_doubtful_lowers_the_confidence_and_is_an_issue() -> None:
    smiles = "CC(=O)Nc1ccc(O)cc1"
    assert describe_graph(graph_of(smiles)).confidence > 0.95
    assert describe_graph(graph_of(smiles)).issues == []

    graph = graph_of(smiles)
    graph.used = 0.8
    graph.unexplained = [(0.0, 0.0, 5.0, 5.0)]
    assert describe_graph(graph).confidence < 0.5
    assert "drawing-unexplained" in codes(describe_graph(graph))

    graph = graph_of(smiles)
    structure = next(node.structure for node in graph.nodes if node.structure)
    structure.atoms[0] = LabelAtom("*", label="Qxz", letters=(0,))
    structure.problems = ["The label 'Qxz' is neither a formula nor a known group."]
    structure.score = 0.5
    assert describe_graph(graph).confidence < 0.5
    assert "drawing-unsure" in codes(describe_graph(graph))

    graph = graph_of(smiles)
    graph.links[0] = replace(graph.links[0], style="wedge")
    assert describe_graph(graph).confidence < 0.5
    assert "drawing-stereo" in codes(describe_graph(graph))

    graph = graph_of(smiles)
    graph.loose = [written(600, 600, "+")]
    assert describe_graph(graph).confidence < 0.5


def test_a_label_without_the_hydrogens_that_it_needs_is_doubtful() -> None:
    graph = graph_of("CCCN")
    structure = graph.nodes[3].structure
    assert structure is not None
    structure.atoms[0].n_hydrogens = 1
    reading = describe_graph(graph)
    assert reading.confidence < 0.5
    assert "drawing-valence" in codes(reading)


def test_an_atom_without_its_hydrogen_where_others_have_theirs_is_doubtful() -> None:
    graph = graph_of("CC(=O)Nc1ccc(O)cc1")
    carbonyl = next(link for link in graph.links if link.order == 2 and graph.nodes[link.end].structure)
    graph.links = [replace(link, order=1) if link is carbonyl else link for link in graph.links]
    reading = describe_graph(graph)
    assert reading.confidence < 0.5
    assert "drawing-valence" in codes(reading)


def test_two_parts_as_near_as_a_bond_is_long_are_doubtful() -> None:
    graph = graph_of("CCCCO")
    del graph.links[1]
    assert describe_graph(graph).confidence < 0.5


def test_a_bare_stroke_is_hardly_a_structure() -> None:
    assert describe_graph(graph_of("CC")).confidence < 0.2
    assert describe_graph(graph_of("NN")).confidence > 0.8


def test_a_hyphen_taken_for_a_bond_is_that_of_the_name() -> None:
    graph = graph_of("CCCC")
    for index, text in ((2, "t"), (3, "Bu")):
        x, y = graph.nodes[index].point
        graph.nodes[index] = labeled_node(x, y, text, LabelAtom("*", label=text, letters=(0,)))
    assert read(graph).smiles == Chem.CanonSmiles("CCC(C)(C)C")


def test_any_graph_is_described_without_an_exception() -> None:
    rng = random.Random(5)
    symbols = ["C", "N", "O", "S", "P", "F", "H", "*", "Na", "Pt", "B"]
    for _ in range(60):
        n_nodes = rng.randint(1, 12)
        nodes = []
        for _ in range(n_nodes):
            x, y = rng.choice([(0.0, 0.0), (rng.uniform(0, 99), rng.uniform(0, 99)), (1e9, -1e9)])
            atom = LabelAtom(rng.choice(symbols), rng.randint(-3, 3), rng.choice([0, 0, 13]), letters=(0,))
            atom.n_hydrogens = rng.choice([None, 0, 1, 4])
            atom.label = rng.choice(["", "Ph", "R1", "Qxz"]) if atom.symbol == "*" else ""
            nodes.append(labeled_node(x, y, "X", atom) if rng.random() < 0.6 else NodeMark((x, y)))
        nodes.append(NodeMark((1.0, 1.0), written(1.0, 1.0, "t"), LabelStructure([])))
        links = [
            BondLink(
                rng.randrange(n_nodes),
                rng.randrange(n_nodes),
                rng.choice([0, 1, 2, 3, 7]),
                rng.choice(["plain", "wedge", "hash", "wavy", "bold", "dashed", "dative"]),
                in_circle=rng.random() < 0.1,
                is_crossed=rng.random() < 0.1,
            )
            for _ in range(rng.randint(0, 16))
        ]
        reading = describe_graph(DrawnGraph(nodes, links, rng.choice([0.0, 18.0]), (0, 0, 99, 99)))
        assert 0.0 <= reading.confidence <= 1.0
