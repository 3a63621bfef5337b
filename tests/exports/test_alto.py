"""ALTO 4.4, by its schema and by what is in it.

No package carries the schema, ``alto-4-4.xsd`` of https://www.loc.gov/standards/alto/: name the file in
``ALTO_XSD``, with ``xlink.xsd`` beside it or without.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from docai.exports import ExportedFile, export

from . import laid_out, made

_NAMES = {"a": "http://www.loc.gov/standards/alto/ns-v4#"}

_XLINK = b"""<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/1999/xlink">
<attributeGroup name="simpleLink"/></schema>"""
"""docai writes no link."""


def _exported() -> ExportedFile:
    return export(laid_out.document(), "out.alto.xml")


def _root() -> etree._Element:
    return etree.fromstring(bytes(_exported()))


class _Offline(etree.Resolver):
    def resolve(self, url: str, public_id: str, context: object) -> object:
        return self.resolve_string(_XLINK, context) if url.endswith("xlink.xsd") else None


def _schema() -> etree.XMLSchema:
    path = os.environ.get("ALTO_XSD")
    if not path or not Path(path).is_file():
        pytest.skip("the schema of ALTO 4.4 is not here: name the file in ALTO_XSD")
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Offline())
    return etree.XMLSchema(etree.parse(path, parser))


def test_it_is_valid_by_its_schema() -> None:
    schema = _schema()
    for document in (laid_out.document(), made.document(), made.document(made.spanned(), made.figure())):
        root = etree.fromstring(bytes(export(document, "out.alto.xml")))
        assert schema.validate(root), schema.error_log


def test_the_schema_refuses_what_is_wrong() -> None:
    schema, root = _schema(), _root()
    root.find(".//a:String", _NAMES).attrib.pop("CONTENT")  # type: ignore[union-attr]
    assert not schema.validate(root)


def test_parts_stand_in_the_order_of_the_format_and_references_lead_somewhere() -> None:
    root = _root()
    parts = [etree.QName(part).localname for part in root]
    assert parts == ["Description", "Tags", "ReadingOrder", "Layout"]
    ids = [one.get("ID") for one in root.iter() if one.get("ID")]
    assert len(ids) == len(set(ids))
    for one in root.iter():
        for name in ("REF", "TAGREFS"):
            assert set((one.get(name) or "").split()) <= set(ids)
    assert root.findtext(".//a:MeasurementUnit", namespaces=_NAMES) == "pixel"


def test_words_have_their_boxes_and_confidence() -> None:
    root = _root()
    (word,) = root.xpath("//a:String[@CONTENT='words,']", namespaces=_NAMES)
    place = {name: int(word.get(name)) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")}
    assert place == {"HPOS": 183, "VPOS": 208, "WIDTH": 150, "HEIGHT": 42}
    assert float(word.get("WC")) == pytest.approx(0.8)
    page = root.find(".//a:Page", _NAMES)
    assert page is not None
    assert (page.get("WIDTH"), page.get("HEIGHT"), page.get("PHYSICAL_IMG_NR")) == ("1250", "833", "1")


def test_spaces_stand_between_words_that_have_one() -> None:
    lines = {}
    for line in _root().iterfind(".//a:TextLine", _NAMES):
        parts = [" " if etree.QName(part).localname == "SP" else str(part.get("CONTENT")) for part in line]
        lines["".join(parts)] = line.get("BASEDIRECTION")
    assert {"two words,", 'more "of" <them> \ufffd', "東京都庁です", "Mass & Co."} <= set(lines)
    assert lines["שלום עולם"] == "rtl"


def test_running_heads_stand_in_the_margin_and_in_the_reading_order() -> None:
    root = _root()
    (head,) = root.xpath("//a:Page[1]/a:TopMargin/a:TextBlock", namespaces=_NAMES)
    (number,) = root.xpath("//a:Page[2]/a:BottomMargin/a:TextBlock", namespaces=_NAMES)
    assert (head.get("ID"), number.get("ID")) == ("head", "number")
    order = root.xpath("//a:OrderedGroup[1]/a:ElementRef/@REF", namespaces=_NAMES)
    assert order[:3] == ["head", "title", "section"]
    assert order[-1] == "formula"


def test_tags_say_what_a_block_is() -> None:
    root = _root()
    tags = {one.get("ID"): one.get("LABEL") for one in root.iterfind("a:Tags/*", _NAMES)}
    roles = {one.get("ID"): tags[one.get("TAGREFS")] for one in root.iter() if one.get("TAGREFS") is not None}
    assert (roles["title"], roles["section"], roles["molecule"]) == ("title", "section-heading-2", "CCO")


def test_a_table_is_rows_of_blocks() -> None:
    root = _root()
    rows = root.xpath("//a:ComposedBlock[@TYPE='table']/a:ComposedBlock[@TYPE='row']", namespaces=_NAMES)
    cells = [
        [" ".join(one.get("CONTENT") for one in block.iterfind(".//a:String", _NAMES)) for block in row]
        for row in rows
    ]
    assert cells == [["Mass & Co."], ["first second", "7a"], ["", "<b>"]]


def test_what_alto_cannot_hold_is_told() -> None:
    codes = [loss.code for loss in _exported().losses]
    assert codes == ["failed-page", "no-spans", "no-content"]
