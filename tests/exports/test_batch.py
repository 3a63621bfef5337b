"""What ``docai batch --to`` writes: one whole file for each document and format, from inside its sandbox."""

from __future__ import annotations

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
        page.insert_text((20, 220), "Some words above a picture, and more of them.")
        page.insert_image((40, 60, 240, 180), pixmap=picture)
        pdf.save(tmp_path / "a.pdf")
    setup = make_setup(
        Options(witnesses="off", readback="off"),
        engine=docai.ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0),
        formats=("json", ".html", "md", "mid"),
        workers=1,
    )
    folder, run = open_run(tmp_path / "run", [tmp_path / "a.pdf"], setup)
    with folder:
        list(run)
    results = tmp_path / "run" / "results"
    assert sorted(path.name for path in results.iterdir()) == [
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
    assert "Some words above a picture" in (results / "a.pdf.md").read_text("utf-8")
    # There is no music: the file is there, so that the run knows that it was made.
    assert (results / "a.pdf.mid").read_bytes() == b""
