"""The pictures that ``pictures.py`` measures on, and what is right for each.

What is drawn is drawn with seeds and written to a folder; what is rendered from PDFs becomes a picture, or a
PDF of pictures, so that boxes are points in both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import pymupdf
from docbank import is_unprinted, printed_words, read_truth
from drawing_cases import SETS as DRAWINGS
from picture_scores import (
    score_first_system,
    score_molecule,
    score_notes,
    score_page,
    score_paragraphs,
    score_printed_page,
    score_spotting,
    score_table,
)

from docai.contents import TextContent
from docai.errors import DocaiError
from docai.geometry import PageTransform
from docai.models.heads import HEADS
from docai.pipelines.evaluation.base import CaseScore, Item, Prediction, Sample, Skipped
from docai.pipelines.evaluation.datasets.icdar2013 import read_icdar2013
from docai.pipelines.evaluation.datasets.icdar_text import read_icdar2015
from docai.pipelines.evaluation.datasets.molecules import read_molfiles
from docai.pipelines.evaluation.datasets.pubtabnet import read_pubtabnet
from docai.pipelines.evaluation.datasets.scores import kern_spines
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.layout import find_regions, text_layer_quality
from docai.pipelines.synthesis import samples
from docai.pipelines.synthesis.vector.molecules import draw_molecule
from docai.pipelines.words import text_from_words

PDFS: Final = ("pdfs", "tables/icdar2013-eu")
PARAGRAPH_DPI: Final = (150, 200)
MIN_WORDS, MIN_PAGE_WORDS, MIN_CLEAN_WORDS = 5, 60, 150
PARAGRAPHS: Final = 4
"""Per page."""
CLEAN_DPI = TABLE_DPI = 200
LEVELS: Final = (0.3, 0.6, 1.0)
"""Difficulties of drawn tables."""
N_TABLES, N_MOLECULES, N_SCORES, N_TEXTS = 30, 90, 20, 48
MOLECULE_DPI: Final = (100, 150, 300)
SCORE_DPI: Final = (150, 200, 300)
MOLECULES: Final = ("uspto", "clef2012", "usan", "testSet1", "jpo")

_LINE_BREAK: Final = re.compile(r"^!!LO:LB", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """One picture, and how answers to it are scored."""

    sample: Sample
    score: Callable[[Prediction | None], CaseScore]


@dataclass(frozen=True)
class PictureSet:
    """Pictures that are measured as one."""

    name: str
    kind: str
    measures: tuple[str, ...]
    """Those of its scores that are printed."""
    questions: Callable[[Path, Path], Iterator[Question]]
    """From the folder of real documents, and one to draw in; always the same, in the same order."""
    aim: str = ""
    is_drawn: bool = False
    """All of them are drawn by docai's own means."""


def _real(
    read: Callable[[Path], Iterator[Sample | Skipped]],
    score: Callable[[Sample, Prediction | None], CaseScore],
    place: str,
    real: Path,
    folder: Path,
) -> Iterator[Question]:
    """The samples of a published data set, sorted by their names."""
    found = [case for case in read(real / place) if isinstance(case, Sample) and case.source is not None]
    for sample in sorted(found, key=lambda sample: sample.id):
        yield Question(sample, partial(score, sample))


def _real_set(
    name: str,
    kind: str,
    measures: tuple[str, ...],
    read: Callable[[Path], Iterator[Sample | Skipped]],
    score: Callable[[Sample, Prediction | None], CaseScore],
    place: str,
    aim: str,
) -> PictureSet:
    return PictureSet(name, kind, measures, partial(_real, read, score, place), aim)


def paragraphs(real: Path, folder: Path) -> Iterator[Question]:
    """Paragraphs of one page of each PDF that has enough words of its own, which are the truth."""
    n_pages = 0
    for path in _pdfs(real):
        dpi = PARAGRAPH_DPI[n_pages % len(PARAGRAPH_DPI)]
        picture = folder / f"paragraphs-{n_pages}.png"
        try:
            truths = _render_paragraphs(path, dpi, picture)
        except DocaiError:
            continue
        if truths is None:
            continue
        n_pages += 1
        zoom = PageTransform(0, 0, dpi / 72).to_pixels
        items = tuple(Item(kind="text", text=text, bbox=zoom(box)) for box, text in truths)
        if items:
            sample = Sample(path.name, items, source=picture)
            yield Question(sample, partial(score_paragraphs, sample))


def _pdfs(real: Path) -> list[Path]:
    return sorted(path for name in PDFS for path in (real / name).rglob("*.pdf"))


def _render_paragraphs(
    path: Path, dpi: int, picture: Path
) -> list[tuple[tuple[float, float, float, float], str]] | None:
    """Boxes (points) and words of paragraphs spread over a page, which is drawn in gray."""
    with open_source(path) as source:
        for number in source.numbers()[:5]:
            with source.page(number) as page:
                if len(page.words()) < MIN_PAGE_WORDS:
                    continue
                truths = [
                    (region.bbox, text_from_words(region.words).text)
                    for region in find_regions(page).regions
                    if region.kind == "text"
                    and len(region.words) >= MIN_WORDS
                    and text_layer_quality(region.words) > 0.9
                ]
                _draw(page, dpi, picture)
                return truths[:: max(1, len(truths) // PARAGRAPHS)][:PARAGRAPHS]
    return None


def _draw(page: Page, dpi: int, picture: Path) -> None:
    page.render(scale=dpi / 72).convert("L").save(picture, dpi=(dpi, dpi))


def clean_pages(real: Path, folder: Path) -> Iterator[Question]:
    """The first page of many words of each PDF, rendered in gray; its own words are the truth."""
    for number, path in enumerate(_pdfs(real)):
        picture = folder / f"clean-{number}.png"
        try:
            text = _render_clean(path, picture)
        except DocaiError:
            continue
        if text:
            sample = Sample(path.name, (Item(kind="text", text=text),), unit="page", source=picture)
            yield Question(sample, partial(score_page, sample))


def _render_clean(path: Path, picture: Path) -> str:
    with open_source(path) as source:
        for number in source.numbers()[:3]:
            with source.page(number) as page:
                words = page.words()
                if len(words) >= MIN_CLEAN_WORDS and text_layer_quality(words) > 0.95:
                    _draw(page, CLEAN_DPI, picture)
                    return " ".join(word.text for word in words)
    return ""


def docbank_pages(real: Path, folder: Path) -> Iterator[Question]:
    """The pictures of pages of DocBank; the words of formulas are those of a figure."""
    for path in sorted((real / "pages" / "docbank").glob("*.jpg")):
        truth = path.with_suffix(".txt")
        tokens = read_truth(truth)
        is_formula = [line.rstrip().endswith("equation") for line in _token_lines(truth)]
        pairs = list(zip([text for text, _ in tokens], is_formula, strict=True))
        words = [
            ("".join(tokens[index][0] for index in word), any(is_formula[index] for index in word))
            for word in printed_words(tokens)
        ]
        printed = _text_and_formulas([(word, formula or is_unprinted(word)) for word, formula in words])
        sample = Sample(path.stem, _text_and_formulas(pairs), unit="page", source=path)
        yield Question(sample, partial(score_printed_page, sample, printed))


def _text_and_formulas(words: Sequence[tuple[str, bool]]) -> tuple[Item, Item]:
    """Words, and whether each is none of running text, as the truth of a page."""
    texts = " ".join(word for word, is_formula in words if not is_formula)
    formulas = " ".join(word for word, is_formula in words if is_formula)
    return Item(kind="text", text=texts), Item(kind="figure", text=formulas)


def _token_lines(path: Path) -> list[str]:
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("##LT")]
    return [line for line in lines if line.count("\t") >= 4]


def photograph_pages(real: Path, folder: Path) -> Iterator[Question]:
    """Street photographs as pages, whose regions are to be found."""
    for question in _real(read_icdar2015, score_spotting, "text/icdar2015", real, folder):
        sample = replace(question.sample, unit="page")
        yield Question(sample, partial(score_spotting, sample))


def drawn_tables(difficulty: float, real: Path, folder: Path) -> Iterator[Question]:
    for number, drawn in enumerate(
        islice(samples("table", 7, difficulty=difficulty, split="held-out"), N_TABLES)
    ):
        picture = folder / f"table-{difficulty}-{number}.png"
        drawn.image.save(picture)
        sample = Sample(f"{difficulty} {number:02}", (Item(kind="table", text=drawn.target),), source=picture)
        yield Question(sample, partial(score_table, sample))


def table_pages(real: Path, folder: Path) -> Iterator[Question]:
    """The pages of ICDAR 2013 that have tables, as pictures in PDFs of the size of the page."""
    for case in read_icdar2013(real / "tables" / "icdar2013-eu"):
        if isinstance(case, Skipped) or case.source is None:
            continue
        by_page = defaultdict(list)
        for item in case.truth:
            by_page[item.page].append(item.model_copy(update={"page": 1}))
        for number, items in sorted(by_page.items()):
            file = folder / f"{case.id}-{number}.pdf"
            with pymupdf.open(case.source) as document:
                document.select([number - 1])
                file.write_bytes(as_pictures(document, TABLE_DPI))
            sample = Sample(f"{case.id} page {number}", tuple(items), unit="page", source=file)
            yield Question(sample, partial(score_table, sample))


def drawn_texts(real: Path, folder: Path) -> Iterator[Question]:
    """Blocks of text of several difficulties in turn, in any fonts and scripts that are there."""
    streams = [samples("text", 7, difficulty=level, split="held-out") for level in LEVELS]
    for number in range(N_TEXTS):
        drawn = next(streams[number // 2 % len(streams)])
        picture = folder / f"text-{number}.png"
        drawn.image.save(picture)
        text = HEADS["text"].parser(drawn.target).content
        assert isinstance(text, TextContent)
        box = (0.0, 0.0, float(drawn.image.width), float(drawn.image.height))
        sample = Sample(f"text {number:02}", (Item(kind="text", text=text.text, bbox=box),), source=picture)
        yield Question(sample, partial(score_paragraphs, sample))


def drawn_molecules(real: Path, folder: Path) -> Iterator[Question]:
    """RDKit's and Indigo's drawings in turn, as pictures of several resolutions."""
    for number in range(N_MOLECULES):
        drawn = draw_molecule("rdkit" if number % 2 else "indigo", 50_000 + number)
        dpi = MOLECULE_DPI[number // 2 % len(MOLECULE_DPI)]
        picture = folder / f"molecule-{number}.png"
        with pymupdf.open(stream=drawn.data) as document:
            document[0].get_pixmap(dpi=dpi, colorspace="gray").save(picture)
        item = Item(kind="molecule", text=drawn.smiles)
        sample = Sample(f"molecule {number:03} {dpi} dpi", (item,), source=picture)
        yield Question(sample, partial(score_molecule, sample))


def score_pages(name: str, real: Path, folder: Path) -> Iterator[Question]:
    """Drawings of music as pictures of several resolutions, page by page."""
    cases, count = DRAWINGS[name]
    for number, case in enumerate(cases(0, min(count, N_SCORES))):
        # Pieces of several collections may have one name.
        file = folder / f"{number:02} {case.name}.pdf"
        with pymupdf.open(stream=case.data) as document:
            file.write_bytes(as_pictures(document, SCORE_DPI[number % len(SCORE_DPI)]))
        sample = Sample(case.name, (Item(kind="score"),), unit="page", source=file)
        yield Question(sample, partial(score_notes, case.notes, name=case.name))


def first_systems(real: Path, folder: Path) -> Iterator[Question]:
    """Scanned pages of an engraving of 1878; the truth is their first system."""
    for path in sorted((real / "scores" / "mozart").glob("*.krn")):
        item = Item(kind="score", text=first_system(path.read_text("utf-8")))
        sample = Sample(path.stem, (item,), unit="page", source=path.with_suffix(".pdf"))
        yield Question(sample, partial(score_first_system, sample))


def first_system(kern: str) -> str:
    """The kern spines up to the first break of the original's systems."""
    head = _LINE_BREAK.split(kern, maxsplit=1)[0].rstrip("\n")
    width = head.rsplit("\n", 1)[-1].count("\t") + 1
    return kern_spines(head + "\n" + "\t".join(["*-"] * width))


def as_pictures(document: pymupdf.Document, dpi: int) -> bytes:
    """The pages as gray pictures, on pages of the same size."""
    with pymupdf.open() as pictures:
        for page in document:
            data = page.get_pixmap(dpi=dpi, colorspace="gray").tobytes("png")
            shown = pictures.new_page(width=page.rect.width, height=page.rect.height)
            shown.insert_image(shown.rect, stream=data)
        return bytes(pictures.tobytes(deflate=True))


_TABLE_MEASURES: Final = ("teds", "s-teds", "teds-canonical", "grits-con")

SETS: Final = (
    PictureSet("text paragraphs", "text", ("f1", "f1-latin", "right"), paragraphs, "f1 0.90"),
    PictureSet("text drawn", "text", ("f1", "f1-latin", "right"), drawn_texts, is_drawn=True),
    PictureSet("text docbank pages", "text", ("f1", "f1-printed", "f1-all"), docbank_pages, "f1 0.95"),
    PictureSet("text clean pages", "text", ("f1",), clean_pages, "2 s"),
    _real_set(
        "text photographs", "text", ("f1", "e2e-f1"), read_icdar2015, score_spotting, "text/icdar2015", ""
    ),
    PictureSet("text photographs as pages", "text", ("f1", "e2e-f1"), photograph_pages, "e2e-f1 0.45"),
    _real_set(
        "tables pubtabnet",
        "table",
        _TABLE_MEASURES,
        read_pubtabnet,
        score_table,
        "tables/pubtabnet",
        "teds 0.90, s-teds 0.95",
    ),
    *(
        PictureSet(
            f"tables drawn {level}",
            "table",
            _TABLE_MEASURES,
            partial(drawn_tables, level),
            aim,
            is_drawn=True,
        )
        for level, aim in zip(LEVELS, ("0.97", "0.87", "0.65"), strict=True)
    ),
    PictureSet(
        "tables icdar2013 pages",
        "table",
        ("grits-con", "grits-con-macro", "teds-canonical", "tables-found"),
        table_pages,
        "grits-con 0.85",
    ),
    *(
        _real_set(
            f"molecules {name}",
            "molecule",
            ("exact", "graph", "tanimoto"),
            read_molfiles,
            score_molecule,
            f"molecules/{name}",
            aim,
        )
        for name, aim in zip(MOLECULES, ("0.94", "0.85", "0.65", "0.50", "0.65"), strict=True)
    ),
    PictureSet("molecules drawn", "molecule", ("exact", "graph", "tanimoto"), drawn_molecules, is_drawn=True),
    *(
        PictureSet(
            f"scores {name}",
            "score",
            ("token-error", "right"),
            partial(score_pages, name),
            "token-error 0.05",
            is_drawn=name != "musescore",
        )
        for name in ("verovio", "lilypond", "musescore")
    ),
    PictureSet("scores 1878", "score", ("ser", "token-error"), first_systems, "ser 0.25"),
)
