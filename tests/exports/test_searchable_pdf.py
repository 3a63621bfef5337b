"""Searchable PDFs: the words are found where they are seen, and nothing else changes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from PIL import Image, ImageDraw

from docai.contents import Line, Word, box_of_words
from docai.document import Document, PageInfo, SourceInfo
from docai.errors import ExportError, OutputError
from docai.exports import ExportedFile, ExportOptions, export
from docai.geometry import BBox
from docai.pipelines.ingest import open_source
from docai.records import RecordBase, Text

from . import laid_out, made

WORDS = ("Hello", "wörld,", "東京都", "שלום", "العربية", "𝛼β", "नमस्ते")

SIZE = (240, 320)
"""Points of the page of a scan."""


def _scan(*, rotation: int = 0, crop: BBox | None = None, unbalanced: bool = False) -> bytes:
    """A PDF whose page is a picture alone."""
    picture = Image.new("L", SIZE, 255)
    ImageDraw.Draw(picture).rectangle((20, 20, 60, 40), fill=0)
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    with pymupdf.open() as pdf:
        page = pdf.new_page(width=SIZE[0], height=SIZE[1])
        page.insert_image(page.rect, stream=packed.getvalue())
        if unbalanced:
            # What scanners write: coordinates of the picture, left behind at the end of the page.
            name = page.get_images(full=True)[0][7]
            stream = f"{SIZE[0]} 0 0 {SIZE[1]} 0 0 cm /{name} Do".encode()
            pdf.update_stream(page.get_contents()[0], stream)
        if crop is not None:
            page.set_cropbox(pymupdf.Rect(crop))
        page.set_rotation(rotation)
        data: bytes = pdf.tobytes()
    return data


def _read(data: bytes, *records: RecordBase) -> Document:
    """What docai would say of the source, with these records."""
    with open_source(data) as source:
        pages = []
        for number in source.numbers():
            with source.page(number) as page:
                about = {
                    "width": page.width,
                    "height": page.height,
                    "rotation": page.rotation,
                    "dpi": page.dpi,
                }
                pages.append(PageInfo(number=number, origin="scan", **about))
        info = SourceInfo(
            name="scan", type=source.type, n_bytes=len(data), sha256=source.sha256, n_pages=len(pages)
        )
    return Document(source=info, pages=pages, records=list(records))


def _spread(words: tuple[str, ...] = WORDS) -> Text:
    """Each word on a line of its own."""
    boxes = [(30.0, 30.0 + 20 * row, 30.0 + 8 * len(one), 42.0 + 20 * row) for row, one in enumerate(words)]
    placed = [Word(text=one, bbox=box) for one, box in zip(words, boxes, strict=True)]
    lines = [Line(text=word.text, bbox=word.bbox, words=[word]) for word in placed]
    return Text(**made.about(bbox=(30.0, 30.0, 90.0, 180.0)), text="\n".join(words), lines=lines)


def _exported(document: Document, source: bytes | Path, **options: Any) -> ExportedFile:
    return export(document, "out.pdf", ExportOptions(source=source, **options))


def _words(data: bytes, number: int = 1, **options: Any) -> list[tuple[str, BBox]]:
    """The words of a page as docai reads them, with boxes on the displayed page."""
    with open_source(data, **options) as source, source.page(number) as page:
        return [(word.text, word.bbox) for word in page.words()]


def _pixels(data: bytes) -> bytes:
    with open_source(data) as source, source.page(1) as page:
        return page.render(scale=2).tobytes()


@pytest.mark.parametrize("crop", [None, (15.0, 25.0, 225.0, 305.0)])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_words_of_all_scripts_are_found_where_they_were_seen(rotation: int, crop: BBox | None) -> None:
    data = _scan(rotation=rotation, crop=crop)
    text = _spread()
    found = dict(_words(_exported(_read(data, text), data)))
    for word in text.parts():
        assert found[word.text] == pytest.approx(word.bbox, abs=0.1)
    assert len(found) == len(WORDS)


def test_nothing_of_the_words_is_seen() -> None:
    data = _scan()
    assert _pixels(_exported(_read(data, _spread()), data)) == _pixels(data)


def test_content_that_leaves_its_coordinates_behind_moves_no_word() -> None:
    data = _scan(unbalanced=True)
    text = _spread(("word",))
    file = _exported(_read(data, text), data)
    ((_, box),) = _words(file)
    assert box == pytest.approx(text.parts()[0].bbox, abs=0.1)
    assert _pixels(file) == _pixels(data)


@pytest.mark.parametrize("turn", ["right", "down", "left", "up"])
def test_a_line_is_found_as_one_on_a_page_that_lies_on_its_side(turn: str) -> None:
    """The boxes end where the ink does; all words of a line are given its height."""
    upright = [("Two", (40, 30, 60, 40)), ("gray", (64, 32, 90, 43)), ("boxes", (94, 30, 130, 40))]

    def turned(box: tuple[int, ...]) -> BBox:
        x0, y0, x1, y1 = box
        if turn == "down":
            return SIZE[0] - y1, x0, SIZE[0] - y0, x1
        if turn == "left":
            return SIZE[0] - x1, SIZE[1] - y1, SIZE[0] - x0, SIZE[1] - y0
        return (y0, SIZE[1] - x1, y1, SIZE[1] - x0) if turn == "up" else (x0, y0, x1, y1)

    words = [Word(text=one, bbox=turned(box)) for one, box in upright]
    line = Line(text="Two gray boxes", bbox=box_of_words(words), words=words)
    text = Text(**made.about(bbox=line.bbox), text=line.text, lines=[line])
    data = _scan()
    file = _exported(_read(data, text), data)
    boxes = dict(_words(file))
    for one, box in upright:
        assert boxes[one] == pytest.approx(turned((box[0], 30, box[2], 43)), abs=0.1)
    with pymupdf.open(stream=bytes(file)) as pdf:
        assert pdf[0].get_text() == "Two gray boxes\n"
        found = pymupdf.Rect()
        for rect in pdf[0].search_for("gray boxes"):
            found |= rect
    assert tuple(found) == pytest.approx(turned((64, 30, 130, 43)), abs=0.1)


def test_a_skewed_line_is_one_line() -> None:
    slope = 0.03
    boxes = [(30.0 + 25 * n, 50 + slope * 25 * n, 50.0 + 25 * n, 60 + slope * 25 * n) for n in range(8)]
    words = [Word(text=f"word{n}", bbox=box) for n, box in enumerate(boxes)]
    line = Line(text=" ".join(word.text for word in words), bbox=box_of_words(words), words=words)
    data = _scan()
    document = _read(data, Text(**made.about(bbox=line.bbox), text=line.text, lines=[line]))
    file = _exported(document, data)
    with pymupdf.open(stream=bytes(file)) as pdf:
        blocks = pdf[0].get_text("dict", flags=pymupdf.TEXTFLAGS_TEXT)["blocks"]
    (found,) = [one for block in blocks for one in block["lines"]]
    assert "".join(span["text"] for span in found["spans"]).split() == line.text.split()
    assert found["dir"][1] / found["dir"][0] == pytest.approx(slope, abs=0.005)
    for (_, box), expected in zip(_words(file), boxes, strict=True):
        assert box == pytest.approx(expected, abs=1)


def test_words_of_cells_and_figures_lie_in_their_boxes() -> None:
    data = _scan()
    figure = made.figure("in the\nfigure", bbox=(150.0, 200.0, 230.0, 240.0))
    found = dict(_words(_exported(_read(data, laid_out.table(), figure), data)))
    assert set(found) == {"Mass", "&", "Co.", "first", "second", "7a", "<b>", "in", "the", "figure"}
    # Five letters, and half of one at each end.
    assert found["first"] == pytest.approx((20 + 40 / 12, 112, 60 - 40 / 12, 124), abs=0.1)
    # It has no box, and is in the row of the one and in the column of the other that has.
    assert found["7a"] == pytest.approx((70, 112, 110, 136), abs=0.1)
    assert found["second"][1::2] == pytest.approx((124, 136), abs=0.1)
    assert found["figure"][1::2] == pytest.approx((220, 240), abs=0.1)
    assert 150 < found["in"][0] < found["in"][2] < found["the"][0] < found["the"][2] < 230


def test_pages_with_words_of_their_own_stay_as_they_are(make_pdf: Any) -> None:
    data = make_pdf("Hello world")
    own = [Word(text=one, bbox=box) for one, box in _words(data)]
    line = Line(text="Hello world", bbox=box_of_words(own), words=own)
    about = made.about(bbox=line.bbox)
    from_layer = Text(**about, text=line.text, lines=[line], evidence=["text-layer"])
    read_again = Text(**about | {"id": "again"}, text=line.text, lines=[line], evidence=["ppocr"])
    picture = _spread(("seen",)).model_copy(update={"evidence": ["ppocr"]})
    for records, words in (
        ([from_layer], ["Hello", "world"]),
        ([read_again], ["Hello", "world"]),
        ([from_layer, picture], ["Hello", "world", "seen"]),
    ):
        found = [text for text, _ in _words(_exported(_read(data, *records), data))]
        assert sorted(found) == sorted(words)


def test_an_export_is_not_made_twice_searchable() -> None:
    data = _scan()
    once = bytes(_exported(_read(data, _spread()), data))
    twice = bytes(_exported(_read(once, _spread(), _spread(("more",))), once))
    assert sorted(text for text, _ in _words(twice)) == sorted([*WORDS, "more"])


def test_an_image_becomes_a_page_that_shows_it(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).rectangle((40, 40, 200, 90), fill=(200, 30, 60))
    path = tmp_path / "a.png"
    picture.save(path, dpi=(144, 144))
    document = _read(path.read_bytes(), _spread(("red",)))
    file = _exported(document, path)
    with pymupdf.open(stream=bytes(file)) as pdf:
        (page,) = pdf
        assert tuple(page.rect) == pytest.approx((0, 0, 200, 100), abs=0.1)
        (image,) = page.get_images()
        stored = Image.open(io.BytesIO(pdf.extract_image(image[0])["image"]))
        assert stored.convert("RGB").tobytes() == picture.tobytes()
        assert tuple(page.get_image_rects(image[0])[0]) == pytest.approx((0, 0, 200, 100), abs=0.1)
    assert dict(_words(file))["red"] == pytest.approx((30, 30, 54, 42), abs=0.1)


def test_a_jpeg_is_kept_byte_by_byte_and_one_that_is_to_be_turned_is_turned() -> None:
    picture = Image.new("RGB", (60, 30), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 20, 10), fill="black")
    exif = Image.Exif()
    for orientation, is_kept in ((1, True), (6, False)):
        exif[0x0112] = orientation
        packed = io.BytesIO()
        picture.save(packed, "JPEG", exif=exif)
        data = packed.getvalue()
        file = bytes(_exported(_read(data, _spread(("a",))), data))
        with pymupdf.open(stream=file) as pdf:
            (image,) = pdf[0].get_images()
            assert (pdf.extract_image(image[0])["image"] == data) is is_kept
        assert (data in file) is is_kept
        assert _pixels(file)[:3] == (b"\0\0\0" if is_kept else b"\xff\xff\xff")


def test_frames_of_a_tiff_are_pages_in_black_and_white() -> None:
    frames = [Image.new("1", (80, 40), 1) for _ in range(3)]
    packed = io.BytesIO()
    frames[0].save(packed, "TIFF", save_all=True, append_images=frames[1:], dpi=(72, 72))
    data = packed.getvalue()
    second = _spread(("two",)).model_copy(update={"page": 2})
    file = _exported(_read(data, second), data)
    with pymupdf.open(stream=bytes(file)) as pdf:
        assert [page.get_text().strip() for page in pdf] == ["", "two", ""]
        assert {image[4] for page in pdf for image in page.get_images()} == {1}


def test_the_font_is_in_the_file_once() -> None:
    with pymupdf.open() as pdf:
        for _ in range(4):
            pdf.new_page(width=SIZE[0], height=SIZE[1])
        data = pdf.tobytes()
    records = [_spread().model_copy(update={"page": number, "id": f"p{number}"}) for number in range(1, 5)]
    file = bytes(_exported(_read(data, *records), data))
    with pymupdf.open(stream=file) as pdf:
        fonts = [xref for xref in range(1, pdf.xref_length()) if "FontFile2" in pdf.xref_object(xref)]
        assert len(fonts) == 1
        assert [len(page.get_text().split()) for page in pdf] == [len(WORDS)] * 4


def test_protection_stays() -> None:
    with pymupdf.open(stream=_scan()) as pdf:
        options = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": "open", "owner_pw": "own"}
        data = pdf.tobytes(**options)
    with open_source(data, password="open") as source:
        sha256 = source.sha256
    document = _read(_scan(), _spread(("word",)))
    document.source.sha256 = sha256
    file = bytes(_exported(document, data, password="open"))
    with pymupdf.open(stream=file) as pdf:
        assert pdf.needs_pass
        assert pdf.authenticate("open")
        assert pdf[0].get_text().split() == ["word"]


def test_two_exports_are_the_same_but_for_the_identifier_of_the_file() -> None:
    data = _scan()
    document = _read(data, _spread())
    one, other = bytes(_exported(document, data)), bytes(_exported(document, data))
    assert one.rpartition(b"/ID")[0] == other.rpartition(b"/ID")[0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "is not at hand: say where it is with --source"),
        (b"%PDF-1.4 nothing", "no page can be read from it"),
        ("other", "is not the file that was read"),
    ],
)
def test_without_its_source_there_is_no_pdf_and_it_says_what_to_do(source: Any, message: str) -> None:
    data = _scan()
    given = _scan(rotation=90) if source == "other" else source
    with pytest.raises(ExportError, match=message) as error:
        export(_read(data, _spread()), "out.pdf", ExportOptions(source=given))
    assert str(error.value).startswith("A searchable PDF is the source with its words, and ")


def test_structures_and_music_are_told_as_not_searchable() -> None:
    data = _scan()
    file = _exported(_read(data, made.molecule("CCO", id="m"), made.score(id="s")), data)
    assert [(loss.code, loss.record) for loss in file.losses] == [("no-content", "m"), ("no-content", "s")]


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    path, data = tmp_path / "scan.pdf", _scan()
    path.write_bytes(data)
    document = _read(data, _spread())
    (tmp_path / "link.pdf").symlink_to(path)
    for target in (path, tmp_path / "link.pdf"):
        with pytest.raises(OutputError, match=r"choose another name, such as .*-searchable\.pdf"):
            document.export(target, source=path)
    assert path.read_bytes() == data
    written = document.export(tmp_path / "scan-searchable.pdf", source=path)
    assert written.path.is_file()


PASSWORDS = {"password-example.pdf": "test", "encrypted_2206.01062_pg3.pdf": "1234"}


@pytest.mark.real
def test_a_word_added_to_real_pdfs_is_found_at_its_place_and_not_seen(real_data: Path) -> None:
    """Rotated, encrypted, signed, malformed, from right to left, scans: the first page of each."""
    tried = 0
    for path in sorted((real_data / "pdfs").rglob("*.pdf")):
        options = {"password": PASSWORDS.get(path.name)}
        if path.stat().st_size == 0:
            continue
        with open_source(path, **options) as source, source.page(1) as page:
            before = page.render(scale=0.5).tobytes()
            box = (page.width * 0.3, page.height * 0.4, page.width * 0.5, page.height * 0.4 + 12)
            info = PageInfo(number=1, width=page.width, height=page.height, origin="scan")
            about = SourceInfo(name=path.name, type="pdf", n_bytes=1, sha256=source.sha256, n_pages=1)
        line = Line(text="Ünsichtbar", bbox=box, words=[Word(text="Ünsichtbar", bbox=box)])
        text = Text(**made.about(bbox=box), text=line.text, lines=[line])
        file = bytes(_exported(Document(source=about, pages=[info], records=[text]), path, **options))
        with open_source(file, **options) as source, source.page(1) as page:
            (found,) = [word.bbox for word in page.words() if word.text == "Ünsichtbar"]
            assert found == pytest.approx(box, abs=0.3), path.name
            assert page.render(scale=0.5).tobytes() == before, path.name
        tried += 1
    assert tried > 20
