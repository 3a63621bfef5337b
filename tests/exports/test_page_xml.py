"""PAGE XML, by the schema that the package ocrd carries, and by what is in it."""

from __future__ import annotations

import pytest
from lxml import etree

from docai.document import PageInfo
from docai.errors import NothingToExportError
from docai.exports import ExportedFile, ExportOptions, export

from . import laid_out, made
from .ecosystem import file_of

_NAMES = {"p": "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"}


def _exported() -> ExportedFile:
    return export(laid_out.document(), "out.page.xml")


def _root() -> etree._Element:
    return etree.fromstring(bytes(_exported()))


def _region(name: str) -> etree._Element:
    (found,) = _root().xpath(f"//*[@id='{name}']")
    assert isinstance(found, etree._Element)
    return found


def _kind(element: etree._Element) -> str:
    return etree.QName(element).localname


def test_each_page_is_valid_by_the_schema() -> None:
    schema = etree.XMLSchema(etree.parse(str(file_of("ocrd_validators", "page.xsd"))))
    for document in (laid_out.document(), made.document(), made.document(made.spanned(), made.figure())):
        file = export(document, "out.page.xml")
        for data in (bytes(file), *file.files.values()):
            assert schema.validate(etree.fromstring(data)), schema.error_log
    broken = _root()
    broken.find(".//p:Coords", _NAMES).set("points", "1,2")  # type: ignore[union-attr]
    assert not schema.validate(broken)


def test_the_first_page_is_the_main_file_and_the_others_lie_beside_it() -> None:
    file = _exported()
    assert list(file.files) == ["out-page-002.page.xml"]
    numbers = [etree.fromstring(data).find("p:Page", _NAMES) for data in (file, *file.files.values())]
    customs = [page.get("custom") for page in numbers if page is not None]
    assert customs == ["page {number:1;}", "page {number:2;}"]
    assert [loss.code for loss in file.losses] == ["failed-page"]


def test_without_files_beside_it_the_other_pages_are_told_as_lost() -> None:
    file = export(laid_out.document(), "out.page.xml", ExportOptions(files_beside=False))
    assert (dict(file.files), [loss.code for loss in file.losses]) == ({}, ["failed-page", "more-pages"])


def test_a_document_without_a_page_says_so() -> None:
    document = made.document()
    document.pages = [PageInfo(number=1, width=0, height=0, origin="failed")]
    with pytest.raises(NothingToExportError, match="read it again"):
        export(document, "out.page.xml")


def test_words_lines_and_regions_have_text_and_corners() -> None:
    body = _region("body")
    assert body.findtext("p:TextEquiv/p:Unicode", namespaces=_NAMES) == 'two words,\nmore "of" <them> \ufffd'
    lines = [one.text for one in body.iterfind("p:TextLine/p:TextEquiv/p:Unicode", _NAMES)]
    assert lines == ["two words,", 'more "of" <them> \ufffd']
    word = body.findall("p:TextLine/p:Word", _NAMES)[1]
    coords, equivalent = word.find("p:Coords", _NAMES), word.find("p:TextEquiv", _NAMES)
    assert coords is not None
    assert equivalent is not None
    assert coords.get("points") == "183,208 333,208 333,250 183,250"
    assert (equivalent[0].text, float(equivalent.get("conf") or 0)) == ("words,", 0.8)
    page = _root().find("p:Page", _NAMES)
    assert page is not None
    assert (page.get("imageWidth"), page.get("imageHeight"), page.get("imageFilename")) == (
        "1250",
        "833",
        "laid out.pdf",
    )


def test_regions_are_of_their_kinds_and_roles() -> None:
    names = ("body", "table-1", "molecule", "score", "figure", "formula")
    kinds = {name: _kind(_region(name)) for name in names}
    assert kinds == {
        "body": "TextRegion",
        "table-1": "TableRegion",
        "molecule": "ChemRegion",
        "score": "MusicRegion",
        "figure": "ImageRegion",
        "formula": "MathsRegion",
    }
    types = [_region(name).get("type") for name in ("head", "title", "section", "body", "hebrew", "caption")]
    assert types == ["header", "heading", "heading", "paragraph", "other", "caption"]
    assert _region("section").get("custom") == "structure {type:section-heading; level:2;}"
    (line,) = _region("hebrew").iterfind("p:TextLine", _NAMES)
    assert line.get("readingDirection") == "right-to-left"


def test_cells_know_their_place_in_the_table() -> None:
    table = _region("table-1")
    assert (table.get("rows"), table.get("columns")) == ("3", "2")
    cells = []
    for cell in table.iterfind("p:TextRegion", _NAMES):
        role = cell.find("p:Roles/p:TableCellRole", _NAMES)
        assert role is not None
        cells.append((*role.attrib.values(), cell.findtext("p:TextEquiv/p:Unicode", namespaces=_NAMES)))
    assert cells == [
        ("0", "0", "1", "2", "true", "Mass & Co."),
        ("1", "0", "1", "1", "false", "first\nsecond"),
        ("1", "1", "1", "1", "false", "7a"),
        ("2", "0", "1", "1", "false", ""),
        ("2", "1", "1", "1", "false", "<b>"),
    ]


def test_structures_and_notes_come_back_from_their_attributes() -> None:
    def values(name: str) -> dict[str | None, str | None]:
        attributes = _region(name).iterfind("p:UserDefined/p:UserAttribute", _NAMES)
        return {one.get("name"): one.get("value") for one in attributes}

    assert values("molecule")["smiles"] == "CCO"
    assert values("score") == {"kern": made.score().kern}


def test_captions_are_linked_and_all_regions_are_in_reading_order() -> None:
    root = _root()
    links = root.xpath("//p:Relation/*/@regionRef", namespaces=_NAMES)
    assert links == ["caption", "table-1"]
    order = root.xpath("//p:RegionRefIndexed/@regionRef", namespaces=_NAMES)
    assert order == [record.id for record in laid_out.document().records if record.page == 1]


def test_a_region_of_a_skewed_page_has_its_own_corners() -> None:
    coords = _region("molecule").find("p:Coords", _NAMES)
    assert coords is not None
    assert coords.get("points") == "625,417 1042,425 1038,583 621,575"
