"""What a label stands for: its characters as atoms, bonds and charges, and which atom each bond is to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Final, NamedTuple

from docai.geometry import center, union
from docai.parsers.molecule_labels import GROUPS, is_label
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_formula import (
    Formula,
    FormulaAtom,
    Unit,
    numbered_units,
    reverse_units,
    solve_formula,
)
from docai.pipelines.drawings.molecule.label_text import (
    Character,
    Reading,
    plain_characters,
    read_units,
    table_name,
)
from docai.pipelines.drawings.molecule.types import (
    Attachment,
    DrawnGraph,
    LabelAtom,
    LabelMark,
    LabelStructure,
)

SURE_SCORE: Final = 0.95
"""Score of a letter from which on nothing else is tried in its place."""

CLEAR_MARGIN: Final = 0.6
"""Cost by which another structure must be less likely for a label to be read surely."""

MAX_VARIANTS: Final = 48
"""Ways to read unsure letters that are tried."""

INSIDE_DISTANCE: Final = 0.7
"""Ems by which an atom in parentheses counts as farther from a bond: the atom before them is meant."""

_ANNOTATION: Final = re.compile(
    r"[0-9]+[a-z]?|\(?[RSEZrsMP]\)|\((?:[RSEZrs±+-]|rac|rel|abs)\)?|abs|and\d*|or\d+|&\d+|\(?[+-]\)|\(±\)|[*]?rac|:\d+"
)
"""Numbers of atoms or compounds, and descriptors of stereo."""

_LOOK_ALIKES: Final = {
    "0": "O",
    "o": "O",
    "l": "I1",
    "I": "l1",
    "1": "lI",
    "|": "lI1",
    "c": "C",
    "s": "S",
    "p": "P",
    "n": "N",
    "S": "5s",
    "5": "S",
    "B": "8",
    "8": "B",
    "Z": "2",
    "z": "Z2",
    "_": "-",
}
"""Characters that are easily taken for others, where the letter has no list of its own."""


_FREE_NAMES: Final = {"TFA": "CF3CO2H"}
"""Names of acids beside a structure that is their salt → formula."""

_ALKALI: Final = ("Li", "Na", "K", "Rb", "Cs")


class _Solution(NamedTuple):
    cost: float
    formula: Formula
    attached: tuple[int, ...]
    """For each attachment the index of a unit, counted through all parentheses."""


def label_text(label: LabelMark) -> str:
    """The characters of a label from the top left on, in the plain characters that formulas are read in."""
    return "".join(plain_characters(letter.text) for letter in label.letters)


def is_annotation(label: LabelMark) -> bool:
    """Whether a label is a number, or a descriptor of stereo such as ``(R)``, and no atom."""
    return _ANNOTATION.fullmatch(label_text(label)) is not None


def is_charge_only(label: LabelMark) -> bool:
    """Whether a label is a charge or a radical dot alone, which belongs to the atom beside it."""
    return bool(re.fullmatch(r"\d?[+-]+|[+-]\d|\.{1,3}", label_text(label)))


def read_label(label: LabelMark, attachments: Sequence[Attachment]) -> LabelStructure:
    """The atoms and bonds that a label at the end of bonds stands for.

    A charge or dot alone stands for a carbon atom that has it. What cannot be read is one atom ``*`` with the
    text as its label and a problem.

    Args:
        label: its letters.
        attachments: where bonds meet it; at least one, unless it is an atom without bonds.
    """
    best: LabelStructure | None = None
    best_cost = other_cost = float("inf")
    best_letters: list[Character] = []
    for characters, oddness in _variants(label, attachments):
        if oddness >= best_cost + CLEAR_MARGIN:
            continue
        structure, cost = _read_characters(characters, label, attachments)
        if structure is None:
            continue
        if best is not None and _same_structure(best, structure):
            best_cost = min(best_cost, cost + oddness)
        elif cost + oddness < best_cost:
            best, best_cost, other_cost = structure, cost + oddness, best_cost
            best_letters = characters
        else:
            other_cost = min(other_cost, cost + oddness)
    if best is None:
        return _unread(label, attachments)
    best.score = round(_score(best_letters, label) * max(0.3, 1.0 - 0.05 * max(0.0, best_cost - 1.0)), 4)
    if other_cost < best_cost + CLEAR_MARGIN:
        best.score = round(0.6 * best.score, 4)
    return best


def _same_structure(a: LabelStructure, b: LabelStructure) -> bool:
    def key(structure: LabelStructure) -> list[tuple[object, ...]]:
        return [(one.symbol, one.charge, one.isotope, one.n_hydrogens, one.label) for one in structure.atoms]

    return key(a) == key(b) and a.bonds == b.bonds and a.attached == b.attached


def _score(characters: Sequence[Character], label: LabelMark) -> float:
    """How sure the letters are as read: shapes that stand for several characters are told apart by chemistry."""
    score = 1.0
    for character in characters:
        letter = label.letters[character.letter]
        kin = {plain_characters(other) for other in letter.others}
        if plain_characters(letter.text) == character.text and kin <= {character.text}:
            value = max(letter.score, 0.97) if letter.score >= 0.4 else letter.score
        elif letter.score >= 0.4 and (character.text in kin or letter.text == character.text):
            value = 0.97 if letter.score < SURE_SCORE else letter.score
        else:
            value = letter.score if plain_characters(letter.text) == character.text else 0.5 * letter.score
        score = min(score, value)
    return score


def join_hyphened_names(graph: DrawnGraph) -> None:
    """Make one label of ``t`` and ``Bu`` in a graph, whose hyphen was taken for a bond.

    The node of the first letter stays without an atom, so that all indices stay as they are.
    """
    for number, link in enumerate(graph.links):
        nodes = [(end, graph.nodes[end]) for end in (link.begin, link.end)]
        for (first, prefix), (last, name) in (nodes, nodes[::-1]):
            if prefix.label is None or name.label is None or name.structure is None:
                continue
            text = f"{label_text(prefix.label)}-{label_text(name.label)}"
            if not label_text(prefix.label).islower() or table_name(text) not in GROUPS:
                continue
            letters = [*prefix.label.letters, *name.label.letters]
            box = union((prefix.label.bbox, name.label.bbox))
            name.label = LabelMark(letters, [0] * len(letters), [0] * len(letters), box, link.paths)
            atom = LabelAtom("*", label=table_name(text), letters=tuple(range(len(letters))))
            name.structure = LabelStructure([atom], attached=[0], score=name.structure.score)
            prefix.structure = LabelStructure([])
            del graph.links[number]
            for other in graph.links:
                if other.begin in (first, last):
                    other.begin, other.begin_atom = last, 0
                if other.end in (first, last):
                    other.end, other.end_atom = last, 0
            join_hyphened_names(graph)
            return


def read_free_label(label: LabelMark) -> LabelStructure | None:
    """The molecules or ions of a formula without bonds, such as ``HCl``, ``Na+`` or ``2 H2O``.

    None where it is no complete formula: a caption, a number, or the name of a group.
    """
    if is_annotation(label) or is_charge_only(label):
        return None
    for characters, _ in _variants(label, ()):
        text = "".join(character.text for character in characters)
        if text in _FREE_NAMES:
            characters = [Character(sign, 0, 0) for sign in _FREE_NAMES[text]]
        for reading in read_units(characters):
            structure = _read_free(reading)
            if structure is not None:
                structure.score = round(_score(characters, label), 4) if text not in _FREE_NAMES else 0.95
                return structure
    return None


def _characters(label: LabelMark, first_line: int) -> list[Character]:
    """The characters of the label, beginning with one of its lines, then those nearest to it."""
    order = sorted(set(label.lines), key=lambda line: (abs(line - first_line), line))
    found = []
    for line in order:
        for index, letter in enumerate(label.letters):
            if label.lines[index] == line:
                found += [
                    Character(text, label.scripts[index], index)
                    for text in plain_characters(letter.text) or "?"
                ]
    return found


def _variants(label: LabelMark, attachments: Sequence[Attachment]) -> Iterator[tuple[list[Character], float]]:
    """Ways to read the letters, and how unlikely each is beside the first one."""
    line = _attached_line(label, attachments)
    first = _characters(label, line)
    yield first, 0.0
    unsure = [
        index
        for index, character in enumerate(first)
        if label.letters[character.letter].score < SURE_SCORE or label.letters[character.letter].others
    ]
    # Where nothing else fits, a letter that looked sure may be wrong, unless a font says what it is.
    unsure += [
        index
        for index, character in enumerate(first)
        if index not in unsure
        and label.letters[character.letter].glyph is None
        and character.text in _LOOK_ALIKES
    ]
    n_left = MAX_VARIANTS
    for size in (1, 2, 3):
        for places in combinations(unsure[:10], size):
            options = [
                _alternatives(label.letters[first[place].letter], first[place].text) for place in places
            ]
            for choice in product(*options):
                n_left -= 1
                if n_left < 0:
                    return
                changed = list(first)
                for place, text in zip(places, choice, strict=True):
                    changed[place] = changed[place]._replace(text=text)
                yield changed, sum(_oddness(label.letters[first[place].letter]) for place in places)


def _oddness(letter: Letter) -> float:
    """Cost of taking a letter for something else than it most likely is."""
    return 0.5 + 2.0 * letter.score if letter.others else 2.5


def _alternatives(letter: Letter, text: str) -> list[str]:
    others = [plain_characters(other) for other in letter.others] or [*_LOOK_ALIKES.get(text, "")]
    return [other for other in others if len(other) == 1 and other != text][:4]


def _attached_line(label: LabelMark, attachments: Sequence[Attachment]) -> int:
    """The line of the label at which most of its bonds end."""
    if not attachments or not label.letters:
        return 0
    votes = [
        label.lines[
            min(range(len(label.letters)), key=lambda index: distance_along(label.letters[index], attachment))
        ]
        for attachment in attachments
    ]
    return max(sorted(set(votes)), key=votes.count)


def distance_along(letter: Letter, attachment: Attachment) -> float:
    """How far a letter is from where a bond points to, in ems: sideways more than along the bond."""
    x, y = center(letter.bbox)
    dx, dy = x - attachment.point[0], y - attachment.point[1]
    ux, uy = attachment.direction
    sideways, along = abs(dx * uy - dy * ux), -(dx * ux + dy * uy)
    return (sideways + 0.45 * abs(along)) / max(letter.size, 1e-6)


def _read_characters(
    characters: list[Character], label: LabelMark, attachments: Sequence[Attachment]
) -> tuple[LabelStructure | None, float]:
    text = "".join(character.text for character in characters)
    if re.fullmatch(r"\d?[+-]+|[+-]\d|\.{1,3}", text):
        return _charged_carbon(text, characters, attachments), 0.0
    best: tuple[LabelStructure | None, float] = (None, float("inf"))
    for reading in read_units(characters):
        if reading.cost >= best[1] or reading.multiple > 1:
            continue
        found = _read_units(reading, label, attachments)
        if found is not None and found[1] < best[1]:
            best = found
    structure, cost = best
    if attachments and text in GROUPS and len(attachments) == 1:
        whole = _as_group(text, structure, label, attachments[0])
        if whole is not None:
            return whole, min(cost, 1.0)
    return structure, cost


def _charged_carbon(
    text: str, characters: Sequence[Character], attachments: Sequence[Attachment]
) -> LabelStructure:
    n_dots = text.count(".")
    digits = re.sub(r"\D", "", text)
    size = int(digits) if digits else len(text)
    charge = 0 if n_dots else size if "+" in text else -size
    letters = tuple(character.letter for character in characters)
    atom = LabelAtom("C", charge=charge, radicals=n_dots, letters=letters)
    return LabelStructure([atom], attached=[0] * len(attachments))


def _read_units(
    reading: Reading, label: LabelMark, attachments: Sequence[Attachment]
) -> tuple[LabelStructure, float] | None:
    units = reading.units
    flat = list(numbered_units(units))
    heavy = [
        index
        for index, unit in enumerate(flat)
        if unit.symbol not in ("", "(", "H") or (unit.symbol == "H" and unit.isotope)
    ]
    plain = [index for index, unit in enumerate(flat) if unit.symbol == "H" and not unit.isotope]
    if (
        not any(unit.symbol == "(" for unit in units)
        and (single := _single_atom(flat, heavy, plain)) is not None
    ):
        single.attached = [0] * len(attachments)
        return single, reading.cost
    if not attachments:
        return None
    candidates = [index for index in heavy if flat[index].symbol != "H"] or heavy or plain
    best: _Solution | None = None
    for attached, extra in _attachment_choices(flat, candidates, label, attachments):
        outside: dict[tuple[int, ...], list[int]] = {}
        for index, attachment in zip(attached, attachments, strict=True):
            outside.setdefault(flat[index].letters, []).append(attachment.order)
        for ordered, oddness in _directions(units, flat[attached[0]]):
            # A label within a chain is written as one reads.
            cost = reading.cost + extra + oddness + (1.5 if oddness and len(outside) > 1 else 0.0)
            if best is not None and cost >= best.cost:
                continue
            formula = solve_formula(ordered, outside)
            if formula is not None and (best is None or cost + formula.cost < best.cost):
                best = _Solution(cost + formula.cost, formula, attached)
    if best is None:
        return None
    structure, places = _as_structure(best.formula)
    structure.attached = [places[flat[index].letters] for index in best.attached]
    if (
        len(structure.attached) == 2
        and best.attached[0] == best.attached[1]
        and flat[best.attached[0]].letters
    ):
        letters = flat[best.attached[0]].letters
        structure.attached[1] = max(
            index for index, atom in enumerate(structure.atoms) if letters[0] in atom.letters
        )
    return structure, best.cost


def _single_atom(flat: Sequence[Unit], heavy: Sequence[int], plain: Sequence[int]) -> LabelStructure | None:
    """A label of one atom and its hydrogens, whose number need not fit: valences are looked at later."""
    atoms = heavy or plain[:1]
    if len(atoms) != 1 or flat[atoms[0]].count != 1:
        return None
    unit = flat[atoms[0]]
    n_hydrogens = sum(flat[index].count for index in plain if index != atoms[0])
    if unit.symbol == "*" and unit.label and (n_hydrogens or unit.label in GROUPS):
        return None
    charge = sum(part.charge for part in flat if not part.symbol)
    letters = tuple(letter for part in flat for letter in part.letters)
    return LabelStructure(
        [
            LabelAtom(
                unit.symbol,
                charge,
                unit.isotope,
                n_hydrogens or None,
                unit.radicals,
                unit.label,
                letters,
            )
        ]
    )


def _attachment_choices(
    flat: Sequence[Unit], candidates: Sequence[int], label: LabelMark, attachments: Sequence[Attachment]
) -> list[tuple[tuple[int, ...], float]]:
    """Units that the attachments may be to, with how far the geometry is from it, the likeliest first."""
    ranked: list[list[tuple[int, float]]] = []
    nested = _nested(flat)
    if nested.issuperset(candidates):
        nested = set()
    for attachment in attachments:
        distances = {
            index: min(distance_along(label.letters[letter], attachment) for letter in flat[index].letters)
            + (INSIDE_DISTANCE if index in nested else 0.0)
            for index in candidates
            if flat[index].letters
        }
        if not distances:
            return []
        nearest = min(distances.values())
        order = sorted(distances, key=distances.__getitem__)[:3]
        ranked.append([(index, 6.0 * (distances[index] - nearest)) for index in order])
    choices = [
        (tuple(index for index, _ in chosen), sum(cost for _, cost in chosen))
        for chosen in product(*ranked[:4])
    ]
    if len(attachments) > 4:
        return []
    return sorted(choices, key=lambda choice: choice[1])[:12]


def _nested(flat: Sequence[Unit]) -> set[int]:
    """Units within parentheses."""
    return {
        place
        for index, unit in enumerate(flat)
        if unit.parts
        for place in range(index + 1, index + 1 + sum(1 for _ in numbered_units(unit.parts)))
    }


def _directions(units: Sequence[Unit], attached: Unit) -> Iterator[tuple[Sequence[Unit], float]]:
    """Orders in which the units may make a chain: as written, from the right, from the attached one outward."""
    yield units, 0.0
    if len(units) < 2:
        return
    yield reverse_units(units, turn_parts=False), 0.05
    if any(unit.symbol == "(" for unit in units):
        yield reverse_units(units, turn_parts=True), 0.2
    place = next((index for index, unit in enumerate(units) if unit is attached), None)
    if place is None or place in (0, len(units) - 1):
        return
    for turn_parts in (False, True):
        left = reverse_units(units[: place + 1], turn_parts=turn_parts)
        yield (*left, *units[place + 1 :]), 0.1 + 0.1 * turn_parts
        yield (units[place], *units[place + 1 :], *left[1:]), 0.2 + 0.1 * turn_parts


def _as_structure(formula: Formula) -> tuple[LabelStructure, dict[tuple[int, ...], int]]:
    """Atoms with their plain hydrogens counted, and the first atom of each unit by its letters."""
    index_of: dict[int, int] = {}
    places: dict[tuple[int, ...], int] = {}
    atoms: list[LabelAtom] = []
    n_bonds = [0] * len(formula.atoms)
    for first, second, _ in formula.bonds:
        n_bonds[first] += 1
        n_bonds[second] += 1
    for number, atom in enumerate(formula.atoms):
        if _is_counted(atom, n_bonds[number], formula):
            continue
        index_of[number] = len(atoms)
        places.setdefault(atom.letters, len(atoms))
        n_hydrogens = None if atom.symbol in ("*", "H") else 0
        atoms.append(
            LabelAtom(
                atom.symbol, atom.charge, atom.isotope, n_hydrogens, atom.radicals, atom.label, atom.letters
            )
        )
    bonds = []
    for first, second, order in formula.bonds:
        if first in index_of and second in index_of:
            bonds.append((index_of[first], index_of[second], order))
            continue
        heavy, light = (first, second) if first in index_of else (second, first)
        owner = atoms[index_of[heavy]]
        owner.n_hydrogens = (owner.n_hydrogens or 0) + 1
        owner.letters = tuple(dict.fromkeys((*owner.letters, *formula.atoms[light].letters)))
    return LabelStructure(atoms, bonds), places


def _is_counted(atom: FormulaAtom, n_bonds: int, formula: Formula) -> bool:
    """Whether an atom is a plain hydrogen that its neighbor counts."""
    return (
        atom.symbol == "H"
        and not atom.isotope
        and not atom.charge
        and not atom.outside
        and n_bonds == 1
        and any(other.symbol != "H" for other in formula.atoms)
    )


def _as_group(
    text: str, structure: LabelStructure | None, label: LabelMark, attachment: Attachment
) -> LabelStructure | None:
    """The label as one group of the table; None where it is one atom, or the table means something else."""
    if attachment.order != 1 or _n_heavy(GROUPS[text]) < 2:
        return None
    if structure is not None:
        alone = structure.atoms[0].symbol == "*" and len(structure.atoms) == 1
        if not alone and _structure_smiles(structure) != _group_smiles(GROUPS[text]):
            return None
    letters = tuple(range(len(label.letters)))
    return LabelStructure([LabelAtom("*", label=text, letters=letters)], attached=[0])


@lru_cache(maxsize=512)
def _n_heavy(smiles: str) -> int:
    from rdkit import Chem

    return int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())


@lru_cache(maxsize=512)
def _group_smiles(smiles: str) -> str:
    """Canonical SMILES of a group with its open bond to a marked dummy."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(f"[900*]{smiles}")
    return str(Chem.MolToSmiles(mol)) if mol else ""


def _structure_smiles(structure: LabelStructure) -> str:
    """The same of what was read of a label; groups in it are written out."""
    from rdkit import Chem, rdBase

    mol = Chem.RWMol()
    firsts = []
    for atom in structure.atoms:
        if atom.symbol == "*" and atom.label in GROUPS:
            group = Chem.MolFromSmiles(GROUPS[atom.label], sanitize=False)
            start = mol.GetNumAtoms()
            mol.InsertMol(group)
            firsts.append(start)
            continue
        made = Chem.Atom(0 if atom.symbol == "*" else atom.symbol)
        made.SetFormalCharge(atom.charge)
        made.SetIsotope(atom.isotope)
        firsts.append(mol.AddAtom(made))
    for first, second, order in structure.bonds:
        mol.AddBond(firsts[first], firsts[second], Chem.BondType.values[order])
    dummy = Chem.Atom(0)
    dummy.SetIsotope(900)
    mol.AddBond(mol.AddAtom(dummy), firsts[structure.attached[0]], Chem.BondType.SINGLE)
    log_block = rdBase.BlockLogs()
    try:
        Chem.SanitizeMol(mol)
    except (Chem.MolSanitizeException, ValueError, RuntimeError):
        return "?"
    finally:
        del log_block
    return str(Chem.MolToSmiles(mol))


def _read_free(reading: Reading) -> LabelStructure | None:
    units = list(reading.units)
    # The acidic hydrogens of HNO3 are written first, and are on the oxygens.
    while len(units) > 1 and units[0].symbol == "H" and not units[0].isotope:
        units.append(units.pop(0))
    if any(unit.symbol == "*" and unit.label not in GROUPS for unit in numbered_units(units)):
        return None
    structure = _solve_free(units)
    ions = [unit for unit in units if unit.symbol in _ALKALI]
    anion = [unit for unit in units if unit.symbol not in _ALKALI]
    if ions and anion and all(unit.symbol for unit in units):
        n_ions = sum(unit.count for unit in ions)
        salt = _solve_free([*anion, Unit("", charge=-n_ions)])
        if salt is not None and not any(atom.charge and atom.symbol in ("C", "H") for atom in salt.atoms):
            metals = [LabelAtom(unit.symbol, 1, unit.isotope, 0, letters=unit.letters) for unit in ions]
            copies = [metal for unit, metal in zip(ions, metals, strict=True) for _ in range(unit.count)]
            structure = LabelStructure([*salt.atoms, *copies], salt.bonds)
    return structure and _repeated(structure, reading.multiple)


def _solve_free(units: Sequence[Unit]) -> LabelStructure | None:
    orders = (units, reverse_units(units, turn_parts=False))
    formulas = [formula for order in orders if (formula := solve_formula(order, {})) is not None]
    if not formulas:
        return None
    structure, _ = _as_structure(min(formulas, key=lambda formula: formula.cost))
    bonded = {index for bond in structure.bonds for index in bond[:2]}
    for index, atom in enumerate(structure.atoms):
        # A symbol alone is more likely a number of a compound or a word than a bare atom.
        if index not in bonded and not atom.charge and not atom.n_hydrogens:
            return None
    return structure


def _repeated(structure: LabelStructure, times: int) -> LabelStructure:
    atoms, bonds = list(structure.atoms), list(structure.bonds)
    for _ in range(times - 1):
        shift = len(atoms)
        atoms += structure.atoms
        bonds += [(first + shift, second + shift, order) for first, second, order in structure.bonds]
    return LabelStructure(atoms, bonds)


def _unread(label: LabelMark, attachments: Sequence[Attachment]) -> LabelStructure:
    text = label_text(label)
    known = text if is_label(text) else ""
    atom = LabelAtom("*", label=known, letters=tuple(range(len(label.letters))))
    score = min((letter.score for letter in label.letters), default=0.0)
    return LabelStructure(
        [atom],
        attached=[0] * len(attachments),
        score=round(0.5 * score, 4),
        problems=[f"The label {text!r} is neither a formula nor a known group."],
    )
