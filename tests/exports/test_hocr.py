"""hOCR, read by hocr-tools and by an XML parser."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree, html

from docai.exports import ExportedFile, export

from . import laid_out, made
from .ecosystem import answer_of

_CHECK = """
import contextlib, io, json, sys
from pathlib import Path
from hocr_tools_lib.tools.hocr_check import Checker
said = io.StringIO()
with contextlib.redirect_stderr(said):
    Checker(Path(sys.argv[1]), no_overlap=sys.argv[2] == "no").check()
print(json.dumps(said.getvalue().splitlines()))
"""


def _exported() -> ExportedFile:
    return export(laid_out.document(), "out.hocr")


def _of_class(root: html.HtmlElement, name: str) -> list[html.HtmlElement]:
    found: list[html.HtmlElement] = root.xpath(f"//*[@class='{name}']")
    return found


def _bbox(element: html.HtmlElement) -> tuple[int, ...]:
    found = re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", element.get("title", ""))
    assert found is not None, element.get("title")
    return tuple(map(int, found.groups()))


def test_hocr_tools_find_nothing_to_complain_about(tmp_path: Path) -> None:
    path = tmp_path / "out.hocr"
    path.write_bytes(_exported())
    said = answer_of(_CHECK, path, "no", package="hocr-tools-lib")
    assert len(said) > 20
    assert [one for one in said if not one.startswith("ok ")] == []


def test_regions_that_lie_apart_lie_apart_in_hocr(tmp_path: Path) -> None:
    path = tmp_path / "out.hocr"
    one, other = laid_out.line("one line", 20, 20), laid_out.line("another", 20, 40)
    path.write_bytes(export(made.document(laid_out.block(one), laid_out.block(other)), "out.hocr"))
    said = answer_of(_CHECK, path, "yes", package="hocr-tools-lib")
    assert sum("mostly_nonoverlapping" in one for one in said) == 3
    assert [one for one in said if not one.startswith("ok ")] == []


def test_html_and_xml_parsers_read_the_same_words() -> None:
    data = bytes(_exported())
    words = [word.text for word in _of_class(html.fromstring(data), "ocrx_word")]
    names = {"x": "http://www.w3.org/1999/xhtml"}
    assert [
        word.text for word in etree.fromstring(data).iterfind(".//x:span[@class='ocrx_word']", names)
    ] == words
    assert words[:8] == ["Running", "head", "A", "title", "1", "Section", "two", "words,"]
    # The last one was a control character, which XML cannot hold.
    assert words[8:12] == ["more", '"of"', "<them>", "\ufffd"]
    assert words[-6:] == ["the", "figure", "E", "=", "mc²", "7"]


def test_words_have_their_boxes_at_300_dpi_and_their_confidence() -> None:
    root = html.fromstring(bytes(_exported()))
    word = next(one for one in _of_class(root, "ocrx_word") if one.text == "words,")
    assert _bbox(word) == tuple(round(value * 300 / 72) for value in (44, 50, 80, 60))
    assert word.get("title", "").endswith("x_wconf 80")
    page = _of_class(root, "ocr_page")[0]
    assert _bbox(page) == (0, 0, 1250, 833)
    assert "scan_res 300 300" in page.get("title", "")
    assert 'image "laid out.pdf"' in page.get("title", "")


def test_pixels_of_an_image_are_its_own() -> None:
    document = made.document(laid_out.block(laid_out.line("word", 36, 72)), name="a.png")
    document.source.type = "png"
    document.pages[0].dpi = 150
    document.pages[0].width, document.pages[0].height = 144, 144
    root = html.fromstring(bytes(export(document, "out.hocr")))
    assert _bbox(_of_class(root, "ocr_page")[0]) == (0, 0, 300, 300)
    assert _bbox(_of_class(root, "ocrx_word")[0]) == (75, 150, 125, 171)


def test_only_words_with_a_space_between_them_have_one() -> None:
    root = html.fromstring(bytes(_exported()))
    lines = [line.text_content().strip() for line in _of_class(root, "ocr_line")]
    assert "東京都庁です" in lines
    assert "two words," in lines
    assert lines[0] == "Running head"


def test_roles_are_classes_and_lines_from_the_right_say_so() -> None:
    root = html.fromstring(bytes(_exported()))
    classes = ["ocr_header", "ocr_title", "ocr_subsection", "ocr_caption", "ocr_display", "ocr_footer"]
    texts = ["Running head", "A title", "1 Section", "Table 1", "E = mc²", "7"]
    assert [" ".join(_of_class(root, name)[0].text_content().split()) for name in classes] == texts
    (hebrew,) = root.xpath("//*[@dir='rtl']")
    assert hebrew.text_content().strip() == "שלום עולם"
    assert "x_role list-item" in hebrew.getparent().getparent().get("title", "")


def test_a_table_is_a_table_with_spans_and_nothing_escapes_its_cell() -> None:
    (table,) = _of_class(html.fromstring(bytes(_exported())), "ocr_table")
    rows = [[" ".join(cell.text_content().split()) for cell in row] for row in table.findall("tr")]
    assert rows == [["Mass & Co."], ["first second", "7a"], ["", "<b>"]]
    head = table.findall("tr")[0][0]
    assert (head.tag, head.get("colspan")) == ("th", "2")
    # A cell without a box is somewhere in its table.
    assert _bbox(table.findall("tr")[1][1]) == _bbox(table)


def test_a_molecule_is_its_smiles_and_a_skewed_region_has_its_corners() -> None:
    drawings = _of_class(html.fromstring(bytes(_exported())), "ocr_linedrawing")
    drawing = next(one for one in drawings if one.get("id") == "molecule")
    assert drawing.text_content().strip() == "CCO"
    assert "poly 625 417 1042 425 1038 583 621 575" in drawing.get("title", "")


def test_what_hocr_cannot_hold_is_told() -> None:
    losses = [(loss.code, loss.record) for loss in _exported().losses]
    assert losses == [("failed-page", None), ("no-content", "score")]
