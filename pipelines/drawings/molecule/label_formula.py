"""Condensed formulas such as ``CO2Et``: which of their atoms are bonded, found by valences.

The hydrogens of a condensed formula are all written, so each atom has exactly the bonds that its valence asks
for. The formula is read as a chain in which each atom is bonded to one before it that has valences left, the
nearest one where chemistry does not say otherwise; a search finds the cheapest way in which nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement, pairwise
from typing import Final

MAX_ATOMS: Final = 60
"""Atoms of a label, hydrogens included, above which it is no condensed formula."""

MAX_STEPS: Final = 1500
"""Atoms placed by one search, after which it takes the best that it has found."""

MAX_COST: Final = 9.0
"""Cost above which a structure is too odd for anybody to have meant it."""

_VALENCES: Final[Mapping[str, tuple[int, ...]]] = {
    "H": (1,),
    "B": (3,),
    "C": (4,),
    "N": (3, 5),
    "O": (2,),
    "F": (1,),
    "Si": (4,),
    "P": (3, 5),
    "S": (2, 4, 6),
    "Cl": (1, 7, 5, 3),
    "Ge": (4,),
    "As": (3, 5),
    "Se": (2, 4, 6),
    "Br": (1, 5, 3, 7),
    "Sn": (4, 2),
    "Te": (2, 4, 6),
    "I": (1, 3, 5, 7),
    "*": (1,),
}
"""Usual valences without charge, the commonest first. Another element binds as often as it likes."""

_GROUP_OF: Final[Mapping[str, int]] = {
    "B": 13,
    "C": 14,
    "Si": 14,
    "N": 15,
    "P": 15,
    "As": 15,
    "O": 16,
    "S": 16,
    "Se": 16,
    "Te": 16,
    "F": 17,
    "Cl": 17,
    "Br": 17,
    "I": 17,
}

_UNBOUND: Final = 99
"""Valences left of an atom that binds as often as it likes."""

_CHALCOGENS: Final = ("S", "Se", "Te")


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of a formula."""

    symbol: str
    """Of an element; ``*`` for a named group or an R-group; ``(`` for a parenthesis; empty for a charge."""
    label: str = ""
    """Name of the group that a ``*`` stands for."""
    count: int = 1
    charge: int = 0
    """Of a charge mark."""
    isotope: int = 0
    radicals: int = 0
    order: int = 0
    """Of the bond that is written before it; 0 where none is."""
    parts: tuple[Unit, ...] = ()
    """Of a parenthesis."""
    letters: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class FormulaAtom:
    """One atom of a formula; ``unit`` is where it stands in the units, counted through all parentheses."""

    symbol: str
    unit: int
    label: str = ""
    charge: int = 0
    isotope: int = 0
    radicals: int = 0
    outside: int = 0
    """Orders of the bonds that end at it from outside the label, summed up."""
    letters: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class Formula:
    """Atoms and bonds of a formula; ``cost`` says how odd it is, 0 for the most natural."""

    atoms: list[FormulaAtom]
    bonds: list[tuple[int, int, int]]
    cost: float


@dataclass(slots=True)
class _Step:
    """An atom to be placed, or the begin or end of a parenthesis."""

    kind: str
    atom: int = 0
    order: int = 0


@dataclass(slots=True)
class _Plan:
    atoms: list[FormulaAtom] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    charges: list[tuple[int, int]] = field(default_factory=list)
    """Charge and the number of atoms before its mark."""
    n_units: int = 0


def numbered_units(units: Sequence[Unit]) -> Iterator[Unit]:
    """All units in the order in which :class:`FormulaAtom` counts them: a parenthesis before its parts."""
    for unit in units:
        yield unit
        yield from numbered_units(unit.parts)


def reverse_units(units: Sequence[Unit], *, turn_parts: bool) -> tuple[Unit, ...]:
    """The units from right to left, as a label is read that is attached at its right end.

    Args:
        units: as written.
        turn_parts: also within parentheses.
    """
    turned: list[Unit] = []
    order = 0
    for unit in reversed(units):
        parts = reverse_units(unit.parts, turn_parts=True) if turn_parts and unit.parts else unit.parts
        turned.append(replace(unit, parts=parts, order=order))
        order = unit.order
    # A charge is written after its atom in either direction.
    index = 0
    while index < len(turned) - 1:
        if not turned[index].symbol and turned[index + 1].symbol:
            turned[index], turned[index + 1] = turned[index + 1], turned[index]
            index += 1
        index += 1
    return tuple(turned)


def solve_formula(units: Sequence[Unit], outside: Mapping[tuple[int, ...], Sequence[int]]) -> Formula | None:
    """The most natural structure of a formula; None where its valences do not come out.

    Args:
        units: in reading order, from the atom that is first in the chain.
        outside: letters of a unit → orders of the bonds that end at it. Two bonds at a unit that a
            parenthesis repeats, as in ``(CH2)3``, end at its first and its last copy.
    """
    plan = _Plan()
    if not _lay_out(units, plan) or not plan.atoms:
        return None
    for letters, orders in outside.items():
        copies = [atom for atom in plan.atoms if atom.letters == letters]
        if not copies:
            return None
        if len(orders) == 2 and len(copies) > 1:
            copies[0].outside, copies[-1].outside = orders
        else:
            copies[0].outside = sum(orders)
    best: Formula | None = None
    for extra, charges in _charge_options(plan):
        limit = best.cost if best else MAX_COST
        if extra >= limit:
            break
        for atom, charge in zip(plan.atoms, charges, strict=True):
            atom.charge = charge
        search = _Search(plan, limit - extra)
        search.run(0, 0.0)
        if search.bonds is not None:
            atoms = [replace(atom) for atom in plan.atoms]
            best = Formula(atoms, search.bonds, search.limit + extra)
    return best


def _lay_out(units: Sequence[Unit], plan: _Plan) -> bool:
    for unit in units:
        number = plan.n_units
        plan.n_units += 1
        if not unit.symbol:
            plan.charges.append((unit.charge, len(plan.atoms)))
            continue
        inner = plan.n_units
        for _ in range(unit.count):
            if len(plan.atoms) >= MAX_ATOMS:
                return False
            if unit.symbol == "(":
                plan.n_units = inner
                plan.steps.append(_Step("open"))
                if not _lay_out(unit.parts, plan):
                    return False
                plan.steps.append(_Step("close"))
                continue
            plan.steps.append(_Step("atom", len(plan.atoms), unit.order))
            plan.atoms.append(
                FormulaAtom(
                    unit.symbol,
                    number,
                    unit.label,
                    isotope=unit.isotope,
                    radicals=unit.radicals,
                    letters=unit.letters,
                )
            )
    return True


def _charge_options(plan: _Plan) -> list[tuple[float, list[int]]]:
    """Ways to give the written charges to atoms, with what each costs, the cheapest first."""
    options: list[tuple[float, list[int]]] = [(0.0, [0] * len(plan.atoms))]
    heavy = [index for index, atom in enumerate(plan.atoms) if atom.symbol not in ("H", "*")]
    for charge, place in plan.charges:
        before = [index for index in heavy if index < place] or heavy
        if not before:
            return []
        nearest = before[-1] if place else before[0]
        costs = {index: 0.0 if index == nearest else 0.4 + 0.1 * abs(nearest - index) for index in heavy}
        sign = 1 if charge > 0 else -1
        ways: list[tuple[float, dict[int, int]]] = []
        for carriers in combinations_with_replacement(
            sorted(heavy, key=costs.__getitem__)[:8], min(abs(charge), 4)
        ):
            given = {index: carriers.count(index) * sign for index in carriers}
            ways.append((sum(costs[index] for index in given) + 0.3 * (len(given) - 1), given))
        options = [
            (cost + extra, [total + given.get(index, 0) for index, total in enumerate(charges)])
            for cost, charges in options
            for extra, given in ways
        ]
        options = sorted(options, key=lambda option: option[0])[:40]
    if not plan.charges:
        options += _inner_salts(plan, heavy)
    return sorted(options, key=lambda option: option[0])


def _inner_salts(plan: _Plan, heavy: Sequence[int]) -> list[tuple[float, list[int]]]:
    """Isocyanides and carbon monoxide, whose charges nobody writes."""
    found = []
    for first, second in pairwise(heavy):
        symbols = {plan.atoms[first].symbol: first, plan.atoms[second].symbol: second}
        positive = symbols.get("N", symbols.get("O"))
        if "C" in symbols and positive is not None:
            charges = [0] * len(plan.atoms)
            charges[positive], charges[symbols["C"]] = 1, -1
            found.append((2.5, charges))
    return found


def valence_options(symbol: str, charge: int) -> tuple[int, ...]:
    """Numbers of bonds that an atom may have, the commonest first; empty for any number."""
    usual = _VALENCES.get(symbol)
    if usual is None:
        return ()
    if not charge or symbol == "*":
        return usual
    if symbol == "H":
        return (0,)
    group = _GROUP_OF.get(symbol, 14)
    if group == 13:
        return tuple(value - charge for value in usual)
    if group == 14:
        return tuple(value - abs(charge) for value in usual)
    # Each charge of an electron-rich atom is a bond more or less.
    options = tuple(value + charge for value in usual if value + charge >= 0) or (0,)
    return (*options, 6) if charge == -1 and symbol in ("P", "As") else options


def _valence_cost(symbol: str, rank: int) -> float:
    if not rank:
        return 0.0
    if symbol in ("P", "As", *_CHALCOGENS, "Sn"):
        return 0.5
    return 1.0 if symbol == "N" else 4.0


class _Search:
    """Depth first over the atoms of a plan. ``limit`` is the cost of the best that was found."""

    def __init__(self, plan: _Plan, limit: float) -> None:
        self.plan = plan
        self.limit = limit
        self.bonds: list[tuple[int, int, int]] | None = None
        self._free: list[int] = []
        self._rank: list[int] = []
        self._made: list[tuple[int, int, int]] = []
        self._scopes: list[int] = [0]
        """First atom of each open parenthesis."""
        self._n_steps = 0

    def run(self, at: int, cost: float) -> None:
        self._n_steps += 1
        if cost >= self.limit or self._n_steps > MAX_STEPS:
            return
        if at == len(self.plan.steps):
            if not any(self._is_open(index) for index in range(len(self._free))):
                self.limit, self.bonds = cost, list(self._made)
            return
        step = self.plan.steps[at]
        if step.kind == "open":
            self._scopes.append(len(self._free))
            self.run(at + 1, cost)
            self._scopes.pop()
        elif step.kind == "close":
            # An atom with valences left is what the next copy or atom is bonded to, as in (CH2)3CH3.
            scope = self._scopes.pop()
            n_open = sum(self._is_open(index) for index in range(scope, len(self._free)))
            if n_open < 2:
                self.run(at + 1, cost + 0.2 * n_open)
            self._scopes.append(scope)
        else:
            self._place(step, at, cost)

    def _is_open(self, index: int) -> bool:
        return 0 < self._free[index] < _UNBOUND // 2

    def _place(self, step: _Step, at: int, cost: float) -> None:
        atom = self.plan.atoms[step.atom]
        options = valence_options(atom.symbol, atom.charge)
        choices = [(value - atom.outside - atom.radicals, rank) for rank, value in enumerate(options)]
        for free, rank in choices or [(_UNBOUND, 0)]:
            if free < 0:
                continue
            extra = cost + _valence_cost(atom.symbol, rank)
            if not self._free:
                self._bind(step, at, None, 0, free, rank, extra)
                continue
            for skipped, parent in enumerate(self._parents(atom.symbol)):
                for order in self._orders(step, parent, free, atom.symbol):
                    oddness = self._bond_cost(parent, atom.symbol, order) + 0.6 * skipped
                    self._bind(step, at, parent, order, free, rank, extra + oddness)

    def _parents(self, symbol: str) -> list[int]:
        scope = self._scopes[-1]
        if scope == len(self._free) and len(self._scopes) > 1:
            scope = self._scopes[-2]
        found = [index for index in range(len(self._free) - 1, scope - 1, -1) if self._free[index] > 0]
        if symbol == "H":
            return [index for index in found if self.plan.atoms[index].symbol != "H"][:1]
        return found

    def _orders(self, step: _Step, parent: int, free: int, symbol: str) -> Sequence[int]:
        most = min(self._free[parent], free, 3)
        if step.order:
            return (step.order,) if step.order <= most else ()
        if _UNBOUND in (free, self._free[parent]) or symbol in ("H", "*"):
            return (1,) if most >= 1 else ()
        return range(1, most + 1)

    def _bind(
        self, step: _Step, at: int, parent: int | None, order: int, free: int, rank: int, cost: float
    ) -> None:
        before = self._free[parent] if parent is not None else 0
        if parent is not None:
            self._made.append((parent, step.atom, order))
            if before < _UNBOUND // 2:
                self._free[parent] -= order
        self._free.append(free if free >= _UNBOUND // 2 else free - order)
        self._rank.append(rank)
        self.run(at + 1, cost)
        self._free.pop()
        self._rank.pop()
        if parent is not None:
            self._made.pop()
            self._free[parent] = before

    def _bond_cost(self, parent: int, symbol: str, order: int) -> float:
        first = self.plan.atoms[parent].symbol
        pair = {first, symbol}
        if pair == {"O"}:
            return 6.0
        if "O" in pair and pair & {"F", "Cl", "Br", "I"}:
            # Oxygen on a halogen of higher valence is that of a chlorate; otherwise nobody means it.
            return 0.0 if self._rank[parent] else 3.0
        if first in _CHALCOGENS and symbol == "O" and order == 1:
            return (3.5, 3.0, 0.0)[self._rank[parent]]
        if first == symbol == "C":
            return 0.6 * (order - 1)
        if pair == {"C", "N"} and order > 1:
            is_pentavalent = first == "N" and self._rank[parent]
            return 3.0 if is_pentavalent else 0.4 if order == 2 else 0.0
        if pair == {"N", "O"} or pair == {"N"}:
            return 0.5 if order == 1 else 0.2
        if pair == {"H"}:
            return 9.0
        return 0.0
