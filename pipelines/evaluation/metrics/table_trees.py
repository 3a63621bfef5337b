"""Tables as the trees that TEDS compares, and the edit distance between two of them, by ``apted``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from docai.errors import needs
from docai.parsers.table import parse_table
from docai.parsers.table_grid import canonical_html, plain_cells

if TYPE_CHECKING:
    from lxml.etree import _Element

_LEADING_DIGITS = re.compile(r"[\t\n\f\r ]*\+?([0-9]{1,9})")
_REFERENCE_CELLS = frozenset({"td"})
_CANONICAL_CELLS = frozenset({"td", "th"})


class Node(NamedTuple):
    """One element. ``content`` holds the tokens of a cell, as characters and whole tags."""

    tag: str
    colspan: int | None
    rowspan: int | None
    content: tuple[str, ...]
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class TableTree:
    """One table as TEDS sees it."""

    root: Node
    n_elements: int
    """Elements below ``table``, those inside cells included: what the reference divides by."""

    @property
    def size(self) -> int:
        """Nodes that the edit distance works on, the root included."""
        return sum(1 for _ in _walk(self.root))

    def structure(self) -> TableTree:
        """The same without the content of the cells."""
        return TableTree(_without_content(self.root), self.n_elements)

    def without_sections(self) -> TableTree:
        """All rows in one ``tbody``; for canonical trees, which have nothing but rows in sections."""
        rows = tuple(row for section in self.root.children for row in section.children)
        body = Node("tbody", None, None, (), rows)
        n = self.n_elements - len(self.root.children) + 1
        return TableTree(self.root._replace(children=(body,)), n)

    @property
    def has_head(self) -> bool:
        return any(section.tag == "thead" for section in self.root.children)


def is_table(html: str) -> bool:
    """Whether the text holds a table with at least one cell, however it is written."""
    return bool(parse_table(html).content.cells)


def read_reference(html: str) -> TableTree | None:
    """The first ``body/table`` of a document, or None where the reference finds none."""
    return _read(html, _REFERENCE_CELLS)


def read_canonical(html: str) -> TableTree | None:
    """The table in the form that :func:`teds_canonical` describes, or None where there is no cell."""
    content = parse_table(html, seek_head=False).content
    if not content.cells:
        return None
    canonical = canonical_html(plain_cells(content.cells), content.n_rows, content.n_cols)
    return _read(_wrap(canonical), _CANONICAL_CELLS)


def read_wrapped(html: str) -> TableTree | None:
    """As :func:`read_reference`, with ``<html><body>`` put around what comes without."""
    return read_reference(html) or read_reference(_wrap(html))


def _wrap(html: str) -> str:
    return f"<html><body>{html}</body></html>"


def _read(text: str, cell_tags: frozenset[str]) -> TableTree | None:
    from lxml import etree, html

    if not text:
        return None
    parser = html.HTMLParser(remove_comments=True, encoding="utf-8")
    try:
        tables = html.fromstring(text, parser=parser).xpath("body/table")
    except (etree.LxmlError, ValueError):
        return None
    if not isinstance(tables, list) or not tables:
        return None
    table: _Element = tables[0]  # type: ignore[assignment]  # a path of elements gives elements
    return TableTree(_grow(table, cell_tags), sum(1 for _ in table.iterdescendants("*")))


def _grow(element: _Element, cell_tags: frozenset[str]) -> Node:
    tag = _tag(element)
    if tag in cell_tags:
        spans = _span(element.get("colspan")), _span(element.get("rowspan"))
        return Node("td", *spans, tuple(_content(element)), ())
    return Node(tag, None, None, (), tuple(_grow(child, cell_tags) for child in element))


def _content(cell: _Element) -> Iterator[str]:
    yield from cell.text or ""
    for child in cell:
        tag = _tag(child)
        yield f"<{tag}>"
        yield from _content(child)
        if tag != "unk":
            yield f"</{tag}>"
        if tag != "td":
            yield from child.tail or ""


def _tag(element: _Element) -> str:
    # A processing instruction has a function for its tag; to the reference all of them are alike.
    return element.tag if isinstance(element.tag, str) else "?"


def _span(value: str | None) -> int:
    if value is None:
        return 1
    try:
        return int(value)
    except ValueError:
        match = _LEADING_DIGITS.match(value)
        return int(match[1]) if match else 1


def _walk(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children)


def _without_content(node: Node) -> Node:
    return node._replace(content=(), children=tuple(_without_content(child) for child in node.children))


class _Branch:
    """A node as apted takes it: each is an object of its own, and carries the number of its label."""

    __slots__ = ("children", "label")

    def __init__(self, label: int, children: list[_Branch]) -> None:
        self.label = label
        self.children = children


class _Labels:
    """The distinct labels of two trees, numbered, and the costs that apted asks for.

    apted asks for the same costs many times over; they are found by two small numbers.
    """

    valuecls = int

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int | None, int | None, tuple[str, ...]], int] = {}
        self._labels: list[tuple[str, int | None, int | None, tuple[str, ...]]] = []
        self._costs: list[dict[int, float]] = []

    def branch(self, node: Node) -> _Branch:
        label = node[:4]
        number = self._numbers.setdefault(label, len(self._labels))
        if number == len(self._labels):
            self._labels.append(label)
            self._costs.append({})
        return _Branch(number, [self.branch(child) for child in node.children])

    @staticmethod
    def children(node: _Branch) -> list[_Branch]:
        return node.children

    @staticmethod
    def delete(node: _Branch) -> int:
        return 1

    @staticmethod
    def insert(node: _Branch) -> int:
        return 1

    def rename(self, old: _Branch, new: _Branch) -> float:
        costs = self._costs[old.label]
        cost = costs.get(new.label)
        if cost is None:
            cost = costs[new.label] = _rename_cost(self._labels[old.label], self._labels[new.label])
        return cost


def _rename_cost(
    old: tuple[str, int | None, int | None, tuple[str, ...]],
    new: tuple[str, int | None, int | None, tuple[str, ...]],
) -> float:
    from rapidfuzz.distance import Levenshtein

    if old[:3] != new[:3]:
        return 1.0
    longer = max(len(old[3]), len(new[3]))
    return Levenshtein.distance(old[3], new[3]) / longer if longer else 0.0


def distance(pred: Node, truth: Node) -> float:
    """The tree edit distance, with the costs of the reference.

    Raises:
        MissingDependencyError: ``apted`` or ``rapidfuzz`` is not installed.
    """
    if pred == truth:
        return 0.0
    with needs("docai[metrics]", "TEDS"):
        from apted import APTED
        from rapidfuzz.distance import Levenshtein  # noqa: F401  # found missing here, not in mid-work
    labels = _Labels()
    return float(APTED(labels.branch(pred), labels.branch(truth), labels).compute_edit_distance())
