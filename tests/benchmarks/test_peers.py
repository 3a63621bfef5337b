"""The adapters of other people's tools, on tiny inputs; a tool that is not installed is skipped by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pymupdf
import pytest

from docai.geometry import iou
from docai.pipelines.evaluation.base import CaseScore, Item, Measure, Prediction, Ratio, Sample
from docai.pipelines.evaluation.running import Selection

pytestmark = pytest.mark.slow(seconds=10)

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"
MODULES = ("adapters", "grid", "reading", "results", "suites", "tools")
TABLE = [["Year", "Papers", "Pages"], ["2021", "17", "204"], ["2022", "23", "311"], ["2023", "8", "96"]]
BOX = (60.0, 80.0, 300.0, 160.0)
"""Of the table on the page, points."""


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, ModuleType]]:
    """The scripts' modules, which import one another by plain names."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in set(sys.modules) - before:
            if name in MODULES:
                del sys.modules[name]


@pytest.fixture(scope="module")
def ruled_pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page with a ruled table."""
    path = tmp_path_factory.mktemp("pdf") / "table.pdf"
    x0, y0, x1, y1 = BOX
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        rows, cols = len(TABLE), len(TABLE[0])
        width, height = (x1 - x0) / cols, (y1 - y0) / rows
        for row, line in enumerate(TABLE):
            for col, text in enumerate(line):
                x, y = x0 + col * width, y0 + row * height
                page.draw_rect((x, y, x + width, y + height))
                page.insert_text((x + 6, y + height - 6), text, fontsize=10)
        document.save(path)
    return path


def turned(upright: Path, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Path:
    """The same page by eye: lying on its side in the file, with /Rotate, and cut from a larger one."""
    path = upright.with_name(f"turned{margins[0]}.pdf")
    left, top, right, bottom = margins
    with pymupdf.open(upright) as source, pymupdf.open() as document:
        page = document.new_page(width=left + 300 + right, height=top + 400 + bottom)
        place = pymupdf.Rect(left, top, left + 300, top + 400)
        page.show_pdf_page(place, source, 0, rotate=90)
        page.set_cropbox(place)
        page.set_rotation(90)
        document.save(path)
    return path


def reading(peers: dict[str, ModuleType], name: str, sample: Sample, kind: str) -> Prediction:
    """What a tool gives, or a skipped test."""
    (peer,) = peers["adapters"].choose([name])
    with peer.start(timeout=60) as process:
        if process.unavailable is not None:
            pytest.skip(f"{name}: {process.unavailable}")
        assert process.version
        answer: Prediction = process.read(sample, kind)
    assert answer.seconds is not None
    assert answer.peak_bytes is not None
    assert answer.peak_bytes > 2**20
    return answer


def texts(item: Item) -> list[list[str]]:
    rows: dict[int, dict[int, str]] = {}
    for cell in item.cells:
        rows.setdefault(cell.row, {})[cell.col] = cell.text
    return [[row[col] for col in sorted(row)] for _, row in sorted(rows.items())]


RULED = ("camelot-lattice", "camelot-stream", "pdfplumber", "pymupdf-lines", "img2table")


@pytest.mark.parametrize("name", RULED)
def test_a_ruled_table_is_given_with_its_place(
    peers: dict[str, ModuleType], ruled_pdf: Path, name: str
) -> None:
    answer = reading(peers, name, Sample("one", (), "page", ruled_pdf), "table")
    assert answer.error is None
    (item,) = answer.items
    assert texts(item) == TABLE
    assert item.page == 1
    assert item.bbox is not None
    # Stream's box is that of the words, which fill most of the table.
    assert iou(item.bbox, BOX) > (0.5 if name == "camelot-stream" else 0.95)
    assert item.text.startswith("<html><body><table><tr><td>Year</td>")


@pytest.mark.parametrize(
    ("name", "margins"),
    [(name, (0, 0, 0, 0)) for name in RULED[:4]] + [("pdfplumber", (30, 20, 10, 5))],
)
def test_places_are_those_of_the_page_as_displayed(
    peers: dict[str, ModuleType], ruled_pdf: Path, name: str, margins: tuple[int, int, int, int]
) -> None:
    answer = reading(peers, name, Sample("one", (), "page", turned(ruled_pdf, margins)), "table")
    (item,) = answer.items
    assert texts(item) == TABLE
    assert item.bbox is not None
    assert iou(item.bbox, BOX) > (0.5 if name == "camelot-stream" else 0.95)


@pytest.mark.parametrize("name", RULED[:4])
def test_a_region_keeps_what_lies_outside_away(
    peers: dict[str, ModuleType], ruled_pdf: Path, name: str
) -> None:
    x0, y0, x1, _ = BOX
    sample = Sample("top", (), "crop", ruled_pdf, page=1, bbox=(x0 - 2, y0 - 2, x1 + 2, y0 + 41))
    answer = reading(peers, name, sample, "table")
    assert "".join(item.text for item in answer.items).count("2021") == 1
    assert "2023" not in "".join(item.text for item in answer.items)


@pytest.mark.parametrize("name", ["pdfplumber", "pymupdf"])
def test_words_of_a_page(peers: dict[str, ModuleType], ruled_pdf: Path, name: str) -> None:
    answer = reading(peers, name, Sample("one", (), "page", ruled_pdf), "text")
    assert sorted(answer.items[0].text.split()) == sorted(text for row in TABLE for text in row)


def test_osra_reads_a_drawing(peers: dict[str, ModuleType], tmp_path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import Draw

    path = tmp_path / "toluene.png"
    Draw.MolToFile(Chem.MolFromSmiles("Cc1ccccc1"), str(path), size=(400, 400))
    answer = reading(peers, "osra", Sample("toluene", (), "crop", path), "molecule")
    assert [Chem.CanonSmiles(item.text) for item in answer.items] == ["Cc1ccccc1"]
    answer = reading(peers, "osra", Sample("toluene", (), "page", path), "molecule")
    assert all(item.bbox is not None for item in answer.items)


def test_tesseract_gives_words_with_boxes(peers: dict[str, ModuleType], tmp_path: Path) -> None:
    path = tmp_path / "line.png"
    with pymupdf.open() as document:
        page = document.new_page(width=200, height=60)
        page.insert_text((20, 40), "Hello world", fontsize=20)
        page.get_pixmap(dpi=144).save(path)
    answer = reading(peers, "tesseract", Sample("line", (), "page", path), "text")
    words = answer.items[0].words
    assert [word.text for word in words] == ["Hello", "world"]
    # Pixels: twice the points.
    assert abs(words[0].polygon[0][0] - 40) < 6
    assert abs(words[0].polygon[3][1] - 80) < 6


def test_a_failure_is_an_answer_and_the_next_case_is_read(
    peers: dict[str, ModuleType], ruled_pdf: Path, tmp_path: Path
) -> None:
    (peer,) = peers["adapters"].choose(["pdfplumber"])
    with peer.start(timeout=60) as process:
        if process.unavailable is not None:
            pytest.skip(f"pdfplumber: {process.unavailable}")
        broken = tmp_path / "broken.pdf"
        broken.write_bytes(b"no PDF at all")
        assert process.read(Sample("broken", (), "page", broken), "table").error
        assert process.read(Sample("one", (), "page", ruled_pdf), "table").items


WORKER = """
import json, os, sys, time
print(json.dumps({"version": "1"}), flush=True)
for line in sys.stdin:
    source = json.loads(line)["source"]
    if source == "hang":
        time.sleep(600)
    if source == "crash":
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(3)
    item = {"kind": "nonsense"} if source == "nonsense" else {"kind": "text", "text": source}
    print(json.dumps({"items": [item], "error": None, "seconds": 0.1, "peak_bytes": 1}), flush=True)
"""


def test_a_tool_that_hangs_or_dies_is_started_again(
    peers: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    adapters = peers["adapters"]
    monkeypatch.setattr(adapters, "FOLDER", tmp_path)
    peer = adapters.Peer("odd", frozenset({("text", "document")}), "", own_python=True)
    with peer.start(timeout=1.0) as process:

        def read(what: str) -> Prediction:
            answer: Prediction = process.read(Sample(what, (), "page", Path(what)), "text")
            assert answer.id == what
            return answer

        assert read("fine").items[0].text == "fine"
        assert "time" in (read("hang").error or "")
        assert read("fine").items[0].text == "fine"
        assert (read("crash").error or "").endswith("ended with 3: out of luck")
        assert "no prediction" in (read("nonsense").error or "")
        assert read("fine").items[0].text == "fine"


def test_what_is_not_installed_says_so(
    peers: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (peer,) = peers["adapters"].choose(["osra"])
    assert "osra is not installed" in (peer.available() or "")
    reading = peers["reading"]
    settings = reading.Settings(tmp_path, timeout=1, threads=1, jobs=1)
    found = reading.read_all(peer, "suite", "molecule", Selection((), (), frozenset()), settings)
    (_, line) = (
        line for line in peers["results"].table((), [peers["results"].Row(found, [])]) if "|---" not in line
    )
    assert "osra" in line
    assert "not installed" in line


def test_a_run_goes_on_where_it_stopped(
    peers: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.setattr(peers["adapters"], "FOLDER", tmp_path)
    reading = peers["reading"]
    peer = peers["adapters"].Peer("odd", frozenset({("text", "document")}), "", own_python=True)
    settings = reading.Settings(tmp_path / "kept", timeout=1, threads=1, jobs=1)

    def read(*names: str) -> set[str]:
        samples = tuple(Sample(name, (), "page", Path(name)) for name in names)
        selection = Selection(samples, (), frozenset({"a", "b"}))
        return set(reading.read_all(peer, "suite", "text", selection, settings).predictions)

    assert read("a") == {"a"}
    (kept,) = (tmp_path / "kept").rglob("predictions.jsonl")
    assert kept.read_text().count("\n") == 1
    assert read("a", "b") == {"a", "b"}
    assert kept.read_text().count("\n") == 2


def test_spans_come_from_boxes_and_from_open_borders(peers: dict[str, ModuleType]) -> None:
    grid = peers["grid"]
    boxes = [((0, 0, 20, 10), "A\n<b>"), ((0, 10, 10, 20), "c"), ((10, 10, 20, 20), None)]
    cells = grid.from_boxes(boxes)
    html = '<html><body><table><tr><td colspan="2">A &lt;b&gt;</td></tr><tr><td>c</td><td></td></tr></table>'
    assert grid.as_html(cells) == f"{html}</body></html>"
    corners = [
        [(0, 0, 10, 10), (10, 0, 20, 10)],
        [(0, 10, 10, 20), (10, 10, 20, 20)],
    ]
    joined = grid.from_borders(
        [["A", "<b>"], ["c", ""]], corners, [[True, False], [False, False]], [[False, False], [False, False]]
    )
    assert grid.as_html(joined) == grid.as_html(cells)
    assert joined[0]["bbox"] == [0, 0, 20, 10]


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [("", (10, 30, 30, 40)), ("clockwise", (20, 10, 30, 30)), ("anticlockwise", (30, 70, 40, 90))],
)
def test_a_page_that_camelot_turned_is_turned_back(
    peers: dict[str, ModuleType], rotation: str, expected: tuple[float, ...]
) -> None:
    box = peers["tools"]._upright(rotation, 100, 60)(10, 20, 30, 30)
    assert box == expected


def test_figures_come_with_interval_failures_and_the_ratio_of_seconds(peers: dict[str, ModuleType]) -> None:
    results, reading = peers["results"], peers["reading"]
    measure = Measure("exact", "Exact", "test", percent=True)
    scores = [CaseScore(str(n), {"exact": Ratio(n % 2, 1)}) for n in range(10)]
    figure = results.figure(measure, scores)
    assert figure.startswith("50.0 (")
    assert results.figure(measure, []) == "–"

    def row(name: str, seconds: float) -> object:
        (peer,) = peers["adapters"].choose([name])
        answers = {
            "a": Prediction(id="a", seconds=seconds, peak_bytes=2**20),
            "b": Prediction(id="b", error="no", seconds=seconds),
        }
        return results.Row(reading.Reading(peer, "1", answers), [])

    lines = list(results.table((), [row("docai", 2.0), row("osra", 1.0)]))
    assert lines[2:] == ["| docai | 2 | 1 | 2.00 | 1.00 | 1 |", "| osra | 2 | 1 | 1.00 | 0.50 | 1 |"]


@pytest.mark.real
def test_every_data_set_of_the_real_documents_opens(
    peers: dict[str, ModuleType], real_data: Path, tmp_path: Path
) -> None:
    for suite in peers["suites"].SUITES:
        cases = suite.open(real_data, tmp_path)
        assert any(isinstance(case, Sample) and case.source is not None for case in cases), suite.name
    assert {suite.kind for suite in peers["suites"].SUITES} == {"table", "molecule", "score", "text"}
