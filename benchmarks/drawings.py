"""Measures how exactly molecules and scores of born-digital PDFs are read from their strokes and glyphs.

    python benchmarks/drawings.py [--only NAMES] [--count N] [--start N] [--save FOLDER] [--jobs N]
                                  [--pipeline]

NAMES are sets or groups of them, separated by commas: ``molecules`` is ``rdkit``, ``indigo`` and
``openbabel``; ``scores`` is ``verovio``, ``lilypond`` and ``musescore``; ``neither`` is ``decoys`` and
``pages``. RDKit, Indigo and Verovio draw here, in random styles; LilyPond engraves pieces of music21's wheel
where it is installed; the rest are real documents (``DOCAI_REAL_DATA``). No model is run. With each figure
stands its 95 % interval: Wilson's for shares, by bootstrap over drawings for ratios.

Molecules:

- ``exact``: the canonical isomeric SMILES is that of the drawing, in one reading. Labels of open positions
  are compared as ``*``;
- ``honest``: of those that are not exact, the share that says so: nothing is read, a confidence is below 0.5,
  or there is a warning or an error among the issues;
- ``doubted``: of the exact ones, the share that looks the same as one that is not.

Scores: a token is a notehead with its pitch and its duration as written; those of a staff are in the order of
time and, at one time, from the bottom. ``wrong`` is the edit distance (Levenshtein) of the tokens of each
staff of a piece, over all its systems, summed and divided by the number of true tokens. Staves are matched
from the top; what a missing or additional staff holds is wrong. ``exact``, ``honest`` and ``doubted`` are
those of whole pieces.

Neither: ``invented`` is the share of documents in which a molecule or a score is read with a confidence of at
least 0.5.

With ``--pipeline`` drawings stand between paragraphs, the pages go through layout and all that follows,
with a model that says nothing, and the records count that rest on drawings.

Times are wall-clock: ``page`` is reading what the page draws, ``read`` what follows. With ``--save``, each
case that is not right is written there as a PDF and a picture, and ``index.html`` shows them.
"""

from __future__ import annotations

import argparse
import html
import json
import statistics
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

from common import script_parser
from drawing_cases import GROUPS, SETS, Case, on_page, open_folder

from docai import Pipeline
from docai.contents import Issue, MoleculeContent, ScoreContent
from docai.errors import DocaiError
from docai.geometry import BBox, contains_center
from docai.models.heads import HEADS
from docai.models.scripted import ScriptedEngine
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.drawings.score.content import PieceState, SystemReading
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.evaluation.base import Ratio
from docai.pipelines.evaluation.statistics import corpus
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.notes import Note, Staves, notes_of_kern
from docai.pipelines.training.metrics import interval_of

SURE = 0.5
"""Confidence from which a reading counts as believed."""
OF_THE_SILENT_MODEL = frozenset(("molecule-empty", "score-empty", "witness-believed"))
"""Issues that say that the model said nothing."""
DPI = 110
"""Of the pictures that are saved."""


@dataclass
class Result:
    """What was read of one case."""

    name: str
    n_wrong: int
    """Tokens, of a molecule 0 or 1, of what is neither the readings that are believed."""
    n_true: int
    is_doubted: bool = False
    """The reading says that it may be wrong."""
    page_seconds: float = 0.0
    read_seconds: float = 0.0
    n_pages: int = 1
    truth: str = ""
    answer: str = ""
    issues: list[str] = field(default_factory=list)
    style: str = ""
    command: str = ""


@dataclass
class Found:
    """One molecule or system that was read."""

    content: MoleculeContent | ScoreContent
    confidence: float
    issues: Sequence[Issue]
    bbox: BBox
    page: int


def read_case(case: Case, through_pipeline: bool = False) -> Result:
    """Read and compare one case; an exception is a wrong reading with its traceback."""
    result = Result(case.name, 1, 1, style=case.style, command=case.command)
    read = _through_pipeline if through_pipeline else _from_drawings
    try:
        found = read(case, result)
        {"molecule": _compare_molecule, "score": _compare_score, "neither": _compare_neither}[case.kind](
            case, found, result
        )
    except DocaiError as error:
        # Some of the awkward documents cannot be opened.
        result.n_wrong, result.answer = int(case.kind != "neither"), str(error)
    except Exception:
        result.answer = traceback.format_exc(limit=-3)
        result.issues.append("exception")
    return result


def _from_drawings(case: Case, result: Result) -> list[Found]:
    """What the readers of drawings make of the pages."""
    found: list[Found] = []
    state = PieceState()
    with open_source(case.data) as source:
        for number, page in enumerate(source.pages(), 1):
            started = time.perf_counter()
            drawing = page.inside(read_drawing, case.bbox)
            drawn = time.perf_counter()
            readings: list[MoleculeReading | SystemReading] = []
            if case.kind != "score":
                readings += read_molecules(drawing)
            if case.kind != "molecule":
                readings += sorted(read_systems(drawing, state), key=lambda reading: reading.bbox[1])
            result.page_seconds += drawn - started
            result.read_seconds += time.perf_counter() - drawn
            result.n_pages = number
            found += [
                Found(reading.content, reading.confidence, reading.issues, reading.bbox, number)
                for reading in readings
                if reading.content is not None and not reading.content.is_empty
            ]
    return found


def _through_pipeline(case: Case, result: Result) -> list[Found]:
    """The records that rest on drawings, of the whole pipeline with a model that says nothing."""
    started = time.perf_counter()
    document = _pipeline().process(case.data)
    result.read_seconds, result.n_pages = time.perf_counter() - started, max(1, len(document.pages))
    return [
        Found(
            content=record,
            confidence=record.confidence.value or 0.0,
            issues=[issue for issue in record.issues if issue.code not in OF_THE_SILENT_MODEL],
            bbox=record.bbox,
            page=record.page,
        )
        for record in [*document.molecules, *document.scores]
        if "drawing" in record.evidence and (case.bbox is None or contains_center(case.bbox, record.bbox))
    ]


@cache
def _pipeline() -> Pipeline:
    return Pipeline(engine=ScriptedEngine(dict.fromkeys(HEADS, "")), witnesses="off", readback="off")


def _tell(found: Sequence[Found], result: Result) -> None:
    """Take down confidences and issues; whether any of them is a doubt."""
    result.is_doubted = not found
    for reading in found:
        result.issues.append(f"page {reading.page}, {reading.bbox}: confidence {reading.confidence:.2f}")
        result.issues += [f"{issue.severity} {issue.code}: {issue.message}" for issue in reading.issues]
        result.is_doubted |= reading.confidence < SURE
        result.is_doubted |= any(issue.severity != "info" for issue in reading.issues)


def _compare_molecule(case: Case, found: Sequence[Found], result: Result) -> None:
    _tell(found, result)
    answers = [
        plain_smiles(reading.content.smiles or "")
        for reading in found
        if isinstance(reading.content, MoleculeContent)
    ]
    result.truth, result.answer = plain_smiles(case.smiles), " and ".join(answers)
    result.n_wrong = int(answers != [result.truth])


def plain_smiles(smiles: str) -> str:
    """Canonical isomeric SMILES, ``*`` for open positions of any name; as it is where RDKit refuses it."""
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not smiles:
        return smiles
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
    return str(Chem.CanonSmiles(Chem.MolToSmiles(molecule)))


def _compare_score(case: Case, found: Sequence[Found], result: Result) -> None:
    _tell(found, result)
    staves: Staves = [[] for _ in case.notes]
    texts = [reading.content.kern for reading in found if isinstance(reading.content, ScoreContent)]
    for kern in texts:
        for index, notes in enumerate(notes_of_kern(kern)):
            if index == len(staves):
                staves.append([])
            staves[index] += notes
    distances = [
        token_distance(case.notes[index] if index < len(case.notes) else [], notes)
        for index, notes in enumerate(staves)
    ]
    result.n_wrong, result.n_true = sum(distances), sum(map(len, case.notes))
    result.truth = f"{result.n_true} notes in {len(case.notes)} staves"
    result.answer = f"{distances} wrong, by staff\n" + "\n\n".join(texts)
    if any(distances):
        result.answer += "\n\n" + "\n".join(_differences(case.notes, staves))


def token_distance(truth: Sequence[Note], notes: Sequence[Note]) -> int:
    """Levenshtein distance of the pitches and durations of two rows of notes."""
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(_tokens(truth), _tokens(notes)))


def _tokens(notes: Sequence[Note]) -> list[tuple[int, int, Fraction]]:
    return [note.token for note in notes]


def _differences(truth: Staves, staves: Staves) -> Iterator[str]:
    """What is different, in words, at most a dozen a staff."""
    from rapidfuzz.distance import Levenshtein

    for index, notes in enumerate(staves):
        true = truth[index] if index < len(truth) else []
        for edit in Levenshtein.editops(_tokens(true), _tokens(notes))[:12]:
            before = str(true[edit.src_pos]) if edit.tag != "insert" else ""
            after = str(notes[edit.dest_pos]) if edit.tag != "delete" else ""
            yield f"staff {index + 1} from the top, {edit.tag}: {before} → {after}"


def _compare_neither(case: Case, found: Sequence[Found], result: Result) -> None:
    result.n_wrong = sum(reading.confidence >= SURE for reading in found)
    lines = [
        f"{reading.confidence:.2f} page {reading.page} {reading.bbox}: {reading.content.brief()}"
        for reading in found
    ]
    result.answer = "\n".join(sorted(lines, reverse=True))


def share(name: str, flags: Sequence[bool]) -> str:
    """A share with its interval."""
    return figure(name, [Ratio(flag, 1) for flag in flags])


def figure(name: str, ratios: Sequence[Ratio]) -> str:
    """A ratio of sums with its interval."""
    value, interval = corpus(ratios), interval_of(ratios)
    if value is None:
        return f"{name} –"
    around = f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
    return f"{name} {value:.4f}{around}"


def report(name: str, kind: str, results: Sequence[Result]) -> None:
    """Print the figures of one set."""
    if not results:
        return
    right = [not result.n_wrong for result in results]
    wrong_ones = [result for result in results if result.n_wrong]
    words = [f"{name:10} {len(results):5}"]
    if kind == "neither":
        words.append(share("invented", [not flag for flag in right]))
    else:
        if kind == "score":
            words.append(figure("wrong", [Ratio(result.n_wrong, result.n_true) for result in results]))
        words.append(share("exact", right))
        words.append(share("honest", [result.is_doubted for result in wrong_ones]))
        words.append(share("doubted", [result.is_doubted for result in results if not result.n_wrong]))
    for label in ("page", "read"):
        times = [1000 * getattr(result, f"{label}_seconds") / result.n_pages for result in results]
        words.append(f"{label} {statistics.median(times):.0f} ms, at most {max(times):.0f}")
    crashes = sum("exception" in result.issues for result in results)
    if crashes:
        words.append(f"{crashes} EXCEPTIONS")
    print("; ".join(words), flush=True)


def save(folder: Path, case: Case, result: Result) -> None:
    """Write what is needed to look at a case."""
    import pymupdf

    (folder / f"{case.name}.pdf").write_bytes(case.data)
    (folder / f"{case.name}.json").write_text(json.dumps(asdict(result), indent=1), "utf-8")
    try:
        with pymupdf.open(stream=case.data, filetype="pdf") as document:
            document[0].get_pixmap(dpi=DPI, clip=case.bbox).save(folder / f"{case.name}.png")
    except (RuntimeError, ValueError) as error:
        print(f"{case.name} has no picture: {error}", file=sys.stderr)


def write_index(folder: Path) -> None:
    """One page with all cases that are in the folder."""
    parts = [
        "<meta charset=utf-8><style>img{max-width:48%;vertical-align:top}pre{display:inline-block}</style>"
    ]
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        text = "\n".join(f"{key}: {value}" for key, value in result.items() if key != "issues")
        text += "\n" + "\n".join(result["issues"])
        parts.append(f"<h3>{path.stem}</h3><img src='{path.stem}.png'><pre>{html.escape(text)}</pre>")
    (folder / "index.html").write_text("\n".join(parts), "utf-8")


def _run_one(folder: Path | None, through_pipeline: bool, case: Case) -> Result:
    if through_pipeline:
        case = on_page(case)
    result = read_case(case, through_pipeline)
    if folder is not None and result.n_wrong:
        save(folder, case, result)
    return result


def _run_slice(name: str, folder: Path | None, through_pipeline: bool, part: tuple[int, int]) -> list[Result]:
    cases, _ = SETS[name]
    for case in cases(part[0], 1):
        # What is loaded once is not timed.
        read_case(case, through_pipeline)
    return [_run_one(folder, through_pipeline, case) for case in cases(*part)]


def chosen_sets(text: str | None) -> list[str]:
    """The sets that are named; all without a name."""
    if text is None:
        return list(SETS)
    names = [name for word in text.split(",") for name in GROUPS.get(word, (word,))]
    unknown = [name for name in names if name not in SETS]
    if unknown:
        sys.exit(f"There is no set {', '.join(unknown)}; there are: {', '.join([*SETS, *GROUPS])}.")
    return names


def main() -> None:
    options: argparse.ArgumentParser = script_parser(__doc__)
    options.add_argument("--only", metavar="NAMES", help="sets or groups, separated by commas")
    options.add_argument("--count", type=int, metavar="N", help="drawings of each set, at most")
    options.add_argument("--start", type=int, default=0, metavar="N", help="number of the first one")
    options.add_argument("--save", type=Path, metavar="FOLDER", help="where cases that are not right go")
    options.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    options.add_argument("--pipeline", action="store_true", help="the whole pipeline, layout first")
    chosen = options.parse_args()
    folder = open_folder(chosen.save) if chosen.save else None
    for name in chosen_sets(chosen.only):
        _, default = SETS[name]
        count = min(default, chosen.count or default)
        if chosen.jobs > 1:
            step = -(-count // (4 * chosen.jobs))
            slices = [(chosen.start + at, min(step, count - at)) for at in range(0, count, step)]
            with ProcessPoolExecutor(chosen.jobs) as pool:
                made = pool.map(partial(_run_slice, name, folder, chosen.pipeline), slices)
                results = [result for part in made for result in part]
        else:
            results = _run_slice(name, folder, chosen.pipeline, (chosen.start, count))
        kind = next(group for group, sets in GROUPS.items() if name in sets)
        report(name, {"molecules": "molecule", "scores": "score"}.get(kind, kind), results)
    if folder is not None:
        write_index(folder)


if __name__ == "__main__":
    main()
