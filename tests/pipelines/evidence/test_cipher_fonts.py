"""A font whose map to Unicode gives other letters than it shows: its words are not believed."""

from __future__ import annotations

from collections.abc import Callable

import pymupdf

import docai
from docai.pipelines.ingest import open_source
from docai.pipelines.words import text_layer_quality

LINES = [
    "DISCLOSURE DOCUMENT",
    "The company sells lamps to harbours and lights to ships.",
    "It was founded in the year 1904 and has 212 shops.",
]


def page_with_map(to_unicode: Callable[[int], int] | None, *more: str) -> bytes:
    """A page in Helvetica, its codes mapped to Unicode by ``to_unicode``; ``more`` is in Times, unchanged."""
    with pymupdf.open() as document:
        page = document.new_page()
        for number, line in enumerate(LINES):
            page.insert_text((70, 90 + 30 * number), line, fontsize=12, fontname="helv")
        for number, line in enumerate(more):
            page.insert_text((70, 400 + 30 * number), line, fontsize=12, fontname="tiro")
        if to_unicode is not None:
            (xref,) = (font[0] for font in page.get_fonts() if font[3] == "Helvetica")
            pairs = "".join(f"<{code:02x}> <{to_unicode(code):04x}>\n" for code in range(33, 127))
            cmap = (
                "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
                "1 begincodespacerange <00> <ff> endcodespacerange\n"
                f"94 beginbfchar\n{pairs}endbfchar\nendcmap end end"
            )
            stream = document.get_new_xref()
            document.update_object(stream, "<<>>")
            document.update_stream(stream, cmap.encode())
            document.xref_set_key(xref, "ToUnicode", f"{stream} 0 R")
        return document.tobytes()


def records_of(data: bytes) -> list[docai.Text]:
    engine = docai.ScriptedEngine({"text": lambda request: ""})
    return docai.Pipeline(engine=engine, witnesses="off").process(data).records


def codes(records: list[docai.Text]) -> list[bool]:
    return [any(issue.code == "text-layer-not-believed" for issue in record.issues) for record in records]


def test_shifted_letters_are_not_believed_and_what_the_file_says_is_kept() -> None:
    records = records_of(page_with_map(lambda code: 33 + (code - 33 - 29) % 94))
    assert records
    assert all(codes(records))
    assert all(record.text == "" for record in records)
    said = " ".join(record.native_text or "" for record in records)
    assert "7KH FRPSDQ\\" in said


def test_the_same_page_with_a_right_map_or_none_is_believed() -> None:
    for to_unicode in (None, lambda code: code):
        records = records_of(page_with_map(to_unicode))
        assert not any(codes(records))
        assert " ".join(record.text for record in records).split() == " ".join(LINES).split()


def test_only_the_words_of_that_font_are_doubted() -> None:
    swap = {code: 97 + (code - 97) * 7 % 26 if 97 <= code <= 122 else code for code in range(33, 127)}
    data = page_with_map(swap.__getitem__, "A line in another font that can be read.", "7 of 12")
    with open_source(data) as source:
        words = next(iter(source.pages())).words()
    doubted = [word for word in words if word.is_enciphered]
    believed = [word.text for word in words if not word.is_enciphered]
    assert len(doubted) == len(" ".join(LINES).split())
    assert believed == ["A", "line", "in", "another", "font", "that", "can", "be", "read.", "7", "of", "12"]
    assert text_layer_quality(doubted) == 0.0
