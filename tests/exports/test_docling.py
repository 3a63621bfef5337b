"""DoclingDocument, by the validator and the serializers of docling-core."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from docai.document import Document
from docai.exports import ExportOptions, export

from . import laid_out, made
from .ecosystem import answer_of

_READ = """
import json, sys
from docling_core.types.doc import DoclingDocument, PictureItem
document = DoclingDocument.model_validate_json(open(sys.argv[1], encoding="utf-8").read())
items = list(document.iterate_items(with_groups=True, included_content_layers={"body", "furniture"}))
print(json.dumps({
    "markdown": document.export_to_markdown(),
    "labels": [str(item.label) for item, _ in items],
    "tables": [table.export_to_dataframe(document).to_csv(index=False) for table in document.tables],
    "captions": [table.caption_text(document) for table in document.tables],
    "molecules": [picture.meta.molecule.model_dump() for picture in document.pictures
                  if picture.meta and picture.meta.molecule],
    "classes": [picture.meta.classification.get_main_prediction().class_name if picture.meta else ""
                for picture in document.pictures],
    "images": [list(picture.image.pil_image.size) for picture in document.pictures if picture.image],
    "places": {item.text: [item.prov[0].page_no, *item.prov[0].bbox.as_tuple()] for item in document.texts},
    "levels": [item.level for item in document.texts if hasattr(item, "level")],
    "lists": [[item.marker, item.enumerated] for item in document.texts if hasattr(item, "marker")],
    "hash": document.origin.binary_hash,
}))
"""


def _values(document: Document, **options: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(export(document, "out.docling.json", ExportOptions(**options)))
    return values


def _read(document: Document, folder: Path, **options: Any) -> dict[str, Any]:
    path = folder / "out.docling.json"
    path.write_bytes(export(document, path, ExportOptions(**options)))
    read: dict[str, Any] = answer_of(_READ, path, package="docling-core")
    return read


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _read(laid_out.document(), tmp_path_factory.mktemp("docling"))


def test_docling_reads_every_kind_in_order(read: dict[str, Any]) -> None:
    assert read["labels"] == [
        "unspecified",
        "page_header",
        "title",
        "section_header",
        "text",
        "text",
        "list",
        "list_item",
        "table",
        "caption",
        "picture",
        "picture",
        "picture",
        "formula",
        "page_footer",
    ]
    assert (read["levels"], read["lists"]) == ([2], [["-", False]])
    assert read["hash"] == int("ab" * 8, 16)


def test_docling_reads_molecules_and_music_as_such(read: dict[str, Any]) -> None:
    (molecule,) = read["molecules"]
    assert (molecule["smi"], molecule["confidence"]) == ("CCO", 0.75)
    assert read["classes"] == ["chemistry_structure", "music", ""]
    assert made.score().kern.split("\n")[0] in read["markdown"]


def test_docling_reads_the_table_with_its_caption(read: dict[str, Any]) -> None:
    (table,) = read["tables"]
    assert table.splitlines() == ["Mass & Co.,Mass & Co.", '"first', 'second",7a', ",<b>"]
    assert read["captions"] == ["Table 1"]


def test_docling_finds_texts_where_they_are(read: dict[str, Any]) -> None:
    assert read["places"]["A title"] == [1, 20, 20, 62, 30]
    assert read["places"]["7"][0] == 2
    # Lines are joined, and what JSON could hold but XML could not is replaced.
    assert 'two words, more "of" <them> \ufffd' in read["places"]


def test_docling_prints_the_text_and_nothing_of_ours(read: dict[str, Any]) -> None:
    assert "# A title" in read["markdown"]
    assert "docai" not in read["markdown"]
    assert "Running head" not in read["markdown"]


def test_items_of_lists_are_in_one_list_and_numbers_are_markers(tmp_path: Path) -> None:
    items = [made.text(one, role="list-item") for one in ("1. One.", "2. Two.", "• Three.")]
    found = _read(made.document(*items, made.text("End."), made.text("- x", role="list-item")), tmp_path)
    assert found["labels"].count("list") == 2
    assert found["lists"] == [["1.", True], ["2.", True], ["-", False], ["-", False]]


def test_pictures_are_cut_from_the_source(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 200), "white")
    picture.paste((200, 0, 0), (100, 50, 200, 100))
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    document = made.document(
        made.figure(bbox=(100.0, 50.0, 200.0, 100.0)),
        name="a.png",
        sha256=hashlib.sha256(packed.getvalue()).hexdigest(),
    )
    found = _read(document, tmp_path, source=packed.getvalue())
    assert found["images"] == [[104, 54]]
    stored = _values(document, source=packed.getvalue())["pictures"][0]["image"]
    # The image says nothing of its resolution.
    assert stored["dpi"] == 72
    uri = stored["uri"]
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert image.getpixel((50, 25)) == (200, 0, 0)


def test_the_items_make_a_tree() -> None:
    """What docling-core does not check: each item is a child of its parent, once."""
    values = _values(laid_out.document())
    nodes = [
        values["body"],
        *(one for kind in ("groups", "texts", "tables", "pictures") for one in values[kind]),
    ]
    children = [child["$ref"] for node in nodes for child in node["children"]]
    assert sorted(children) == sorted(node["self_ref"] for node in nodes[1:])
    parents = {node["self_ref"]: node["parent"]["$ref"] for node in nodes[1:]}
    for node in nodes:
        for child in node["children"]:
            assert parents[child["$ref"]] == node["self_ref"]


def test_what_docling_has_no_place_for_is_told() -> None:
    codes = {loss.code for loss in export(laid_out.document(), "out.docling.json").losses}
    assert codes == {"no-source", "no-confidence"}
