"""PDFs on which MuPDF loops, crashes or fills the memory: a page is lost at most, in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pymupdf
import pytest

from docai import Document, Limits, Pipeline, ScriptedEngine
from docai.errors import DamagedSourceError, TooMuchMemoryError, TooMuchTimeError
from docai.pipelines.ingest import Page, guarded, open_source
from docai.pipelines.ingest.guarded import MAX_LOST, MIN_SECONDS, shorter_limit
from docai.pipelines.layout import find_regions

pytestmark = pytest.mark.slow(seconds=60)

PLAIN = b"BT /F 12 Tf 40 150 Td (A line that can be read.) Tj ET\n"
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 300 200]"


def stream(content: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(content)
    head = b"<<" + entries + b"/Filter/FlateDecode/Length %d>>" % len(packed)
    return head + b"stream\n" + packed + b"\nendstream"


def pdf(*objects: bytes) -> bytes:
    """A file of these objects; the first is the catalog."""
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
        + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(data))
    )


def two_pages(
    content: bytes, resources: bytes, *objects: bytes, page: bytes = b"", root: bytes = b""
) -> bytes:
    """A page with this content, and one that can be read. Further objects are numbered from 8."""
    kid = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<</Font<</F 7 0 R>>%b>>"
    kid += b"/Contents %d 0 R%b>>"
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R%b>>" % root,
        b"<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>",
        kid % (resources, 5, page),
        kid % (b"", 6, b""),
        stream(content),
        stream(b"BT /F 12 Tf 40 150 Td (The page after it.) Tj ET"),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        *objects,
    )


def forms_in_forms() -> bytes:
    """Twelve forms, each of which draws the next one ten times: nothing of the page can be read."""
    forms = [
        stream(b"/X Do " * 10, FORM + b"/Resources<</XObject<</X %d 0 R>>>>" % (number + 1))
        for number in range(8, 20)
    ]
    return two_pages(PLAIN + b"/X Do", b"/XObject<</X 8 0 R>>", *forms, stream(b"0 0 9 9 re f", FORM))


def dense_tiling() -> bytes:
    """Ten million tiles that overlap: the words can be read, and the page cannot be drawn."""
    tile = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 300 200]/XStep 0.05/YStep 0.05"
    tile = stream(b"0 0 100 100 re f", tile + b"/Resources<<>>")
    return two_pages(PLAIN + b"/Pattern cs /P scn 0 0 300 200 re f", b"/Pattern<</P 8 0 R>>", tile)


def structure_in_a_circle() -> bytes:
    """A tagged page, on which one element is its own grandparent."""
    return two_pages(
        b"/P <</MCID 0>> BDC " + PLAIN + b"EMC",
        b"",
        b"<</Type/StructTreeRoot/K[9 0 R]/ParentTree<</Nums[0[10 0 R]]>>>>",
        b"<</Type/StructElem/S/Table/P 10 0 R/K[10 0 R 10 0 R]>>",
        b"<</Type/StructElem/S/TR/P 9 0 R/K[9 0 R 11 0 R]>>",
        b"<</Type/StructElem/S/P/P 10 0 R/Pg 3 0 R/K 0>>",
        page=b"/StructParents 0",
        root=b"/StructTreeRoot 8 0 R/MarkInfo<</Marked true>>",
    )


def read(data: bytes | Path, **limits: Any) -> Document:
    engine = ScriptedEngine(dict.fromkeys(("table", "molecule", "score", "text"), ""))
    return Pipeline(engine=engine, readback="off", limits=Limits(**limits)).process(data)


def texts(document: Document) -> list[str]:
    return [record.native_text or "" for record in document.records]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends_soon(pid: int) -> bool:
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Functions that do what native code was seen to do, in a module that child processes find."""
    code = """
import ctypes, os
from docai.pipelines.batch.memory import peak_memory

def process(page): return os.getpid()
def loop(page): ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock
def crash(page): ctypes.string_at(0)
def fill(page): return len(bytearray(8 << 30))
def peak(page): return peak_memory()  # getrusage has that of the process that started this one, too
"""
    folder = tmp_path_factory.mktemp("native")
    (folder / "native_code_of_tests.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        guarded.close_idle()
        yield __import__("native_code_of_tests")
    guarded.close_idle()


@pytest.fixture
def page(native: ModuleType, make_pdf: Callable[..., bytes]) -> Iterator[Page]:
    limits = Limits(max_seconds_per_step=1)
    with open_source(make_pdf("Hello"), limits=limits) as source, source.page(1) as opened:
        yield opened


# Whole documents


def test_a_structure_tree_with_a_circle_is_not_followed() -> None:
    """MuPDF alone would draw this page for ever."""
    document = read(structure_in_a_circle())
    assert texts(document) == ["A line that can be read.", "The page after it."]
    assert not list(document.iter_issues())


def test_a_sound_structure_tree_is_kept() -> None:
    sound = structure_in_a_circle().replace(b"/P 10 0 R/K[10 0 R 10 0 R]", b"/P 8 0 R/K[10 0 R]         ")
    sound = sound.replace(b"/K[9 0 R 11 0 R]", b"/K[11 0 R]      ").replace(b"[0[10 0 R]]", b"[0[11 0 R]]")
    for data, kept in ((sound, True), (structure_in_a_circle(), False)):
        with open_source(data, guarded=False) as source, source.page(1) as page:
            document = page.pdf.parent
            found = document.xref_get_key(document.pdf_catalog(), "StructTreeRoot")
            assert (found == ("xref", "8 0 R")) is kept


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"/Count 2/Kids[3 0 R 4 0 R]", b"/Count 3/Kids[3 0 R 2 0 R 4 0 R]"),
        (b"/Count 2/Kids[3 0 R 4 0 R]", b"/Count 2/Kids[3 0 R 4 0 R]/Parent 2 0 R"),
        (b"/Page/Parent 2 0 R", b"/Page/Parent 3 0 R"),
    ],
)
def test_a_page_tree_with_a_circle_is_read_without_it(right: bytes, wrong: bytes) -> None:
    sound = two_pages(PLAIN, b"")
    broken = sound[: sound.index(b"xref")].replace(right, wrong, 1)
    document = read(broken + b"trailer\n<</Size 8/Root 1 0 R>>\n%%EOF")
    assert texts(document) == ["A line that can be read.", "The page after it."]
    assert [issue.code for issue in document.iter_issues()] == ["source-repaired"]


@pytest.mark.parametrize("as_path", [False, True])
def test_a_page_that_cannot_be_read_in_time_is_one_issue(tmp_path: Path, as_path: bool) -> None:
    data = forms_in_forms()
    path = tmp_path / "forms.pdf"
    path.write_bytes(data)
    document = read(path if as_path else data, max_seconds_per_step=6)
    assert [page.origin for page in document.pages] == ["failed", "born-digital"]
    assert texts(document) == ["The page after it."]
    (issue,) = document.iter_issues()
    assert (issue.code, issue.page) == ("page-failed", 1)
    assert "in the step 'read words', it took longer than 6 s" in issue.message
    assert "Limits(max_seconds_per_step=...)" in issue.message


def test_words_are_kept_where_the_page_cannot_be_drawn_in_time() -> None:
    started = time.monotonic()
    document = read(dense_tiling(), max_seconds_per_step=6)
    assert texts(document) == ["A line that can be read.", "The page after it."]
    assert [issue.code for issue in document.iter_issues()] == ["layout-failed"]
    assert time.monotonic() - started < 60


def test_the_limit_of_a_page_is_one_of_its_steps() -> None:
    assert shorter_limit(None, Limits()) == (Limits().max_seconds_per_step, "max_seconds_per_step")
    assert shorter_limit(20.0, Limits()) == (20.0, "max_seconds_per_page")
    assert shorter_limit(-3.0, Limits()) == (MIN_SECONDS, "max_seconds_per_page")
    assert shorter_limit(None, Limits(max_seconds_per_step=None))[0] is None


# One page


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (
            "loop",
            TooMuchTimeError,
            "Page 1 of <bytes> was given up: in the step 'loop', it took longer than 1",
        ),
        ("crash", DamagedSourceError, "in the step 'crash', the process crashed"),
        ("fill", TooMuchMemoryError, r"the step 'fill' needs more memory .* Limits\(max_memory=...\)"),
    ],
)
def test_a_step_that_goes_wrong_is_an_error_and_the_next_one_is_made(
    native: ModuleType, page: Page, step: str, error: type[Exception], message: str
) -> None:
    if step == "fill" and sys.platform != "linux":
        pytest.skip("memory is bounded on Linux alone")
    before = page.inside(native.process)
    assert before != os.getpid()
    with pytest.raises(error, match=message):
        page.inside(getattr(native, step))
    assert [word.text for word in page.words()] == ["Hello"]
    assert page.render().size == (300, 200)
    assert is_running(before) if step == "fill" else ends_soon(before)


def test_a_page_that_costs_its_process_again_and_again_is_given_up(native: ModuleType, page: Page) -> None:
    for _ in range(MAX_LOST):
        with pytest.raises(DamagedSourceError):
            page.inside(native.crash)
    with pytest.raises(DamagedSourceError, match="crash"):
        page.words()


def test_a_process_that_somebody_ends_is_replaced(
    native: ModuleType, make_pdf: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens the file again, also where the working folder is another one by then."""
    (tmp_path / "a.pdf").write_bytes(make_pdf("one", "two"))
    monkeypatch.chdir(tmp_path)
    with open_source("a.pdf") as source:
        for page, text in zip(source.pages(), ("one", "two"), strict=True):
            child = page._file._worker._process  # type: ignore[attr-defined]
            assert child.pid == page.inside(native.process)
            child.terminate()
            child.wait()
            monkeypatch.chdir(tmp_path.parent)
            assert [word.text for word in page.words()] == [text]


def test_what_a_function_raises_is_raised_here(page: Page) -> None:
    with pytest.raises(RuntimeError, match=r"AttributeError: .* has no attribute 'nothing'") as caught:
        page.inside(getattr, "nothing")
    assert "In the child process:" in caught.value.__notes__[0]


# Processes


def test_files_read_one_after_the_other_share_a_process_that_ends_with_this_one(
    native: ModuleType, make_pdf: Callable[..., bytes]
) -> None:
    def process_of(data: bytes) -> int:
        with open_source(data) as source, source.page(1) as page:
            return page.inside(native.process)

    first = process_of(make_pdf("a"))
    assert process_of(make_pdf("b")) == first
    guarded.close_idle()
    assert ends_soon(first)


def test_two_open_files_do_not_meet(native: ModuleType, make_pdf: Callable[..., bytes]) -> None:
    with (
        open_source(make_pdf("a")) as one,
        open_source(make_pdf("b")) as other,
        one.page(1) as page,
        other.page(1) as page_of_other,
    ):
        assert page.inside(native.process) != page_of_other.inside(native.process)
        assert [word.text for word in (*page.words(), *page_of_other.words())] == ["a", "b"]


def test_a_plain_script_reads_a_pdf_without_a_pdf_library_or_torch_of_its_own(
    make_pdf: Callable[..., bytes], tmp_path: Path
) -> None:
    """No ``if __name__ == "__main__"`` is asked of it; what it started ends with it."""
    (tmp_path / "a.pdf").write_bytes(make_pdf("Hello"))
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, docai\n"
        "from docai.pipelines.ingest import guarded\n"
        "document = docai.process('a.pdf')\n"
        "loaded = {'pymupdf', 'torch', 'transformers'} & set(sys.modules)\n"
        "print(document.records[0].text, *(w.pid for w in guarded._idle), len(loaded))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=True)
    text, pid, n_loaded = done.stdout.split()
    assert (text, n_loaded) == ("Hello", "0")
    assert ends_soon(int(pid))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_is_heard_while_mupdf_works_and_nothing_is_left(
    tmp_path: Path, ending: signal.Signals
) -> None:
    """Where the owner is killed, the process ends a little after the limit."""
    (tmp_path / "a.pdf").write_bytes(forms_in_forms())
    seconds = 600 if ending == signal.SIGINT else 2
    code = (
        "import signal, docai\n"
        "from docai.pipelines.ingest import open_source\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"source = open_source('a.pdf', limits=docai.Limits(max_seconds_per_step={seconds}))\n"
        "with source, source.page(1) as page:\n"
        "    print(source._file._worker.pid, flush=True)\n"
        "    page.words()\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        time.sleep(0.5)
        running.send_signal(ending)
        assert running.wait(10) == -ending
    assert ends_soon(pid) or ends_soon(pid)


# Size


def test_a_page_of_two_hundred_inches_is_read_in_a_gigabyte(native: ModuleType) -> None:
    with pymupdf.open() as document:
        sheet = document.new_page(width=14_400, height=14_400)
        for line in range(60):
            sheet.insert_text((1_000, 1_000 + 15 * line), "Small letters on a very large page", fontsize=12)
        sheet.insert_text((1_000, 9_000), "Large letters", fontsize=400)
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as page:
        regions = find_regions(page).regions
        assert page.inside(native.peak) < 1 << 30
    assert {"Small", "Large"} <= {word.text for region in regions for word in region.words}
