"""Scene text: the ICDAR files, Total-Text, HierText, COCO-Text and TextOCR, with their known traps."""

import gzip
import json
import re

import pytest

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets import json_text, open_dataset
from docai.pipelines.evaluation.datasets.total_text import text_words

PICTURE = b"not looked at here"


def read(spec: str) -> tuple[dict[str, Sample], dict[str, str]]:
    cases = list(open_dataset(spec))
    samples = {case.id: case for case in cases if isinstance(case, Sample)}
    return samples, {case.id: case.reason for case in cases if isinstance(case, Skipped)}


def words(sample: Sample) -> list[SpottedWord]:
    return sample.truth[0].words


def test_icdar2015_reads_bom_commas_and_dont_care(tmp_path) -> None:
    lines = '0,0,9,1,9,8,0,7,a,b, "c"\r\n1,1,2,1,2,2,1,2,###\r\n-3,5,4,5,4,9,-3,9,Ä\r\n'
    (tmp_path / "gt_img_1.txt").write_bytes(lines.encode("utf-8-sig"))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "img_1.JPG").write_bytes(PICTURE)
    samples, skipped = read(f"icdar2015:{tmp_path}")
    assert not skipped
    assert samples["img_1"].source == tmp_path / "pictures" / "img_1.JPG"
    assert [(w.text, w.ignore) for w in words(samples["img_1"])] == [
        ('a,b, "c"', False),
        ("###", True),
        ("Ä", False),
    ]
    assert words(samples["img_1"])[0].polygon == [(0, 0), (9, 1), (9, 8), (0, 7)]
    assert samples["img_1"].truth[0].text == 'a,b, "c"\nÄ'


def test_a_broken_line_is_skipped_with_its_number(tmp_path) -> None:
    (tmp_path / "gt_img_1.txt").write_text("0,0,1,0,1,1,0,1,fine\n0,0,1,0,1,1,0,short\n")
    (tmp_path / "gt_img_2.txt").write_text("")
    (tmp_path / "gt_img_3.txt").write_text("0,0,1,0,1,1,0,1,\n")
    for number in (1, 2):
        (tmp_path / f"img_{number}.jpg").write_bytes(PICTURE)
    (tmp_path / "img_2.png").write_bytes(PICTURE)
    (tmp_path / "gt_img_4.txt").write_text("")
    (tmp_path / "img_4.png").write_bytes(PICTURE)
    samples, skipped = read(f"icdar2015:{tmp_path}")
    assert words(samples["img_4"]) == [], "a picture without words is a case"
    assert skipped == {
        "img_1, line 2": "A line of its truth is not as the format says.",
        "img_2": "Several pictures have its name.",
        "img_3": "The file that its truth is of is missing.",
    }


def test_icdar2013_takes_blanks_or_commas_and_outer_quotes(tmp_path) -> None:
    (tmp_path / "gt_100.txt").write_text('1 2 30 40 "The"\n5 6 7 8 "say "hi""\n')
    (tmp_path / "gt_img_1.txt").write_text('38, 43, 920, 215, "Tired, ness"\n')
    samples, _ = read(f"icdar2013-text:{tmp_path}")
    assert [w.text for w in words(samples["100"])] == ["The", 'say "hi"']
    assert words(samples["100"])[0].polygon == [(1, 2), (30, 2), (30, 40), (1, 40)]
    assert [w.text for w in words(samples["img_1"])] == ["Tired, ness"]
    assert samples["100"].source is None


def test_one_icdar_layout_is_not_taken_for_the_other(tmp_path) -> None:
    (tmp_path / "gt_img_1.txt").write_text('1 2 30 40 "The"\n')
    with pytest.raises(DatasetError, match=r"None of the 1 cases.*not as the format says"):
        read(f"icdar2015:{tmp_path}")
    (tmp_path / "gt_img_1.txt").write_text("0,0,1,0,1,1,0,1,The\n")
    with pytest.raises(DatasetError, match="None of the 1 cases"):
        read(f"icdar2013-text:{tmp_path}")


TOTAL = """x: [[259 313 389
 427]], y: [[542 462 417
 459]], ornt: [u'c'], transcriptions: [u'PAUL']
x: [[ 0 9 0 9]], y: [[0 9 9 0]], ornt: [u'm'], transcriptions: [u"Joe's [x]"]
x: [[0 1 2]], y: [[0 1 0]], ornt: [u'#'], transcriptions: [u'#']
x: [[0 1 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [u',']
x: [[0 1 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [u'it's']
x: [[0 1 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [u'caf\\xe9']
x: [[0 1 2]], y: [[0 1 0]], ornt: [], transcriptions: []
"""


def test_total_text_records(tmp_path) -> None:
    (tmp_path / "poly_gt_img1.txt").write_text(TOTAL)
    (tmp_path / "img1.jpg").write_bytes(PICTURE)
    samples, _ = read(f"total-text:{tmp_path}")
    found = words(samples["img1"])
    assert [w.text for w in found] == ["PAUL", "Joe's [x]", "#", ",", "it's", "café", ""]
    assert [w.ignore for w in found] == [False, False, True, False, False, False, True]
    assert found[0].polygon == [(259, 542), (313, 462), (389, 417), (427, 459)]
    assert found[1].polygon == [(0, 0), (9, 9), (0, 9), (9, 0)], "a bow-tie stays one"


@pytest.mark.parametrize(
    "record",
    [
        "x: [[0 1 2]], y: [[0 1]], ornt: [u'h'], transcriptions: [u'A']",
        "x: [[0 1]], y: [[0 1]], ornt: [u'h'], transcriptions: [u'A']",
        "x: [[0 one 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [u'A']",
        "x: [[0 1 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [__import__('os').getcwd()]",
        "x: [[0 1 2]], y: [[0 1 0]], ornt: [u'h'], transcriptions: [1]",
        "x: [[0 1 2]], y: [[0 1 0]]",
        "0,0,1,0,1,1,0,1,A",
    ],
)
def test_a_broken_record_skips_its_picture(tmp_path, record: str) -> None:
    (tmp_path / "poly_gt_img1.txt").write_text(f"{TOTAL}{record}\n")
    (tmp_path / "poly_gt_img2.txt").write_text(TOTAL)
    samples, skipped = read(f"total-text:{tmp_path}")
    assert list(samples) == ["img2"]
    assert list(skipped) == ["img1"]


def test_total_text_from_matlab(tmp_path) -> None:
    io = pytest.importorskip("scipy.io", reason="needs docai[eval]")
    import numpy as np

    rows = np.empty((2, 6), dtype=object)
    rows[0] = ["x:", np.array([[1, 5, 3]]), "y:", np.array([[2, 2, 9]]), "Word", "c"]
    rows[1] = ["x:", np.array([[1, 5, 3]]), "y:", np.array([[2, 2, 9]]), "#", "#"]
    io.savemat(tmp_path / "poly_gt_img1.mat", {"polygt": rows})
    io.savemat(tmp_path / "poly_gt_img2.mat", {"other": 1})
    (tmp_path / "poly_gt_img3.mat").write_bytes(b"no matlab")
    samples, skipped = read(f"total-text:{tmp_path}")
    assert words(samples["img1"]) == [
        SpottedWord(text="Word", polygon=[(1, 2), (5, 2), (3, 9)]),
        SpottedWord(text="#", polygon=[(1, 2), (5, 2), (3, 9)], ignore=True),
    ]
    assert set(skipped) == {"img2", "img3"}


def test_an_empty_file_has_no_words() -> None:
    assert text_words("\n") == []


def hier(name: str, **word: object) -> dict[str, object]:
    full = {"vertices": [[0, 0], [9, 0], [9, 9]], "text": "Word", "legible": True, **word}
    return {"image_id": name, "paragraphs": [{"legible": True, "lines": [{"words": [full]}]}]}


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_hiertext_is_read_picture_by_picture(tmp_path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(json_text, "_CHUNK", chunk)
    (tmp_path / "gt").mkdir()
    (tmp_path / "validation").mkdir()
    entries = [
        hier("a", text="Ünï"),
        hier("b", legible=False, text=""),
        hier("c", vertices=[[0, 0], [1, 1]]),
        {"image_id": "d"},
        {"paragraphs": []},
        {"image_id": "e", "paragraphs": []},
    ]
    content = json.dumps({"info": {"name": "annotations"}, "annotations": entries}, ensure_ascii=False)
    (tmp_path / "gt" / "validation.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    for name in "abcde":
        (tmp_path / "validation" / f"{name}.jpg").write_bytes(PICTURE)
    samples, skipped = read(f"hiertext:{tmp_path / 'gt'}")
    assert list(samples) == ["a", "b", "e"]
    assert samples["a"].source == tmp_path / "validation" / "a.jpg"
    assert [(w.text, w.ignore) for s in samples.values() for w in words(s)] == [("Ünï", False), ("", True)]
    assert set(skipped) == {"c", "d", "annotation 4"}


@pytest.mark.parametrize("cut", ['{"info": 1}', '{"annotations": [{"image_id": "a"', "", "[1, 2]"])
def test_a_hiertext_file_that_is_cut_off(tmp_path, cut: str) -> None:
    (tmp_path / "x.jsonl").write_text(cut)
    with pytest.raises(DatasetError):
        read(f"hiertext:{tmp_path}")


def test_a_damaged_gzip_file_is_named(tmp_path) -> None:
    content = json.dumps({"annotations": [hier(str(n)) for n in range(2000)]})
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(content.encode())[:-500])
    with pytest.raises(DatasetError, match=r"x\.jsonl\.gz"):
        read(f"hiertext:{tmp_path}")


def coco(key: str, **images: str) -> dict[str, object]:
    polygon = [0, 0, 9, 0, 9, 9, 0, 9]
    anns = {
        "1": {"id": 1, key: polygon, "utf8_string": "Stop", "legibility": "legible"},
        "2": {"id": 2, key: polygon, "utf8_string": ".", "legibility": "illegible"},
        "3": {"id": 3, key: polygon[:5], "utf8_string": "x", "legibility": "legible"},
    }
    pictures = {
        name: {"file_name": f"train/{name}.jpg", "set": part, "id": name} for name, part in images.items()
    }
    return {"cats": {}, "anns": anns, "imgs": pictures, "imgToAnns": {"a": [1, 2], "b": [3], "c": [9]}}


@pytest.mark.parametrize(("name", "key"), [("coco-text", "mask"), ("textocr", "points")])
def test_coco_text_and_textocr(tmp_path, name: str, key: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps(coco(key, a="val", b="val", c="val", d="val", t="train")))
    (tmp_path / "images").mkdir()
    for stem in "abcd":
        (tmp_path / "images" / f"{stem}.jpg").write_bytes(PICTURE)
    samples, skipped = read(f"{name}:{tmp_path}")
    assert [(w.text, w.ignore) for w in words(samples["a"])] == [("Stop", False), (".", True)]
    assert samples["a"].source == tmp_path / "images" / "a.jpg"
    assert words(samples["d"]) == []
    assert skipped == {
        "b": "A word of its truth is not as the format says.",
        "c": "A word that the picture lists is missing.",
    }
    assert "t" not in samples, "the training half is not measured on"
    other = {"coco-text": "textocr", "textocr": "coco-text"}[name]
    with pytest.raises(DatasetError, match="another set's layout"):
        read(f"{other}:{tmp_path}")


def test_what_docai_draws_is_read_back(tmp_path) -> None:
    pytest.importorskip("reportlab", reason="drawing needs docai[synth]")
    from docai.pipelines.synthesis.write import write_pairs

    write_pairs("text", 2, 5, tmp_path)
    samples, skipped = read(f"icdar2015:{tmp_path}")
    assert not skipped
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    by_image = {pair["image"]: pair["target"] for pair in pairs}
    for sample in samples.values():
        assert sample.source is not None
        target = by_image[sample.source.name]
        assert words(sample)
        assert [w.text for w in words(sample)] == re.findall(r"(?:<loc\d{4}>){4} (\S+)", target)
