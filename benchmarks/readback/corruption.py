"""Wrong answers made on purpose, to measure reading back and to fit it.

Each corruption takes a right content and a random generator, and gives a wrong one, or None where the
content offers no place for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from docai.base import Content
from docai.contents import Cell, Line, TableContent, TextContent, Word
from docai.geometry import BBox

Corruption = Callable[[Content, random.Random], Content | None]

_LETTERS = "aeinorstl"


def _words(content: Content) -> list[Word]:
    assert isinstance(content, TextContent)
    return [word for line in content.lines for word in line.words]


def _text(words: list[Word]) -> TextContent | None:
    if not words:
        return None
    lines = [Line(text=word.text, bbox=word.bbox, words=[word]) for word in words]
    return TextContent(text="\n".join(word.text for word in words), lines=lines)


def _moved(box: BBox, dx: float, dy: float) -> BBox:
    return (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)


def _changed(text: str, rng: random.Random) -> str:
    """Another word of the same length, or half as long again."""
    other = "".join(rng.choice(_LETTERS) for _ in text)
    return other if other != text and rng.random() < 0.5 else other + other[: max(1, len(text) // 2)]


def drop_word(content: Content, rng: random.Random) -> Content | None:
    words = _words(content)
    words.pop(rng.randrange(len(words)))
    return _text(words)


def drop_words(content: Content, rng: random.Random) -> Content | None:
    """A quarter of them, at least two."""
    words = _words(content)
    gone = set(rng.sample(range(len(words)), min(len(words), max(2, len(words) // 4))))
    return _text([word for index, word in enumerate(words) if index not in gone])


def invent_word(content: Content, rng: random.Random) -> Content | None:
    """One where nothing is, as high as the others."""
    words = _words(content)
    like = rng.choice(words)
    box = _free_place([word.bbox for word in words if word.bbox], like.bbox, rng)
    return None if box is None else _text([*words, Word(text=_changed(like.text, rng), bbox=box)])


def _free_place(boxes: list[BBox], like: BBox | None, rng: random.Random) -> BBox | None:
    if like is None:
        return None
    wide, tall = like[2] - like[0], like[3] - like[1]
    for _ in range(50):
        x, y = rng.uniform(0, max(0.0, 1 - wide)), rng.uniform(0, max(0.0, 1 - tall))
        apart = [x >= b[2] or b[0] >= x + wide or y >= b[3] or b[1] >= y + tall for b in boxes]
        if all(apart):
            return (x, y, x + wide, y + tall)
    return None


def repeat_word(content: Content, rng: random.Random) -> Content | None:
    """One said twice."""
    words = _words(content)
    return _text([*words, rng.choice(words)])


def shift_boxes(content: Content, rng: random.Random) -> Content | None:
    """All boxes off by a line."""
    words = _words(content)
    tall = max((word.bbox[3] - word.bbox[1] for word in words if word.bbox), default=0.0)
    dy = rng.choice((-1, 1)) * tall
    return _text(
        [word.model_copy(update={"bbox": _moved(word.bbox, 0, dy) if word.bbox else None}) for word in words]
    )


def shift_box(content: Content, rng: random.Random) -> Content | None:
    """One box off by its own height."""
    words = _words(content)
    index = rng.randrange(len(words))
    box = words[index].bbox
    if box is None:
        return None
    moved = _moved(box, 0, rng.choice((-1, 1)) * (box[3] - box[1]))
    words[index] = words[index].model_copy(update={"bbox": moved})
    return _text(words)


def shift_words(content: Content, rng: random.Random) -> Content | None:
    """Each text in the box of the word before."""
    words = _words(content)
    texts = [word.text for word in words]
    turned = texts[1:] + texts[:1]
    if turned == texts:
        return None
    return _text([word.model_copy(update={"text": text}) for word, text in zip(words, turned, strict=True)])


def change_word(content: Content, rng: random.Random) -> Content | None:
    """Another text in one box."""
    words = _words(content)
    index = rng.randrange(len(words))
    words[index] = words[index].model_copy(update={"text": _changed(words[index].text, rng)})
    return _text(words)


def change_letter(content: Content, rng: random.Random) -> Content | None:
    """One letter of one word."""
    words = _words(content)
    index = rng.randrange(len(words))
    words[index] = words[index].model_copy(update={"text": _letter(words[index].text, rng)})
    return _text(words)


def _letter(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    other = rng.choice([letter for letter in _LETTERS if letter != text[at]])
    return text[:at] + other + text[at + 1 :]


def _table(content: Content) -> TableContent:
    assert isinstance(content, TableContent)
    return content


def _union(boxes: list[BBox]) -> BBox | None:
    if not boxes:
        return None
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))


def _with(content: TableContent, cells: list[Cell]) -> TableContent | None:
    if not any(cell.text for cell in cells):
        return None
    return content.model_copy(update={"cells": cells})


def _turned(content: TableContent) -> TableContent:
    """Rows for columns; the boxes stay."""
    cells = [
        cell.model_copy(
            update={
                "row": cell.col,
                "col": cell.row,
                "row_span": cell.col_span,
                "col_span": cell.row_span,
            }
        )
        for cell in content.cells
    ]
    return content.model_copy(update={"cells": cells, "n_rows": content.n_cols, "n_cols": content.n_rows})


def _turned_back(content: TableContent | None) -> TableContent | None:
    return None if content is None else _turned(content)


def _without_row(content: TableContent, row: int) -> TableContent | None:
    cells = []
    for cell in content.cells:
        inside = cell.row <= row < cell.row + cell.row_span
        if inside and cell.row_span == 1:
            continue
        if inside:
            cells.append(cell.model_copy(update={"row_span": cell.row_span - 1}))
        else:
            cells.append(cell.model_copy(update={"row": cell.row - (cell.row > row)}))
    if sum(bool(cell.text) for cell in cells) == sum(bool(cell.text) for cell in content.cells):
        return None
    return _with(content.model_copy(update={"n_rows": content.n_rows - 1}), cells)


def drop_row(content: Content, rng: random.Random) -> Content | None:
    table = _table(content)
    return _without_row(table, rng.randrange(table.n_rows)) if table.n_rows > 1 else None


def drop_column(content: Content, rng: random.Random) -> Content | None:
    table = _table(content)
    if table.n_cols < 2:
        return None
    return _turned_back(_without_row(_turned(table), rng.randrange(table.n_cols)))


def _merged(content: TableContent, row: int) -> TableContent | None:
    """A row and the next made one: the texts joined, the boxes too."""
    first = {cell.col: cell for cell in content.cells if cell.row == row}
    second = {cell.col: cell for cell in content.cells if cell.row == row + 1}
    both = [*first.values(), *second.values()]
    if any(cell.row_span > 1 or cell.col_span > 1 for cell in both) or first.keys() != second.keys():
        return None
    if not any(first[col].text and second[col].text for col in first):
        return None
    cells = [cell for cell in content.cells if cell.row < row]
    for col, upper in first.items():
        pair = (upper, second[col])
        text = " ".join(cell.text for cell in pair if cell.text)
        cells.append(
            upper.model_copy(update={"text": text, "bbox": _union([c.bbox for c in pair if c.bbox])})
        )
    cells += [cell.model_copy(update={"row": cell.row - 1}) for cell in content.cells if cell.row > row + 1]
    return _with(content.model_copy(update={"n_rows": content.n_rows - 1}), cells)


def merge_rows(content: Content, rng: random.Random) -> Content | None:
    table = _table(content)
    return _merged(table, rng.randrange(table.n_rows - 1)) if table.n_rows > 1 else None


def merge_columns(content: Content, rng: random.Random) -> Content | None:
    table = _table(content)
    if table.n_cols < 2:
        return None
    return _turned_back(_merged(_turned(table), rng.randrange(table.n_cols - 1)))


def shift_texts(content: Content, rng: random.Random) -> Content | None:
    """The texts of one column each a row too low, the boxes where they were."""
    table = _table(content)
    full = [i for i, cell in enumerate(table.cells) if cell.text]
    columns = [[i for i in full if table.cells[i].col == col] for col in range(table.n_cols)]
    columns = [column for column in columns if len({table.cells[i].text for i in column}) > 1]
    if not columns:
        return None
    column = rng.choice(columns)
    cells = list(table.cells)
    for index, source in zip(column, column[1:] + column[:1], strict=True):
        cells[index] = cells[index].model_copy(update={"text": table.cells[source].text})
    return _with(table, cells)


def invent_cell(content: Content, rng: random.Random) -> Content | None:
    """A text where nothing is: in an empty cell where there is one, else in a row of its own."""
    table = _table(content)
    full = [cell for cell in table.cells if cell.text and cell.bbox]
    if not full:
        return None
    like = rng.choice(full)
    box = _free_place([cell.bbox for cell in full if cell.bbox], like.bbox, rng)
    if box is None:
        return None
    text = _changed(like.text, rng)
    empty = [i for i, cell in enumerate(table.cells) if not cell.text]
    cells = list(table.cells)
    if empty:
        index = rng.choice(empty)
        cells[index] = cells[index].model_copy(update={"text": text, "bbox": box})
    else:
        cells.append(Cell(row=table.n_rows, col=0, text=text, bbox=box))
        table = table.model_copy(update={"n_rows": table.n_rows + 1})
    return _with(table, cells)


def change_cell(content: Content, rng: random.Random) -> Content | None:
    """Another text in one cell."""
    table = _table(content)
    full = [i for i, cell in enumerate(table.cells) if cell.text]
    cells = list(table.cells)
    index = rng.choice(full)
    cells[index] = cells[index].model_copy(update={"text": _changed(cells[index].text, rng)})
    return _with(table, cells)


def change_cell_letter(content: Content, rng: random.Random) -> Content | None:
    """One letter of one cell."""
    table = _table(content)
    full = [i for i, cell in enumerate(table.cells) if cell.text]
    cells = list(table.cells)
    index = rng.choice(full)
    cells[index] = cells[index].model_copy(update={"text": _letter(cells[index].text, rng)})
    return _with(table, cells)


TEXT: Mapping[str, Corruption] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            drop_word,
            drop_words,
            invent_word,
            repeat_word,
            shift_box,
            shift_boxes,
            shift_words,
            change_word,
            change_letter,
        )
    }
)

TABLE: Mapping[str, Corruption] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            drop_row,
            drop_column,
            merge_rows,
            merge_columns,
            shift_texts,
            invent_cell,
            change_cell,
            change_cell_letter,
        )
    }
)

SUBTLE = frozenset({"change_word", "change_letter", "change_cell", "change_cell_letter"})
"""One text for another in the same box: read-back looks at where ink is, and hardly sees what it spells."""
