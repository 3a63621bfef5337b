"""Measures how well pictures are read: text, tables, molecules and scores that are pixels alone.

    python benchmarks/pictures.py [--limit N] [--only NAMES] [--half HALF] [--alone NAMES] [--without NAMES]
                                  [--effort EFFORT] [--model MODEL] [--cases FILE]
                                  [--unfitted] [--calibration]

Prints a Markdown table with a row for each set and reader: docai, with a model that says nothing (``--model``
names a real one, such as ``nano``), and below it those of its readers that it asked, in the cases in which it
asked them (all with ``--effort best``). Readers that ``--alone`` names are asked by themselves. Real
documents are those of the folder ``DOCAI_REAL_DATA``; the rest is drawn, with seeds. Halves are of the
pictures of a set in their order: those of even numbers, from 0, are the half for development, on which trust
in readers is fitted (``fit_trust.py``); the others are for figures alone.

- paragraphs, pages: ``f1`` of words in any order, mean over cases. Paragraphs and clean pages are rendered
  from PDFs in gray, at 150 and 200 dpi, and their own words are the truth. ``f1-latin`` is of those in Latin
  letters; ``f1-all`` counts words of formulas, too; ``f1-printed`` is by words as they are printed: the truth
  of DocBank has a subscript as a word of its own, glyphs without Unicode as ``(cid:48)``, and letters that
  are drawn twice as two;
- photographs: ``e2e-f1`` of words at their place (HierText's protocol);
- tables: TEDS, TEDS of the structure, TEDS of the canonical HTML, GriTS of the contents. Pages of ICDAR 2013
  are rendered at 200 dpi, and their tables are to be found;
- molecules: ``exact``, the isomeric canonical SMILES is equal;
- scores: ``token-error`` as in ``drawings.py``, ``ser`` of the first system of a page as printed.

``clear`` is the share of the answers that the reader stands by, and how many of those are right; ``sure and
wrong`` the share of all cases that docai gives a confidence of 0.8 or more and that are not right (not of
texts, whose confidence is the share of their words that are likely right). ``s`` are
CPU seconds of all processes for a case, mean and most, after a first one that loads what is loaded once.
``--calibration`` adds tables of how far confidences come true: by kind, for records and their parts. Only
real sets count in them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, get_args

from common import need_folder, real_data, script_parser
from picture_readers import Docai, cpu_seconds, picture_readers, read_alone, silent_engine
from picture_sets import SETS, PictureSet, Question
from picture_tables import DOCAI, HEADER, Half, Measured, calibration_tables, row

from docai.models.engine import Engine
from docai.options import Effort, Options
from docai.pipelines.evidence.base import Reader

Numbered = tuple[Half, Question]
"""With the half of its set that it belongs to."""

NEED_REGIONS: Final = ("tables icdar2013 pages", "text photographs as pages")
"""Sets whose pages no reader reads as a whole."""


def readers_of(part: PictureSet, names: Sequence[str]) -> Iterator[Reader]:
    """The readers that are asked alone."""
    for reader in picture_readers(part.kind) if part.name not in NEED_REGIONS else ():
        if reader.name not in names and "all" not in names:
            continue
        if problem := reader.available():
            print(f"{reader.name} is left out: {problem}", file=sys.stderr)
        else:
            yield reader


def measure_alone(part: PictureSet, reader: Reader, questions: Sequence[Numbered]) -> Iterator[Measured]:
    """The answers of a reader to all questions."""
    for half, question in questions:
        started = cpu_seconds()
        answer = read_alone(reader, question.sample)
        yield Measured(part.name, half, part.kind, reader.name, answer, question, cpu_seconds() - started)


def measure(part: PictureSet, docai: Docai, questions: Sequence[Numbered]) -> Iterator[Measured]:
    """Docai's answers to all questions, and those of the readers that it asked."""
    name = " ".join([DOCAI, *(f"without {name}" for name in sorted(docai.without))])
    for half, question in questions:
        started = cpu_seconds()
        answer, heard = docai.read(question.sample)
        yield Measured(part.name, half, part.kind, name, answer, question, cpu_seconds() - started)
        if not docai.without and part.name not in NEED_REGIONS:
            for reader, (reading, seconds) in heard.items():
                yield Measured(part.name, half, part.kind, f"  {reader}", reading, question, seconds)


def chosen_questions(
    part: PictureSet, real: Path, folder: Path, half: Half, limit: int | None
) -> list[Numbered]:
    """Those of the half, at most as many as the limit."""
    numbered: Iterator[Numbered] = (
        ("other" if number % 2 else "development", question)
        for number, question in enumerate(part.questions(real, folder))
    )
    return list(islice((one for one in numbered if half in ("both", one[0])), limit))


def engine_of(model: str | None) -> Engine:
    if model is None:
        return silent_engine()
    from docai.models.paligemma import PaliGemmaEngine

    return PaliGemmaEngine.load(model, device="auto")


def parse_arguments() -> argparse.Namespace:
    parser = script_parser(__doc__)
    parser.add_argument("--real", type=Path, default=real_data(), metavar="FOLDER", help="real documents")
    parser.add_argument("--limit", type=int, metavar="N", help="cases per set, at most")
    parser.add_argument("--only", default="", metavar="NAMES", help="sets whose names start so, by commas")
    parser.add_argument("--half", choices=get_args(Half), default="both", help="of each set (default both)")
    parser.add_argument(
        "--alone", default="", metavar="NAMES", help="readers that are also asked alone, by commas, or all"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="NAMES", help="docai also without these, by commas"
    )
    parser.add_argument(
        "--effort", choices=get_args(Effort), default="auto", help="docai's option (default auto)"
    )
    parser.add_argument("--model", help="a checkpoint's name or folder; default: one that says nothing")
    parser.add_argument("--cases", type=Path, metavar="FILE", help="append each case as a line of JSON")
    parser.add_argument(
        "--unfitted", action="store_true", help="confidences before the last step, for fit_trust.py"
    )
    parser.add_argument("--calibration", action="store_true", help="print how far confidences come true")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    real = need_folder(arguments.real)
    engine, options = engine_of(arguments.model), Options(effort=arguments.effort)
    left_out = [frozenset[str](), *(frozenset(names.split(",")) for names in arguments.without)]
    docai = [Docai(engine, options, names, is_fitted=not arguments.unfitted) for names in left_out]
    names, alone = arguments.only.split(","), arguments.alone.split(",")
    print(HEADER)
    measured: list[Measured] = []
    for part in SETS:
        if not part.name.startswith(tuple(names)):
            continue
        with tempfile.TemporaryDirectory(prefix="docai-") as folder:
            questions = chosen_questions(part, real, Path(folder), arguments.half, arguments.limit)
            runs = [measure_alone(part, reader, questions) for reader in readers_of(part, alone)]
            runs += [measure(part, one, questions) for one in docai]
            for run in runs:
                answers = defaultdict(list)
                for one in run:
                    answers[one.reader].append(one)
                    if arguments.cases:
                        with arguments.cases.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(one.case()) + "\n")
                for name, listed in answers.items():
                    print(row(part, name, listed), flush=True)
                    measured += listed
    if arguments.calibration:
        real_sets = {part.name for part in SETS if not part.is_drawn}
        print("\n".join(calibration_tables([one for one in measured if one.set_name in real_sets])))


if __name__ == "__main__":
    main()
