"""Error rates of music in kern, as the Sheet Music Transformer counts them, and OMR-NED.

CER, SER and LER are edit distances over characters, symbols and lines, summed over the set and divided by
the summed lengths of the truths (eval_functions.py of https://github.com/antoniorv6/SMT). What is taken out
of the texts first, and what counts as a character, changes the figure: both have names, which the result
carries (:mod:`docai.pipelines.evaluation.metrics.kern_text`).

The task measures with SMT's characters of today, on SMT's text and on the text as printed. Only there, before
all else, ``\r\n`` is a line feed and a byte order mark is nothing; and where an answer is ``**kern`` and its
truth ``**ekern_1.0``, or the reverse, the separators ``·`` and ``@`` are taken out of both, the answer takes
the truth's header, and that is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docai.errors import MissingDependencyError, needs
from docai.parsers.score import parse_score
from docai.pipelines.evaluation.base import (
    Belief,
    CaseScore,
    Item,
    Measure,
    Prediction,
    Ratio,
    Sample,
    Task,
)
from docai.pipelines.evaluation.metrics.calibration import right_measures
from docai.pipelines.evaluation.metrics.kern_text import (
    SEPARATORS,
    Preparation,
    Tokenization,
    characters,
    header_of,
    lines,
    plain_kern,
    prepare_kern,
    symbols,
)
from docai.pipelines.evaluation.metrics.omr_ned import omr_ned
from docai.pipelines.recognition.tiles import join_kern

MISSING = "no music was predicted; all of the truth counts as missing"
NO_TRUTH = "the truth holds no music: nothing is defined on it"
JOINED = "several systems were predicted or true: each side was joined in reading order"
RENAMED = "answer and truth are in two encodings of kern: both were compared without its separators"
NO_MUSICDIFF = "musicdiff is not installed: OMR-NED is not defined"


@dataclass(frozen=True, slots=True)
class KernErrorRates:
    """Edits and tokens of the truths, over all texts together."""

    characters: Ratio
    symbols: Ratio
    lines: Ratio
    preparation: Preparation
    tokenization: Tokenization

    @property
    def cer(self) -> float | None:
        """Character error rate in percent, from 0, over 100 where the answers are longer. None: no truth."""
        return _percent(self.characters)

    @property
    def ser(self) -> float | None:
        """Symbol error rate in percent."""
        return _percent(self.symbols)

    @property
    def ler(self) -> float | None:
        """Line error rate in percent."""
        return _percent(self.lines)

    def __str__(self) -> str:
        rates = (("CER", self.cer), ("SER", self.ser), ("LER", self.ler))
        shown = " ".join(f"{name} {'–' if rate is None else f'{rate:.2f} %'}" for name, rate in rates)
        return f"{shown} (text {self.preparation}, tokens {self.tokenization})"


def kern_error_rates(
    preds: Sequence[str],
    truths: Sequence[str],
    *,
    preparation: Preparation = "smt-system",
    tokenization: Tokenization = "smt-2025-07",
) -> KernErrorRates:
    """CER, SER and LER of answers, of which each has its truth at the same place.

    ``preparation="none"`` gives what SMT's ``compute_poliphony_metrics`` gives for the same texts.

    Raises:
        ValueError: there are more of the one than of the other.
        MissingDependencyError: rapidfuzz is not installed.
    """
    if len(preds) != len(truths):
        raise ValueError(f"There are {len(preds)} answers for {len(truths)} truths.")
    sums = {"characters": Ratio(0, 0), "symbols": Ratio(0, 0), "lines": Ratio(0, 0)}
    for pred, truth in zip(preds, truths, strict=True):
        p, t = prepare_kern(pred, preparation), prepare_kern(truth, preparation)
        for name, ratio in _edits(p, t, tokenization).items():
            sums[name] = Ratio(
                sums[name].numerator + ratio.numerator, sums[name].denominator + ratio.denominator
            )
    return KernErrorRates(**sums, preparation=preparation, tokenization=tokenization)


def _percent(ratio: Ratio) -> float | None:
    # In SMT's order, so that its figures come out to the last bit.
    return 100.0 * ratio.numerator / ratio.denominator if ratio.denominator else None


def _edits(pred: str, truth: str, tokenization: Tokenization) -> dict[str, Ratio]:
    return {
        "characters": _distance(characters(pred, tokenization), characters(truth, tokenization)),
        "symbols": _distance(symbols(pred), symbols(truth)),
        "lines": _distance(lines(pred), lines(truth)),
    }


def _distance(pred: Sequence[str], truth: Sequence[str]) -> Ratio:
    with needs("docai[metrics]", "Comparing kern"):
        from rapidfuzz.distance import Levenshtein
    return Ratio(Levenshtein.distance(pred, truth), len(truth))


def _score(sample: Sample, prediction: Prediction | None) -> CaseScore:
    truths = [item for item in sample.truth if item.kind == "score"]
    given = prediction.items if prediction is not None and prediction.error is None else []
    preds = [item for item in given if item.kind == "score"]
    pred, truth = _joined(preds), _joined(truths)
    if not prepare_kern(truth, "printed"):
        nothing = {measure.name: Ratio(0, 0) for measure in MEASURES}
        return CaseScore(id=sample.id, ratios=nothing, notes=(NO_TRUTH,))
    notes = [JOINED] if max(len(preds), len(truths)) > 1 else []
    if not pred.strip():
        notes.append(MISSING)
    name, true_name = header_of(pred), header_of(truth)
    if name and true_name and name != true_name:
        pred, truth = (text.translate(SEPARATORS) for text in (pred.replace(name, true_name), truth))
        notes.append(RENAMED)
    ratios = _rates(pred, truth, "smt-page" if sample.unit == "page" else "smt-system")
    ratios["parses"] = Ratio(float(parse_score(plain_kern(pred)).content.is_valid), 1)
    ratios["omr-ned"] = _omr_ned(pred, truth, notes)
    # One confidence belongs to one answer; what several systems are worth together is not known.
    sure = preds[0].confidence if len(preds) == 1 else None
    measures = _measure_beliefs(preds[0], pred, truth) if len(preds) == 1 else ()
    return CaseScore(
        id=sample.id,
        ratios={measure.name: ratios[measure.name] for measure in MEASURES},
        notes=tuple(notes),
        beliefs=() if sure is None else (Belief(sure, not ratios["ser-printed"].numerator),),
        part_beliefs={"measure": measures} if measures else {},
    )


def _measure_beliefs(item: Item, pred: str, truth: str) -> tuple[Belief, ...]:
    """How sure each measure is and whether the truth has it, see
    :mod:`docai.pipelines.evaluation.metrics.calibration`.
    """
    if not any(value is not None for value in item.parts):
        return ()
    right = right_measures(pred, truth)
    if len(right) != len(item.parts):
        return ()
    return tuple(
        Belief(sure, is_right) for sure, is_right in zip(item.parts, right, strict=True) if sure is not None
    )


def _rates(pred: str, truth: str, smt: Preparation) -> dict[str, Ratio]:
    today = kern_error_rates([pred], [truth], preparation=smt)
    before = kern_error_rates([pred], [truth], preparation=smt, tokenization="smt-2024-01")
    printed = kern_error_rates([pred], [truth], preparation="printed")
    return {
        "cer": today.characters,
        "ser": today.symbols,
        "ler": today.lines,
        "cer-2024": before.characters,
        "cer-printed": printed.characters,
        "ser-printed": printed.symbols,
        "ler-printed": printed.lines,
    }


def _joined(items: Sequence[Item]) -> str:
    # How a file was carried from one system to another is no mistake of a reader.
    texts = [item.text.removeprefix("\ufeff").replace("\r\n", "\n") for item in items]
    return texts[0] if len(texts) == 1 else join_kern(texts)


def _omr_ned(pred: str, truth: str, notes: list[str]) -> Ratio:
    try:
        result = omr_ned(pred, truth)
    except MissingDependencyError:
        notes.append(NO_MUSICDIFF)
        return Ratio(0, 0)
    if result.note and pred.strip():
        notes.append(result.note)
    if result.value is None:
        return Ratio(0, 0)
    return Ratio(result.edits, result.symbols_pred + result.symbols_truth)


def _rate(name: str, label: str, protocol: str) -> Measure:
    return Measure(name, label, protocol, percent=True, higher_is_better=False)


_SMT = "SMT since 2025-07-07, system text; on pages its page text"
_PRINTED = "docai: SMT's tokens, text as printed"

MEASURES = (
    _rate("cer", "CER", _SMT),
    _rate("ser", "SER", _SMT),
    _rate("ler", "LER", _SMT),
    _rate("cer-2024", "CER, until July 2025", "SMT before 2025-07-07, else as CER"),
    _rate("cer-printed", "CER, as printed", _PRINTED),
    _rate("ser-printed", "SER, as printed", _PRINTED),
    _rate("ler-printed", "LER, as printed", _PRINTED),
    Measure("parses", "Parses", "docai.parsers.score", percent=True),
    _rate("omr-ned", "OMR-NED", "musicdiff, all objects"),
)

SCORE = Task(name="score", measures=MEASURES, score=_score, headline="ser")
