"""What ``docai batch --to`` writes: one whole file for each document and format, from inside its sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pymupdf
from lxml import html

import docai
from docai.batch import make_setup, open_run
from docai.models.heads import HEADS
from docai.options import Options


def test_each_format_is_one_file_with_the_pictures_of_the_document(tmp_path: Path) -> None:
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 60, 60), False)
    picture.set_rect(picture.irect, (200, 30, 30))
    with pymupdf.open() as pdf:
        page = pdf.new_page(width=300, height=400)
        page.insert_textbox((20, 200, 280, 390), "Some words below a picture, in a paragraph. " * 6)
        page.insert_image((40, 60, 240, 180), pixmap=picture)
        pdf.save(tmp_path / "a.pdf")
    setup = make_setup(
        Options(witnesses="off", readback="off"),
        engine=docai.ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0),
        formats=("json", ".html", "md", "mid", "docling.json"),
        workers=1,
    )
    folder, run = open_run(tmp_path / "run", [tmp_path / "a.pdf"], setup)
    with folder:
        list(run)
    results = tmp_path / "run" / "results"
    assert sorted(path.name for path in results.iterdir()) == [
        "a.pdf.docling.json",
        "a.pdf.html",
        "a.pdf.json",
        "a.pdf.md",
        "a.pdf.mid",
    ]
    document = docai.Document.from_json((results / "a.pdf.json").read_bytes())
    assert [record.kind for record in document.records] == ["figure", "text"]
    page = html.document_fromstring((results / "a.pdf.html").read_text("utf-8"))
    (image,) = page.iter("img")
    assert image.get("src").startswith("data:image/png;base64,")
    assert "Some words below a picture" in (results / "a.pdf.md").read_text("utf-8")
    assert json.loads((results / "a.pdf.docling.json").read_bytes())["schema_name"] == "DoclingDocument"
    # There is no music: the file is there, so that the run knows that it was made.
    assert (results / "a.pdf.mid").read_bytes() == b""
