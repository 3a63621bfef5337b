"""The readers on real files: how many cases there are, and that places and texts fit the documents."""

from collections import Counter
from pathlib import Path

import pytest

from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset

pytestmark = pytest.mark.real


def read(name: str, path: Path) -> tuple[list[Sample], Counter[str]]:
    cases = list(open_dataset(f"{name}:{path}"))
    reasons = Counter(case.reason for case in cases if isinstance(case, Skipped))
    return [case for case in cases if isinstance(case, Sample)], reasons


@pytest.mark.parametrize(
    ("name", "folder", "n_samples", "n_skipped"),
    [
        ("pubtabnet", "tables/pubtabnet", 10, 0),
        ("teds-pairs", "tables/teds-parity", 20, 0),
        ("icdar2013", "tables/icdar2013-eu", 27, 1),
        ("icdar2013-crop", "tables/icdar2013-eu", 76, 1),
        # One molfile bonds two atoms twice, one has argon where aryl is meant: RDKit refuses both.
        ("molfiles", "molecules/uspto", 149, 1),
        ("molfiles", "molecules/clef2012", 39, 1),
        ("molfiles", "molecules/usan", 60, 0),
        ("molfiles", "molecules/testSet1", 20, 0),
        ("kern-pages", "scores/mozart", 4, 0),
        ("icdar2015", "text/icdar2015", 5, 0),
        ("pdf-text", "pdfs", 23, 5),
    ],
)
def test_counts(real_data, name: str, folder: str, n_samples: int, n_skipped: int) -> None:
    samples, reasons = read(name, real_data / folder)
    assert (len(samples), reasons.total()) == (n_samples, n_skipped), reasons
    for sample in samples:
        assert sample.source is None or sample.source.is_file()


def test_words_of_icdar2013_lie_in_their_cells(real_data) -> None:
    import pymupdf

    hits = total = 0
    for sample in read("icdar2013", real_data / "tables" / "icdar2013-eu")[0]:
        with pymupdf.open(sample.source) as document:
            for item in sample.truth:
                page = document[item.page - 1]
                found = page.get_text("words")
                centres = [
                    ((box := pymupdf.Rect(word[:4]) * page.rotation_matrix).x0 + box.x1, box.y0 + box.y1)
                    for word in found
                ]
                for cell in item.cells:
                    if cell.bbox is None or not cell.text:
                        continue
                    x0, y0, x1, y1 = (2 * value for value in cell.bbox)
                    inside = [
                        word[4]
                        for word, (x, y) in zip(found, centres, strict=True)
                        if x0 - 2 <= x <= x1 + 2 and y0 - 4 <= y <= y1 + 4
                    ]
                    total += 1
                    hits += "".join(inside) == cell.text.replace(" ", "")
    assert total > 3000
    assert hits / total > 0.98


def test_truth_of_real_scores_is_sound_kern(real_data) -> None:
    from docai.parsers.score import parse_score

    for sample in read("kern-pages", real_data / "scores" / "mozart")[0]:
        parsed = parse_score(sample.truth[0].text)
        assert not [issue for issue in parsed.issues if issue.severity == "error"], sample.id


def test_truth_of_real_tables_is_what_the_parser_makes_of_it(real_data) -> None:
    from docai.parsers.table import parse_table

    for name, folder in (("pubtabnet", "pubtabnet"), ("icdar2013-crop", "icdar2013-eu")):
        for sample in read(name, real_data / "tables" / folder)[0]:
            (item,) = sample.truth
            places = {(cell.row, cell.col, cell.row_span, cell.col_span) for cell in item.cells}
            cells = parse_table(item.text).content.cells
            assert {(cell.row, cell.col, cell.row_span, cell.col_span) for cell in cells} == places
