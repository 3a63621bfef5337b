"""Measures a model, a second reader and both together on real documents: the basis of ``witnesses="auto"``.

    python benchmarks/witnesses.py [--model nano] [--real FOLDER] [--limit N] [--only NAME] [--cases FILE]

Prints a Markdown table, one row per set; qualities are means over the cases, 0..1. The documents are those in
the folder ``DOCAI_REAL_DATA``. Molecules are right where the isomeric canonical SMILES are equal. Tables, as
pictures, are measured by TEDS of the canonical HTML of both sides, on published ones and on drawn ones of
several difficulties. Texts are measured by the F1 of their words, on street photographs and on paragraphs of
born-digital PDFs, whose pages are rendered in gray at 150 and 200 dpi and whose own words are the truth; they
are right where all words are equal. *Both* is what the rule in :mod:`docai.pipelines.evidence.arbiter` makes
of the two; *agreed* counts the cases where they give the same. *Both, calibrated* is what they would make if
each answer of the model had as its confidence the model's share of right answers in the set, which is the
least that a calibration on such documents gives. Seconds are wall-clock time of the second reader per case.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from common import need_folder, real_data, script_parser

from docai.base import Content
from docai.contents import MoleculeContent, TableContent, TextContent
from docai.errors import DocaiError
from docai.geometry import BBox
from docai.models.engine import Engine, Request, answer
from docai.models.heads import HEADS
from docai.parsers.molecule import parse_molecule
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.evaluation.base import Sample
from docai.pipelines.evaluation.datasets.icdar_text import read_icdar2015
from docai.pipelines.evaluation.datasets.molecules import read_molfiles
from docai.pipelines.evaluation.datasets.pubtabnet import read_pubtabnet
from docai.pipelines.evaluation.metrics.teds import teds_canonical
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Reader, ReaderInput, Reading, content_of, same_grid
from docai.pipelines.evidence.imago import Imago
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.ppocr import PageReader, PpOcr
from docai.pipelines.evidence.readers import ask
from docai.pipelines.evidence.scanned_tables import PpOcrTables, ScannedTables
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.layout import find_regions, text_layer_quality
from docai.pipelines.recognition.answer import region_reading
from docai.pipelines.synthesis import samples
from docai.pipelines.words import agreement, text_from_words

MOLECULES = ("uspto", "clef2012", "usan", "testSet1")
PDFS = ("pdfs", "tables/icdar2013-eu")
DPI = (150, 200)
MIN_WORDS, MIN_PAGE_WORDS = 5, 60
LEVELS = (0.3, 0.6, 1.0)
"""Difficulties of drawn tables."""
DRAWN = 30
PARAGRAPHS = 4
"""Per page."""
SECONDS = 300.0
"""Time limit per region, long enough that the result does not depend on how busy the machine is."""


@dataclass(frozen=True)
class Question:
    """One region with its truth."""

    name: str
    page: Page
    bbox: BBox
    truth: str


@dataclass(frozen=True)
class Answers:
    """Those of the model and of the second reader to one question."""

    kind: str
    question: Question
    model: Reading
    second: Reading
    seconds: float
    """Time of the second reader."""

    def quality(self, content: Content | None) -> float:
        """Quality of an answer, 0..1."""
        if isinstance(content, MoleculeContent):
            return float(content.smiles is not None and content.smiles == _canonical(self.question.truth))
        if isinstance(content, TableContent):
            return teds_canonical(content.html, self.question.truth)
        if isinstance(content, TextContent):
            return agreement(content.text.split(), self.question.truth.split())
        return 0.0

    @property
    def is_clear(self) -> bool:
        return self.second.content is not None and self.second.complete

    @property
    def agreed(self) -> bool:
        match self.model.content, self.second.content:
            case MoleculeContent() as model, MoleculeContent() as other:
                return model.smiles is not None and model.smiles == other.smiles
            case TextContent() as model, TextContent() as other:
                return bool(model.text) and agreement(model.text.split(), other.text.split()) == 1.0
            case TableContent() as model, TableContent() as other:
                return same_grid(model, other)
        return False

    def both(self) -> float:
        return self._decided(self.model)

    def calibrated(self, share: float) -> float:
        """The same for a model whose confidence is ``share``, and calibrated."""
        content, confidence = content_of(self.model), self.model.confidence
        if confidence.value != 0.0:
            confidence = confidence.model_copy(update={"value": share})
        content = content.with_confidences([share] * len(content.part_confidences()))
        return self._decided(replace(self.model, content=content, confidence=confidence, is_calibrated=True))

    def _decided(self, model: Reading) -> float:
        decision = decide(self.kind, model, [self.second])
        return self.quality(None if decision is None else decision.content)


def molecules(folder: Path) -> Iterator[Question]:
    for sample in read_molfiles(folder):
        if isinstance(sample, Sample) and sample.source is not None:
            with open_source(sample.source) as source, source.page(1) as page:
                yield Question(sample.id, page, page.bbox, sample.truth[0].text)


def tables(folder: Path) -> Iterator[Question]:
    for sample in read_pubtabnet(folder):
        if isinstance(sample, Sample) and sample.source is not None:
            with open_source(sample.source) as source, source.page(1) as page:
                yield Question(sample.id, page, page.bbox, sample.truth[0].text)


def drawn_tables(difficulty: float) -> Iterator[Question]:
    drawn = samples("table", 7, difficulty=difficulty, split="held-out")
    for number, sample in enumerate(islice(drawn, DRAWN)):
        file = io.BytesIO()
        sample.image.save(file, "PNG")
        with open_source(file.getvalue()) as source, source.page(1) as page:
            yield Question(str(number), page, page.bbox, sample.target)


def photographs(folder: Path) -> Iterator[Question]:
    for sample in read_icdar2015(folder):
        if isinstance(sample, Sample) and sample.source is not None:
            words = [word.text for word in sample.truth[0].words if not word.ignore]
            with open_source(sample.source) as source, source.page(1) as page:
                yield Question(sample.id, page, page.bbox, " ".join(words))


def paragraphs(folders: Sequence[Path]) -> Iterator[Question]:
    """Paragraphs of the first page of each PDF that has enough words of its own."""
    n_pages = 0
    for path in sorted(path for folder in folders for path in folder.rglob("*.pdf")):
        try:
            rendered = _render(path, DPI[n_pages % len(DPI)])
        except DocaiError:
            continue
        if rendered is None:
            continue
        n_pages += 1
        data, truths = rendered
        with open_source(data) as source, source.page(1) as page:
            for number, (bbox, truth) in enumerate(truths):
                yield Question(f"{path.name} {number}", page, bbox, truth)


def _render(path: Path, dpi: int) -> tuple[bytes, list[tuple[BBox, str]]] | None:
    """A page as a gray PNG, and boxes and words of paragraphs spread over it."""
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
                picture = io.BytesIO()
                page.render(scale=dpi / 72).convert("L").save(picture, "PNG", dpi=(dpi, dpi))
                return picture.getvalue(), truths[:: max(1, len(truths) // PARAGRAPHS)][:PARAGRAPHS]
    return None


def read(engine: Engine, kind: str, question: Question) -> Reading:
    """The model's reading; calibrated where its checkpoint has a map for whole records."""
    head = HEADS[kind]
    crops = tile_region(question.page, head.tiling, question.bbox)
    generations = answer(engine, [Request(head, crop.image) for crop in crops])
    maps = generations[0].calibration or {}
    return replace(region_reading(head, crops, generations), is_calibrated="record" in maps)


def measure(engine: Engine, reader: Reader, question: Question) -> Answers:
    (kind,) = reader.kinds or ()
    model = read(engine, kind, question)
    started = time.perf_counter()
    second = ask(reader, ReaderInput(question.page, question.bbox))
    return Answers(kind, question, model, second, time.perf_counter() - started)


def _canonical(smiles: str) -> str | None:
    return parse_molecule(smiles).content.smiles


def row(title: str, reader: Reader, all_answers: Sequence[Answers]) -> str:
    models = [answers.quality(answers.model.content) for answers in all_answers]
    clear = [answers.quality(answers.second.content) for answers in all_answers if answers.is_clear]
    agreed = [answers.quality(answers.model.content) for answers in all_answers if answers.agreed]
    share = sum(models) / max(1, len(models))
    cells = (
        title,
        str(len(all_answers)),
        _mean(models),
        f"{reader.name} {_mean([answers.quality(answers.second.content) for answers in all_answers])}",
        f"{len(clear)}: {_mean(clear)}, wholly right {_mean([float(value == 1) for value in clear])}",
        _mean([answers.both() for answers in all_answers]),
        _mean([answers.calibrated(share) for answers in all_answers]),
        f"{sum(value == 1 for value in agreed)} of {len(agreed)}",
        _mean([answers.seconds for answers in all_answers]),
    )
    return "| " + " | ".join(cells) + " |"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else "–"


def _case(title: str, answers: Answers) -> dict[str, str | float | None]:
    """One line of the file of cases."""
    return {
        "set": title,
        "name": answers.question.name,
        "truth": answers.question.truth,
        "model": answers.model.text,
        "finish": answers.model.finish_reason,
        "confidence": answers.model.confidence.value,
        "second reader": answers.second.text,
        "clear": answers.is_clear,
        "issues": "; ".join(issue.message for issue in answers.second.issues),
        "quality of the model": answers.quality(answers.model.content),
        "quality of the second reader": answers.quality(answers.second.content),
        "quality of both": answers.both(),
        "seconds": answers.seconds,
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--real", type=Path, default=real_data(), metavar="FOLDER", help="real documents")
    parser.add_argument("--limit", type=int, help="cases per set, at most")
    parser.add_argument("--only", default="", metavar="NAME", help="only sets whose name starts with it")
    parser.add_argument("--cases", type=Path, metavar="FILE", help="append each case as a line of JSON")
    arguments = parser.parse_args()
    real = need_folder(arguments.real)
    from docai.models.paligemma import PaliGemmaEngine

    engine = PaliGemmaEngine.load(arguments.model, device="auto")
    osra, tesseract = Osra(seconds=SECONDS), Tesseract(seconds=SECONDS)
    scanned = ScannedTables(seconds=SECONDS)
    pages = PageReader(seconds=SECONDS)
    ppocr, ppocr_tables, imago = PpOcr(pages), PpOcrTables(pages), Imago(seconds=SECONDS)
    sets: list[tuple[str, Reader, Iterator[Question]]] = [
        ("text icdar2015", tesseract, photographs(real / "text/icdar2015")),
        ("text of PDFs as scans", tesseract, paragraphs([real / name for name in PDFS])),
        ("tables pubtabnet", scanned, tables(real / "tables/pubtabnet")),
        *((f"tables drawn {level}", scanned, drawn_tables(level)) for level in LEVELS),
        *((f"molecules {name}", osra, molecules(real / "molecules" / name)) for name in MOLECULES),
        ("PP-OCR, text icdar2015", ppocr, photographs(real / "text/icdar2015")),
        ("PP-OCR, text of PDFs as scans", ppocr, paragraphs([real / name for name in PDFS])),
        ("PP-OCR, tables pubtabnet", ppocr_tables, tables(real / "tables/pubtabnet")),
        *((f"PP-OCR, tables drawn {level}", ppocr_tables, drawn_tables(level)) for level in LEVELS),
        *((f"Imago, molecules {name}", imago, molecules(real / "molecules" / name)) for name in MOLECULES),
    ]
    print(f"{engine.name}, quality: exact molecules, canonical TEDS, F1 of words\n")
    print(
        "| set | cases | model | second reader | second reader where clear | both | both, calibrated "
        "| agreed and right | s of the second reader |\n|---|---|---|---|---|---|---|---|---|"
    )
    for title, reader, questions in sets:
        if not title.startswith(arguments.only):
            continue
        missing = reader.available()
        if missing is not None:
            print(f"| {title} | – | – | {missing} | – | – | – | – | – |")
            continue
        all_answers = []
        for question in islice(questions, arguments.limit):
            all_answers.append(measure(engine, reader, question))
            if arguments.cases:
                with arguments.cases.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(_case(title, all_answers[-1])) + "\n")
        print(row(title, reader, all_answers), flush=True)


if __name__ == "__main__":
    main()
