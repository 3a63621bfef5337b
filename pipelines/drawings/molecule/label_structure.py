"""The units of a label as atoms and bonds, and which atom each bond of the drawing is to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

from docai.geometry import center
from docai.parsers.molecule_labels import GROUPS
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_formula import (
    Formula,
    FormulaAtom,
    Unit,
    numbered_units,
    reverse_units,
    solve_formula,
)
from docai.pipelines.drawings.molecule.label_text import Reading
from docai.pipelines.drawings.molecule.types import Attachment, LabelAtom, LabelMark, LabelStructure

INSIDE_DISTANCE: Final = 0.7
"""Ems by which an atom in parentheses counts as farther from a bond: the atom before them is meant."""


class _Solution(NamedTuple):
    cost: float
    formula: Formula
    attached: tuple[int, ...]
    """For each attachment the index of a unit, counted through all parentheses."""


def structure_of_units(
    reading: Reading, label: LabelMark, attachments: Sequence[Attachment]
) -> tuple[LabelStructure, float] | None:
    """The likeliest structure of a label, and how far-fetched it is; None where no valences come out."""
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
    structure, places = as_structure(best.formula)
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
    return LabelStructure(
        [
            LabelAtom(
                unit.symbol,
                charge,
                unit.isotope,
                n_hydrogens or None,
                unit.radicals,
                unit.label,
                unit.letters,
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


def distance_along(letter: Letter, attachment: Attachment) -> float:
    """How far a letter is from where a bond points to, in ems: sideways more than along the bond."""
    x, y = center(letter.bbox)
    dx, dy = x - attachment.point[0], y - attachment.point[1]
    ux, uy = attachment.direction
    sideways, along = abs(dx * uy - dy * ux), -(dx * ux + dy * uy)
    return (sideways + 0.45 * abs(along)) / max(letter.size, 1e-6)


def _nested(flat: Sequence[Unit]) -> set[int]:
    """Units within parentheses."""
    return {
        place
        for index, unit in enumerate(flat)
        if unit.parts
        for place in range(index + 1, index + 1 + sum(1 for _ in numbered_units(unit.parts)))
    }


def _directions(units: Sequence[Unit], attached: Unit) -> Iterator[tuple[Sequence[Unit], float]]:
    """Orders in which units may make a chain: as written, from the right, from the attached one outward."""
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


def as_structure(formula: Formula) -> tuple[LabelStructure, dict[tuple[int, ...], int]]:
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
        owner = atoms[index_of[first if first in index_of else second]]
        owner.n_hydrogens = (owner.n_hydrogens or 0) + 1
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
