"""What a label stands for: its characters as atoms, bonds and charges, and which atom each bond is to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Final

from docai.geometry import union
from docai.parsers.molecule_labels import GROUPS, is_label
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_known import FREE_NAMES, free_structure, group_of_table
from docai.pipelines.drawings.molecule.label_structure import distance_along, structure_of_units
from docai.pipelines.drawings.molecule.label_text import Character, plain_characters, read_units, table_name
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
        return _without_number(label, attachments) or _unread(label, attachments)
    best.score = round(
        best.score * _score(best_letters, label) * max(0.3, 1.0 - 0.05 * max(0.0, best_cost - 1.0)), 4
    )
    if other_cost < best_cost + CLEAR_MARGIN:
        best.score = round(0.6 * best.score, 4)
    return best


def _same_structure(a: LabelStructure, b: LabelStructure) -> bool:
    def key(structure: LabelStructure) -> list[tuple[object, ...]]:
        return [(one.symbol, one.charge, one.isotope, one.n_hydrogens, one.label) for one in structure.atoms]

    return key(a) == key(b) and a.bonds == b.bonds and a.attached == b.attached


def _score(characters: Sequence[Character], label: LabelMark) -> float:
    """How sure the letters are as read; shapes that stand for several are told apart by chemistry."""
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
        if text in FREE_NAMES:
            characters = [Character(sign, 0, 0) for sign in FREE_NAMES[text]]
        for reading in read_units(characters):
            structure = free_structure(reading)
            if structure is not None:
                structure.score = round(_score(characters, label), 4) if text not in FREE_NAMES else 0.95
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
        if attachments
        and index not in unsure
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
        found = structure_of_units(reading, label, attachments)
        if found is not None and found[1] < best[1]:
            best = found
    structure, cost = best
    if attachments and text in GROUPS and len(attachments) == 1:
        whole = group_of_table(text, structure, label, attachments[0])
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


def _without_number(label: LabelMark, attachments: Sequence[Attachment]) -> LabelStructure | None:
    """What a label is without a number at its end that is none of its own: that of the atom."""
    keep = len(label.letters)
    while keep and plain_characters(label.letters[keep - 1].text).isdigit():
        keep -= 1
    if keep in (0, len(label.letters)):
        return None
    rest = LabelMark(label.letters[:keep], label.scripts[:keep], label.lines[:keep], label.bbox)
    structure = read_label(rest, attachments)
    if structure.problems:
        return None
    number = label_text(label)[keep:]
    structure.problems.append(f"The number {number} at {label_text(rest)!r} is no part of it.")
    return structure


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
