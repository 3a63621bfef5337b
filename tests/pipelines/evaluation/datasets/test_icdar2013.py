"""The ICDAR 2013 tables: places from the bottom left, spans by their ends, regions over pages."""

import pytest

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset


def cell(row: int, col: int, text: str, box: str = "", **ends: int) -> str:
    """A cell; ``box`` is x1 y1 x2 y2 from the bottom left."""
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in ends.items())
    x1, y1, x2, y2 = box.split() if box else ("0", "0", "0", "0")
    place = f'<bounding-box x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>' if box else ""
    return f'<cell start-row="{row}" start-col="{col}"{attributes}>{place}<content>{text}</content></cell>'


def structure(*regions: tuple[int, int, str]) -> str:
    """A document of regions as (table, page, cells)."""
    parts = [
        f'<table id="{table}"><region id="1" page="{page}" row-increment="0">{cells}</region></table>'
        for table, page, cells in regions
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?><document>{"".join(parts)}</document>'


def places(*regions: tuple[int, int, str]) -> str:
    boxes = []
    for table, page, box in regions:
        x1, y1, x2, y2 = box.split()
        inside = f'<bounding-box x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
        boxes.append(f'<table id="{table}"><region id="1" page="{page}">{inside}</region></table>')
    return f"<document>{''.join(boxes)}</document>"


FOUR = (
    cell(0, 0, "over", "10 180 90 190", end_col=1)
    + cell(1, 0, "a &lt; b", "10 160 40 170")
    + cell(2, 1, " two\n  lines ", "50 140 90 150")
)


def write(folder, name: str, pdf: bytes | None, cells: str | None, regions: str | None = None) -> None:
    if pdf is not None:
        (folder / f"{name}.pdf").write_bytes(pdf)
    if cells is not None:
        (folder / f"{name}-str.xml").write_text(cells, encoding="utf-8")
    if regions is not None:
        (folder / f"{name}-reg.xml").write_text(regions, encoding="utf-8")


def test_cells_are_placed_spanned_and_filled_up(tmp_path, make_pdf) -> None:
    write(tmp_path, "a", make_pdf("x", "y"), structure((1, 2, FOUR)), places((1, 2, "10 140 90 190")))
    dataset = open_dataset(f"icdar2013:{tmp_path}")
    assert dataset.unit == "page"
    assert dataset.tasks == ("table", "regions")
    (sample,) = dataset
    assert isinstance(sample, Sample)
    assert (sample.id, sample.page, sample.source) == ("a", None, tmp_path / "a.pdf")
    (item,) = sample.truth
    assert item.page == 2
    assert item.bbox == (10, 10, 90, 60), "the page is 200 points high"
    assert item.text == (
        '<html><body><table><tbody><tr><td colspan="2">over</td></tr><tr><td>a &lt; b</td><td></td></tr>'
        "<tr><td></td><td>two lines</td></tr></tbody></table></body></html>"
    )
    assert [c.bbox for c in item.cells] == [
        (10, 10, 90, 20),
        (10, 30, 40, 40),
        None,
        None,
        (50, 50, 90, 60),
    ]


def test_each_region_is_an_item_by_page_and_a_crop(tmp_path, make_pdf) -> None:
    low = cell(1, 0, "goes on", "10 100 90 110") + cell(2, 0, "ends", "10 90 90 99")
    cells = structure((1, 2, FOUR), (2, 1, low))
    write(tmp_path, "a", make_pdf("x", "y"), cells)
    (page,) = open_dataset(f"icdar2013:{tmp_path}")
    assert isinstance(page, Sample)
    assert [item.page for item in page.truth] == [1, 2]
    assert page.truth[0].bbox == (10, 90, 90, 110), "without -reg.xml, what is around the cells"
    assert page.truth[0].cells[0].row == 0, "rows count from the region's first"
    crops = list(open_dataset(f"icdar2013-crop:{tmp_path}"))
    assert [(c.id, c.page, c.bbox) for c in crops if isinstance(c, Sample)] == [
        ("a#1", 1, (10, 90, 90, 110)),
        ("a#2", 2, (10, 10, 90, 60)),
    ]


def test_cells_of_a_turned_page_move_to_their_region(tmp_path, make_pdf) -> None:
    import pymupdf

    with pymupdf.open("pdf", make_pdf("x", width=200, height=300)) as document:
        document[0].set_rotation(90)
        turned = document.tobytes()
    # Displayed the page is 200 high; the cells count from a bottom at 300.
    moved = cell(0, 0, "a", "10 280 50 290") + cell(1, 0, "b", "10 260 50 270")
    write(tmp_path, "a", turned, structure((1, 1, moved)), places((1, 1, "10 160 50 190")))
    (sample,) = open_dataset(f"icdar2013:{tmp_path}")
    assert isinstance(sample, Sample)
    assert sample.truth[0].bbox == (10, 10, 50, 40)
    assert [c.bbox for c in sample.truth[0].cells] == [(10, 10, 50, 20), (10, 30, 50, 40)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("<document>", "Its XML cannot be read."),
        (structure((1, 9, FOUR)), "Its PDF has no such page."),
        (structure((1, 1, "")), "A region has no cells."),
        (structure((1, 1, FOUR + cell(1, 0, "again"))), "Two cells cover the same place of the grid."),
        (structure((1, 1, cell(3, 0, "x", end_row=2))), "A cell ends before it starts."),
        (structure((1, 1, "<cell start-row='0'><content/></cell>")), "A cell has no number for start-col."),
        (structure((1, 1, cell(0, 0, "x", "1 2 3 four"))), "A box is not of four numbers."),
        (structure((1, 1, cell(0, 0, "x", end_row=10**7))), "The table's grid is larger than any table."),
        (None, "The PDF has no -str.xml beside it."),
    ],
)
def test_a_broken_document_is_skipped_and_the_next_is_read(tmp_path, make_pdf, cells, reason: str) -> None:
    write(tmp_path, "bad", make_pdf("x"), cells)
    write(tmp_path, "good", make_pdf("x"), structure((1, 1, FOUR)))
    bad, good = open_dataset(f"icdar2013:{tmp_path}")
    assert bad == Skipped("bad", reason)
    assert isinstance(good, Sample)


def test_files_without_their_others(tmp_path, make_pdf) -> None:
    write(tmp_path, "alone", None, structure((1, 1, FOUR)))
    write(tmp_path, "damaged", b"%PDF-1.4 and no more", structure((1, 1, FOUR)))
    write(tmp_path, "none", make_pdf("x"), structure())
    alone, damaged, none = open_dataset(f"icdar2013:{tmp_path}")
    assert alone == Skipped("alone", "The -str.xml has no PDF beside it.")
    assert damaged == Skipped("damaged", "Its PDF cannot be read.")
    assert isinstance(none, Sample)
    assert none.truth == (), "a document without tables is a case: nothing is to be found in it"


def test_a_folder_of_something_else(tmp_path, make_pdf) -> None:
    (tmp_path / "a.pdf").write_bytes(make_pdf("x"))
    with pytest.raises(DatasetError, match=r"-str\.xml.*found a\.pdf"):
        open_dataset(f"icdar2013:{tmp_path}")
