"""Corruptions of right texts and tables, to measure read-back and to fit it.

Each corruption takes a right content and a random generator, and returns a wrong one, or None where the
content does not allow it.
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
    changed = "".join(rng.choice(_LETTERS) for _ in text)
    if changed != text and rng.random() < 0.5:
        return changed
    return changed + changed[: max(1, len(text) // 2)]


def drop_word(content: Content, rng: random.Random) -> Content | None:
    """Drop one word."""
    words = _words(content)
    words.pop(rng.randrange(len(words)))
    return _text(words)


def drop_words(content: Content, rng: random.Random) -> Content | None:
    """Drop a quarter of the words, at least two."""
    words = _words(content)
    gone = set(rng.sample(range(len(words)), min(len(words), max(2, len(words) // 4))))
    return _text([word for index, word in enumerate(words) if index not in gone])


def invent_word(content: Content, rng: random.Random) -> Content | None:
    """Add a word where nothing is, as tall as the others."""
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
    """Repeat one word in the same box."""
    words = _words(content)
    return _text([*words, rng.choice(words)])


def shift_boxes(content: Content, rng: random.Random) -> Content | None:
    """Shift all boxes by a line."""
    words = _words(content)
    tall = max((word.bbox[3] - word.bbox[1] for word in words if word.bbox), default=0.0)
    dy = rng.choice((-1, 1)) * tall
    return _text(
        [word.model_copy(update={"bbox": _moved(word.bbox, 0, dy) if word.bbox else None}) for word in words]
    )


def shift_box(content: Content, rng: random.Random) -> Content | None:
    """Shift one box by its own height."""
    words = _words(content)
    index = rng.randrange(len(words))
    box = words[index].bbox
    if box is None:
        return None
    moved = _moved(box, 0, rng.choice((-1, 1)) * (box[3] - box[1]))
    words[index] = words[index].model_copy(update={"bbox": moved})
    return _text(words)


def shift_words(content: Content, rng: random.Random) -> Content | None:
    """Put each text into the box of the word before."""
    words = _words(content)
    texts = [word.text for word in words]
    rotated = texts[1:] + texts[:1]
    if rotated == texts:
        return None
    return _text([word.model_copy(update={"text": text}) for word, text in zip(words, rotated, strict=True)])


def change_word(content: Content, rng: random.Random) -> Content | None:
    """Change the text in one box."""
    words = _words(content)
    index = rng.randrange(len(words))
    words[index] = words[index].model_copy(update={"text": _changed(words[index].text, rng)})
    return _text(words)


def change_letter(content: Content, rng: random.Random) -> Content | None:
    """Change one letter of one word."""
    words = _words(content)
    index = rng.randrange(len(words))
    words[index] = words[index].model_copy(update={"text": _letter(words[index].text, rng)})
    return _text(words)


def _letter(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    letter = rng.choice([letter for letter in _LETTERS if letter != text[at]])
    return text[:at] + letter + text[at + 1 :]


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


def _transposed(content: TableContent) -> TableContent:
    """Rows and columns exchanged; the boxes stay."""
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


def _transposed_back(content: TableContent | None) -> TableContent | None:
    return None if content is None else _transposed(content)


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
    """Drop one row."""
    table = _table(content)
    return _without_row(table, rng.randrange(table.n_rows)) if table.n_rows > 1 else None


def drop_column(content: Content, rng: random.Random) -> Content | None:
    """Drop one column."""
    table = _table(content)
    if table.n_cols < 2:
        return None
    return _transposed_back(_without_row(_transposed(table), rng.randrange(table.n_cols)))


def _merged(content: TableContent, row: int) -> TableContent | None:
    """A row and the next merged: their texts and boxes joined."""
    first = {cell.col: cell for cell in content.cells if cell.row == row}
    second = {cell.col: cell for cell in content.cells if cell.row == row + 1}
    merged = [*first.values(), *second.values()]
    if any(cell.row_span > 1 or cell.col_span > 1 for cell in merged) or first.keys() != second.keys():
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
    """Merge a row with the next."""
    table = _table(content)
    return _merged(table, rng.randrange(table.n_rows - 1)) if table.n_rows > 1 else None


def merge_columns(content: Content, rng: random.Random) -> Content | None:
    """Merge a column with the next."""
    table = _table(content)
    if table.n_cols < 2:
        return None
    return _transposed_back(_merged(_transposed(table), rng.randrange(table.n_cols - 1)))


def shift_texts(content: Content, rng: random.Random) -> Content | None:
    """Shift the texts of one column by a row, the boxes staying where they were."""
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
    """Add a text where nothing is: in an empty cell if there is one, else in a row of its own."""
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
    """Change the text of one cell."""
    table = _table(content)
    full = [i for i, cell in enumerate(table.cells) if cell.text]
    cells = list(table.cells)
    index = rng.choice(full)
    cells[index] = cells[index].model_copy(update={"text": _changed(cells[index].text, rng)})
    return _with(table, cells)


def change_cell_letter(content: Content, rng: random.Random) -> Content | None:
    """Change one letter of one cell."""
    table = _table(content)
    full = [i for i, cell in enumerate(table.cells) if cell.text]
    cells = list(table.cells)
    index = rng.choice(full)
    cells[index] = cells[index].model_copy(update={"text": _letter(cells[index].text, rng)})
    return _with(table, cells)


def by_name(*corruptions: Corruption) -> Mapping[str, Corruption]:
    return MappingProxyType({corruption.__name__: corruption for corruption in corruptions})


TEXT = by_name(
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

TABLE = by_name(
    drop_row,
    drop_column,
    merge_rows,
    merge_columns,
    shift_texts,
    invent_cell,
    change_cell,
    change_cell_letter,
)

SUBTLE = frozenset({"change_word", "change_letter", "change_cell", "change_cell_letter"})
"""Another text in the same box: read-back compares where ink is, and hardly what it spells."""
