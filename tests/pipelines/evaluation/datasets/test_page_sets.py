"""Whole documents: text layers as truth, and docai's own pages."""

import json

import pytest

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import FORMATS, open_dataset
from docai.pipelines.evaluation.datasets.pages import write_pages


def read(spec: str) -> tuple[dict[str, Sample], dict[str, str]]:
    cases = list(open_dataset(spec))
    samples = {case.id: case for case in cases if isinstance(case, Sample)}
    return samples, {case.id: case.reason for case in cases if isinstance(case, Skipped)}


@pytest.fixture
def locked(make_pdf) -> bytes:
    import pymupdf

    return make_pdf("secret", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="open", owner_pw="o")


def test_the_text_layer_is_the_truth(tmp_path, make_pdf) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.PDF").write_bytes(make_pdf("Hello world", "", "Third page"))
    samples, skipped = read(f"pdf-text:{tmp_path}")
    assert not skipped
    sample = samples["sub/a.PDF"]
    assert (sample.unit, sample.page, sample.password) == ("page", None, None)
    assert [(item.page, item.text) for item in sample.truth] == [(1, "Hello world"), (3, "Third page")]
    word = sample.truth[0].words[0]
    assert word.text == "Hello"
    x0, y0 = word.polygon[0]
    x1, y1 = word.polygon[2]
    assert 19 < x0 < 21 < x1 < 60
    assert 20 < y0 < 40 < y1 < 50


def test_passwords_come_from_the_file_beside(tmp_path, make_pdf, locked) -> None:
    for name, data in (("a", locked), ("b", locked), ("c", locked), ("d", make_pdf(""))):
        (tmp_path / f"{name}.pdf").write_bytes(data)
    (tmp_path / "e.pdf").write_bytes(b"%PDF-1.4 no more")
    (tmp_path / "passwords.txt").write_text("a.pdf\topen\nb.pdf\tshut\n\n")
    samples, skipped = read(f"pdf-text:{tmp_path}")
    assert [(name, sample.password) for name, sample in samples.items()] == [("a.pdf", "open")]
    assert skipped == {
        "b.pdf": "It is encrypted, and its password is wrong.",
        "c.pdf": "It is encrypted, and passwords.txt has no password for it.",
        "d.pdf": "It has no text layer.",
        "e.pdf": "It cannot be read.",
    }
    (tmp_path / "passwords.txt").write_text("a.pdf open\n")
    with pytest.raises(DatasetError, match="NAME<TAB>PASSWORD"):
        open_dataset(f"pdf-text:{tmp_path}")


def test_a_list_names_files_and_passwords(tmp_path, make_pdf, locked) -> None:
    (tmp_path / "a.pdf").write_bytes(locked)
    (tmp_path / "b.pdf").write_bytes(make_pdf("plain"))
    (tmp_path / "c.pdf").write_bytes(make_pdf("not listed"))
    (tmp_path / "set.txt").write_text("a.pdf\topen\nb.pdf\nlost.pdf\n")
    samples, skipped = read(f"pdf-text:{tmp_path / 'set.txt'}")
    assert list(samples) == ["a.pdf", "b.pdf"]
    assert skipped == {"lost.pdf": "There is no such file."}


def test_one_pdf_is_a_set(tmp_path, make_pdf) -> None:
    (tmp_path / "a.pdf").write_bytes(make_pdf("x"))
    assert list(read(f"pdf-text:{tmp_path / 'a.pdf'}")[0]) == ["a.pdf"]


def test_docais_own_pages(tmp_path, make_pdf) -> None:
    regions = [
        {"kind": "text", "bbox": [1, 2, 30, 9], "paragraphs": ["One", "Two"]},
        {"kind": "table", "bbox": [1, 20, 30, 40], "rows": [["a", "b"], ["1", "<2"]]},
        {"kind": "table", "bbox": [1, 20, 30, 40], "html": "<table><tr><td>x</td></tr></table>"},
        {"kind": "molecule", "bbox": [1, 50, 30, 60], "smiles": "CCO"},
        {"kind": "score", "bbox": [1, 70, 30, 80], "kern": "**kern\n*-"},
        {"kind": "figure", "bbox": [1, 90, 30, 99]},
    ]
    bare = [{"kind": region["kind"], "bbox": region["bbox"]} for region in regions]
    unboxed = [{"kind": "text", "text": "One"}]
    for name, pages in (("a", [[], regions]), ("bare", [bare]), ("unboxed", [unboxed])):
        (tmp_path / f"{name}.pdf").write_bytes(make_pdf("x", "y"))
        (tmp_path / f"{name}.truth.json").write_text(json.dumps({"pages": pages}))
    (tmp_path / "lost.truth.json").write_text('{"pages": []}')
    for name, text in (("torn", "{"), ("other", "[]"), ("kind", '{"pages": [[{"kind": "map"}]]}')):
        (tmp_path / f"{name}.pdf").write_bytes(make_pdf("x"))
        (tmp_path / f"{name}.truth.json").write_text(text)
    broken = {
        "kind": "A region of its truth has no known kind.",
        "lost": "The file that its truth is of is missing.",
        "other": "Its truth has no list of pages.",
        "torn": "Its truth is not JSON.",
    }

    samples, skipped = read(f"docai-regions:{tmp_path}")
    assert set(samples) == {"a", "bare"}
    assert skipped == {**broken, "unboxed": "A region of its truth has no box."}
    assert [(item.kind, item.page) for item in samples["a"].truth][:2] == [("text", 2), ("table", 2)]
    assert [item.bbox for item in samples["a"].truth] == [tuple(region["bbox"]) for region in regions]

    samples, skipped = read(f"docai-content:{tmp_path}")
    assert set(samples) == {"a", "unboxed"}
    assert skipped == {**broken, "bare": "A region of its truth has no content."}
    assert [item.text for item in samples["a"].truth] == [
        "One\nTwo",
        "<html><body><table><thead><tr><td>a</td><td>b</td></tr></thead>"
        "<tbody><tr><td>1</td><td>&lt;2</td></tr></tbody></table></body></html>",
        "<html><body><table><tr><td>x</td></tr></table></body></html>",
        "CCO",
        "**kern\n*-",
        "",
    ]


def test_synthetic_pages_are_written_as_they_are_read(tmp_path) -> None:
    pytest.importorskip("reportlab", reason="drawing needs docai[synth]")
    from docai.pipelines.synthesis.pages import scanned, synthetic_page

    page = synthetic_page(1003)
    assert write_pages(tmp_path, [page, scanned(synthetic_page(1009))]) == 2
    samples, skipped = read(f"docai-regions:{tmp_path}")
    assert not skipped
    assert list(samples) == ["page_001003", "page_001009"]
    truth = samples["page_001003"].truth
    assert [(item.kind, item.bbox) for item in truth] == [(region.kind, region.bbox) for region in page.truth]


def test_every_format_says_what_it_is_and_where_from() -> None:
    own = {"pdf-text", "docai-regions", "docai-content", "grandstaff-distorted", "icdar2013-crop"}
    for name, entry in FORMATS.items():
        doc = entry.read.__doc__
        assert doc
        assert name in own or "https://" in doc, name
        assert entry.tasks
        assert entry.kinds


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_wrong_paths_are_errors_that_say_what_was_expected(tmp_path, name: str) -> None:
    with pytest.raises(DatasetError, match="expected"):
        open_dataset(f"{name}:{tmp_path / 'nothing'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="an empty folder"):
        open_dataset(f"{name}:{tmp_path / 'empty'}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.md").write_text("nothing of use")
    with pytest.raises(DatasetError, match=r"notes\.md"):
        open_dataset(f"{name}:{tmp_path / 'other'}")
    with pytest.raises(DatasetError):
        list(open_dataset(f"{name}:{tmp_path / 'other' / 'notes.md'}"))


@pytest.mark.parametrize("spec", ["pubtabnet", "pubtabnet:", ":folder", "PubTabNet:folder", "csv:folder", ""])
def test_a_bad_spec_lists_the_formats(spec: str) -> None:
    with pytest.raises(DatasetError, match=r"FORMAT:PATH.*coco-text.*total-text"):
        open_dataset(spec)


def test_an_empty_file_is_an_empty_set(tmp_path) -> None:
    (tmp_path / "x.jsonl").write_text("\n")
    with pytest.raises(DatasetError, match="is empty"):
        list(open_dataset(f"pubtabnet:{tmp_path}"))


def test_a_set_can_be_read_twice(tmp_path, make_pdf) -> None:
    (tmp_path / "a.pdf").write_bytes(make_pdf("x"))
    dataset = open_dataset(f"pdf-text:{tmp_path}")
    assert list(dataset) == list(dataset)
