"""What model, witness and both together reach on real documents: the numbers behind `witnesses="auto"`.

    python benchmarks/witnesses.py [--model nano] [--real FOLDER] [--limit N] [--only NAME] [--cases FILE]

Prints Markdown. The documents are those at ``DOCAI_REAL_DATA`` (by default ``../shared/real``). Molecules
are right where the isomeric canonical SMILES are equal. Tables, as pictures, are measured by TEDS of the
canonical HTML of both sides; besides published ones, drawn ones of several difficulties. Texts are measured
by the F1 of their words, on street photographs and on the paragraphs of born-digital PDFs, whose pages are
drawn in gray at 150 and 200 dpi and whose own words are the truth; they are right where all words are
equal. *Both* is what the rule in :mod:`docai.pipelines.evidence.arbiter` makes of the two; *agreed* counts
the cases where they say the same. *Both, calibrated* is what they would make where each answer of the model
had for its confidence the model's share of right answers in the set, which is the least that a calibration
on such documents gives.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from docai.contents import (
    Content,
    MoleculeContent,
    TableContent,
    TextContent,
    part_confidences,
    put_confidence,
)
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
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.readers import ask
from docai.pipelines.evidence.scanned_table import ScannedTables
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.layout import find_regions, text_layer_quality
from docai.pipelines.recognition.answer import region_reading
from docai.pipelines.synthesis import samples
from docai.pipelines.words import agreement, text_from_words
from docai.records import Kind

MOLECULES = ("uspto", "clef2012", "usan", "testSet1")
PDFS = ("pdfs", "tables/icdar2013-eu")
DPI = (150, 200)
MIN_WORDS, MIN_PAGE_WORDS = 5, 60
LEVELS = (0.3, 0.6, 1.0)
"""Difficulties of drawn tables."""
DRAWN = 30
PARAGRAPHS = 4
"""Of one page."""
SECONDS = 300.0
"""For one region: what is measured here must not hang on how busy the machine is."""


@dataclass(frozen=True)
class Question:
    """One region with its truth."""

    name: str
    page: Page
    bbox: BBox
    truth: str


@dataclass(frozen=True)
class Comparison:
    """What both read of one question."""

    kind: Kind
    question: Question
    model: Reading
    second: Reading
    seconds: float
    """That the second reader took."""

    def quality(self, content: Content | None) -> float:
        """How good an answer is, 0…1."""
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
        """The same for a model that knows how often it is right."""
        content, own = content_of(self.model), self.model.confidence
        if own.value != 0.0:
            own = own.model_copy(update={"value": share})
        content = put_confidence(content, [share] * len(part_confidences(content)))
        return self._decided(replace(self.model, content=content, confidence=own, is_calibrated=True))

    def _decided(self, model: Reading) -> float:
        decision = decide(self.kind, model, [self.second])
        return self.quality(decision.content if decision else None)


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
            drawn = _drawn(path, DPI[n_pages % len(DPI)])
        except DocaiError:
            continue
        if drawn is None:
            continue
        n_pages += 1
        data, truths = drawn
        with open_source(data) as source, source.page(1) as page:
            for number, (bbox, truth) in enumerate(truths):
                yield Question(f"{path.name} {number}", page, bbox, truth)


def _drawn(path: Path, dpi: int) -> tuple[bytes, list[tuple[BBox, str]]] | None:
    """A page as a gray PNG, and boxes and words of paragraphs spread over it."""
    with open_source(path) as source:
        for number in source.numbers()[:5]:
            with source.page(number) as page:
                if len(page.words()) < MIN_PAGE_WORDS:
                    continue
                found = [
                    (region.bbox, text_from_words(region.words).text)
                    for region in find_regions(page).regions
                    if region.kind == "text"
                    and len(region.words) >= MIN_WORDS
                    and text_layer_quality(region.words) > 0.9
                ]
                picture = io.BytesIO()
                page.render(scale=dpi / 72).convert("L").save(picture, "PNG", dpi=(dpi, dpi))
                return picture.getvalue(), found[:: max(1, len(found) // PARAGRAPHS)][:PARAGRAPHS]
    return None


def read(engine: Engine, kind: Kind, question: Question) -> Reading:
    """The model's reading; calibrated where its checkpoint has a map for whole records."""
    head = HEADS[kind]
    crops = tile_region(question.page, kind, question.bbox)
    generations = answer(engine, [Request(head, crop.image) for crop in crops])
    maps = generations[0].calibration or {}
    return replace(region_reading(head, crops, generations), is_calibrated="record" in maps)


def measure(engine: Engine, reader: Reader, question: Question) -> Comparison:
    (kind,) = reader.kinds
    model = read(engine, kind, question)
    started = time.perf_counter()
    second = ask(reader, ReaderInput(question.page, question.bbox))
    return Comparison(kind, question, model, second, time.perf_counter() - started)


def _canonical(smiles: str) -> str | None:
    return parse_molecule(smiles).content.smiles


def row(title: str, reader: Reader, comparisons: Sequence[Comparison]) -> str:
    models = [one.quality(one.model.content) for one in comparisons]
    clear = [one.quality(one.second.content) for one in comparisons if one.is_clear]
    agreed = [one.quality(one.model.content) for one in comparisons if one.agreed]
    share = sum(models) / max(1, len(models))
    cells = (
        title,
        str(len(comparisons)),
        _mean(models),
        f"{reader.name} {_mean([one.quality(one.second.content) for one in comparisons])}",
        f"{len(clear)}: {_mean(clear)}, wholly right {_mean([float(value == 1) for value in clear])}",
        _mean([one.both() for one in comparisons]),
        _mean([one.calibrated(share) for one in comparisons]),
        f"{sum(value == 1 for value in agreed)} of {len(agreed)}",
        _mean([one.seconds for one in comparisons]),
    )
    return "| " + " | ".join(cells) + " |"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else "–"


def _case_line(title: str, one: Comparison) -> dict[str, str | float | None]:
    """One case, as a line of the file of cases."""
    return {
        "set": title,
        "name": one.question.name,
        "truth": one.question.truth,
        "model": one.model.text,
        "finish": one.model.finish_reason,
        "confidence": one.model.confidence.value,
        "witness": one.second.text,
        "clear": one.is_clear,
        "issues": "; ".join(issue.message for issue in one.second.issues),
        "quality of the model": one.quality(one.model.content),
        "quality of the witness": one.quality(one.second.content),
        "quality of both": one.both(),
        "seconds": one.seconds,
    }


def main() -> None:
    default = Path(os.environ.get("DOCAI_REAL_DATA") or "../shared/real")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--real", type=Path, default=default, metavar="FOLDER")
    parser.add_argument("--limit", type=int, help="cases of each set")
    parser.add_argument("--only", default="", metavar="NAME", help="sets whose name begins so")
    parser.add_argument("--cases", type=Path, metavar="FILE", help="write each case as a line of JSON")
    arguments = parser.parse_args()
    from docai.models.paligemma import PaliGemmaEngine

    engine = PaliGemmaEngine.load(arguments.model, device="auto")
    osra, tesseract = Osra(seconds=SECONDS), Tesseract(seconds=SECONDS)
    scanned = ScannedTables(seconds=SECONDS)
    sets: list[tuple[str, Reader, Iterator[Question]]] = [
        ("text icdar2015", tesseract, photographs(arguments.real / "text/icdar2015")),
        ("text of PDFs as scans", tesseract, paragraphs([arguments.real / name for name in PDFS])),
        ("tables pubtabnet", scanned, tables(arguments.real / "tables/pubtabnet")),
        *((f"tables drawn {level}", scanned, drawn_tables(level)) for level in LEVELS),
        *((f"molecules {name}", osra, molecules(arguments.real / "molecules" / name)) for name in MOLECULES),
    ]
    print(f"{engine.name}, quality: exact molecules, canonical TEDS, F1 of words\n")
    print(
        "| set | cases | model | witness | witness where clear | both | both, calibrated "
        "| agreed and right | s of the witness |\n|---|---|---|---|---|---|---|---|---|"
    )
    for title, reader, questions in sets:
        if not title.startswith(arguments.only):
            continue
        missing = reader.available()
        if missing is not None:
            print(f"| {title} | – | – | {missing} | – | – | – | – | – |")
            continue
        comparisons = []
        for question in islice(questions, arguments.limit):
            comparisons.append(measure(engine, reader, question))
            if arguments.cases:
                with arguments.cases.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(_case_line(title, comparisons[-1])) + "\n")
        print(row(title, reader, comparisons), flush=True)


if __name__ == "__main__":
    main()
