"""Faults of a PDF's own trees that MuPDF does not come back from, or gives up on, mended in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

MAX_NODES: Final = 100_000
"""Nodes of a page tree that are looked at; a larger tree is left as it is."""

MAX_ELEMENTS: Final = 50_000
"""Elements of a structure tree that are looked at, in about a second; a larger tree is not used."""

_REFERENCE: Final = re.compile(r"(\d+) \d+ R")

_NOT_A_CHILD: Final = re.compile(r"/(?:Pg|Obj|P|Stm|StmOwn|NS) \d+ \d+ R")
"""References that stand in the children of a structure element and lead elsewhere."""


def mend_page_tree(document: Any) -> None:
    """Take out of the page tree of an open PDF what leads back up in it, where MuPDF gives up.

    Kids that were met before are left out and the pages counted again; a parent by which a page is its own
    ancestor becomes that above it.
    """
    root = _reference(document, document.pdf_catalog(), "Pages")
    if root is None:
        return
    kids = _page_tree(document, root)
    if kids is None:
        return
    # From the leaves up: what was met later lies lower or elsewhere.
    counts: dict[int, int] = {}
    for node in reversed(kids):
        counts[node] = sum(counts.get(kid, 1) for kid in kids[node])
    for node, own in kids.items():
        if own != _references(document, node, "Kids"):
            document.xref_set_key(node, "Kids", f"[{' '.join(f'{kid} 0 R' for kid in own)}]")
            for above in kids:
                document.xref_set_key(above, "Count", str(counts[above]))
    if document.xref_get_key(root, "Parent")[0] != "null":
        document.xref_set_key(root, "Parent", "null")
    for node, own in kids.items():
        for kid in own:
            if not _have_an_end(document, (kid,), "Parent"):
                document.xref_set_key(kid, "Parent", f"{node} 0 R")


def _page_tree(document: Any, root: int) -> dict[int, list[int]] | None:
    """Each node with the kids that were not met before, a node before what is below it; None where the tree
    is too large."""
    kids: dict[int, list[int]] = {}
    met, waiting = {root}, [root]
    while waiting:
        node = waiting.pop()
        own = []
        for kid in _references(document, node, "Kids"):
            if kid not in met:
                met.add(kid)
                own.append(kid)
        if len(met) > MAX_NODES:
            return None
        kids[node] = own
        waiting += [kid for kid in own if document.xref_get_key(kid, "Kids")[0] != "null"]
    return kids


def drop_broken_structure(document: Any) -> None:
    """Take the structure tree out of an open PDF if it is none.

    MuPDF follows the parents of structure elements while it draws and reads text, for ever where an element
    is its own ancestor. A page is read without the tree as if it were not tagged.
    """
    catalog = document.pdf_catalog()
    root = _reference(document, catalog, "StructTreeRoot")
    if root is not None and not _is_tree(document, root):
        document.xref_set_key(catalog, "StructTreeRoot", "null")


def _is_tree(document: Any, root: int) -> bool:
    """Whether no element is reached twice from the root, and each has the root at the end of its parents."""
    elements = {root}
    waiting = [root]
    while waiting:
        children = _references(document, waiting.pop(), "K")
        if len(elements) + len(children) > MAX_ELEMENTS or not elements.isdisjoint(children):
            return False
        if len(set(children)) < len(children):
            return False
        elements.update(children)
        waiting += children
    for element in _marked(document, root):
        elements.add(element)
        if len(elements) > MAX_ELEMENTS:
            return False
    return _have_an_end(document, elements, "P")


def _have_an_end(document: Any, elements: Iterable[int], parent: str) -> bool:
    """Whether none of the elements, nor of those above, is above itself by the entry ``parent``."""
    ended: set[int] = set()
    for element in elements:
        chain: dict[int, None] = {}
        current: int | None = element
        while current is not None and current not in ended:
            if current in chain:
                return False
            chain[current] = None
            current = _reference(document, current, parent)
        ended.update(chain)
    return True


def _marked(document: Any, root: int) -> Iterator[int]:
    """The elements that the content of pages refers to, by the number tree of their parents."""
    kind, value = document.xref_get_key(root, "ParentTree")
    if kind != "xref":
        yield from _elements_in(document, value)
        return
    nodes = [int(value.split()[0])]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        yield from _elements_in(document, document.xref_get_key(node, "Nums")[1])
        kids = [kid for kid in _references(document, node, "Kids") if kid not in seen]
        seen.update(kids)
        nodes += kids


def _elements_in(document: Any, numbers: str) -> Iterator[int]:
    """The elements in the values of a number tree: each an element, or an array of them."""
    for value in map(int, _REFERENCE.findall(numbers)):
        content = document.xref_object(value, compressed=True)
        if content.startswith("["):
            yield from map(int, _REFERENCE.findall(content))
        else:
            yield value


def copy_page(page: Any, target: Any, **options: Any) -> None:
    """Append a page of an open PDF to another PDF, as ``Document.insert_pdf`` with these options.

    What MuPDF does not copy, since the page refers to objects that are not there, is written and read anew
    before, which leaves them out.

    Raises:
        RuntimeError: it cannot be copied.
    """
    import pymupdf

    number = page.number
    try:
        target.insert_pdf(page.parent, from_page=number, to_page=number, **options)
    except RuntimeError as error:
        try:
            data = page.parent.tobytes(garbage=1)
        except ValueError:
            # PyMuPDF's word for a page tree in which it counts no page.
            raise error from None
        with pymupdf.open(stream=data) as whole:
            target.insert_pdf(whole, from_page=number, to_page=number, **options)


def _reference(document: Any, xref: int, key: str) -> int | None:
    kind, value = document.xref_get_key(xref, key)
    return int(value.split()[0]) if kind == "xref" else None


def _references(document: Any, xref: int, key: str) -> list[int]:
    """The objects that an entry names: itself one, or an array; an array may be an object of its own."""
    kind, value = document.xref_get_key(xref, key)
    if kind == "xref":
        content = document.xref_object(int(value.split()[0]), compressed=True)
        if not content.startswith("["):
            return [int(value.split()[0])]
        value = content
    elif kind not in ("array", "dict"):
        return []
    return [int(number) for number in _REFERENCE.findall(_NOT_A_CHILD.sub("", value))]
