"""Fits how often readers of pictures are right on what ``pictures.py`` measured.

    python benchmarks/pictures.py --half development --unfitted --cases FILE
    python benchmarks/fit_trust.py FILE [FILE ...] [--write NAMES]

Takes the cases of the half for development alone. For each reader, and each kind of region that it reads,
its own measure of how well it read becomes a probability that the whole is right, and for words its
confidence in one of them. A map is isotonic (scipy), over groups of about equally many answers whose shares
of right ones are drawn a little towards the share of all, ``(right + share) / (n + 1)``; level stretches keep
their ends, so maps have few points. With fewer than :data:`MIN_ANSWERS` answers there is none. ``--write``
puts the maps of readers, or units, of these names into ``pipelines/evidence/trust.json``; the others stay as
they are. ``word`` first, as the confidences of texts rest on them; ``docai`` last, of cases that were read
with all the others (``--unfitted``).

Prints each map with its calibration error in cross-validation (five folds of whole pictures), that of the
plain numbers beside it, and both on the other half where the files have it; how often two readers that are
both wrong about a picture are wrong alike; and the rule by which read-back should count for records that no
model has read (``READER_RULES`` of :mod:`docai.pipelines.readback.compare`).
"""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from common import script_parser

from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error
from docai.pipelines.evidence import trust
from docai.pipelines.evidence.trust import FINAL, TRUST_FILE, TrustMap, bayes
from docai.pipelines.readback.compare import BayesRule, posterior, rule_of

MIN_ANSWERS: Final = 25
MIN_GROUP, MAX_GROUPS = 10, 24
N_FOLDS: Final = 5
HEADER: Final = (
    "| reader | unit | n | right | plain: error, Brier | fitted, held out: error, Brier "
    "| of the other half: n, right, plain, fitted | map |\n|---|---|---|---|---|---|---|---|"
)
LEVEL: Final = 0.01
"""Probability by which a map has to rise to need a point."""
GRID: Final = (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
MISMATCHES: Final = (0.01, 0.03, 0.05, 0.1)
PRIOR_CASES: Final = 2.0
"""How strongly a rule is drawn to one that says nothing."""

_COMPLETE_ALONE: Final = ("text", "table", "molecule", "score")
"""Units of which only answers that the reader stands by are fitted."""

Case = Mapping[str, Any]


class Observed(NamedTuple):
    """One answer, or one word."""

    picture: str
    own: float
    is_right: bool


def observations(cases: Iterable[Case]) -> dict[tuple[str, str], list[Observed]]:
    """By reader and unit."""
    observed: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for case in cases:
        reader, picture = case["reader"].strip(), f"{case['set']}/{case['id']}"
        if case["complete"]:
            for own, is_right in case["beliefs"]:
                observed[reader, case["kind"]].append(Observed(picture, own, bool(is_right)))
        for own, is_right in case["parts"].get("word", ()):
            observed[reader, "word"].append(Observed(picture, own, bool(is_right)))
    return observed


def fit(observed: Sequence[Observed]) -> TrustMap:
    """A rising map of few points; of answers that are all right, or all wrong, one of one point."""
    from scipy.optimize import isotonic_regression

    ordered = sorted(observed, key=lambda one: one.own)
    share = sum(one.is_right for one in ordered) / len(ordered)
    groups = list(_groups(ordered))
    x = [sum(one.own for one in group) / len(group) for group in groups]
    y = [(sum(one.is_right for one in group) + share) / (len(group) + 1) for group in groups]
    rising = isotonic_regression(y, weights=[len(group) for group in groups]).x
    points = _corners([(round(a, 4), round(float(b), 4)) for a, b in zip(x, rising, strict=True)])
    return TrustMap(tuple(a for a, _ in points), tuple(b for _, b in points))


def _groups(ordered: Sequence[Observed]) -> Iterator[Sequence[Observed]]:
    """Runs of about equally many; those of one value are never parted."""
    size = max(MIN_GROUP, math.ceil(len(ordered) / MAX_GROUPS))
    start = 0
    while start < len(ordered):
        end = min(start + size, len(ordered))
        while end < len(ordered) and ordered[end].own == ordered[end - 1].own:
            end += 1
        if len(ordered) - end < size // 2:
            end = len(ordered)
        yield ordered[start:end]
        start = end


def _corners(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points in the middle of stretches that are nearly level, which say nothing."""
    kept = list(points[:1])
    for point, after in pairwise(points[1:]):
        if after[1] - kept[-1][1] >= LEVEL:
            kept.append(point)
    return [*kept, *points[1:][-1:]]


def held_out(observed: Sequence[Observed]) -> list[Belief]:
    """What maps say that were fitted without the pictures that they are asked about."""
    pictures = sorted({one.picture for one in observed})
    random.Random(len(pictures)).shuffle(pictures)
    beliefs = []
    for start in range(min(N_FOLDS, len(pictures))):
        fold = frozenset(pictures[start::N_FOLDS])
        rest = [one for one in observed if one.picture not in fold]
        chosen = fit(rest) if rest else fit(observed)
        beliefs += [Belief(chosen(one.own), one.is_right) for one in observed if one.picture in fold]
    return beliefs


def coincidences(cases: Sequence[Case]) -> Iterator[tuple[str, int, int]]:
    """By kind: the pictures about which two readers are both wrong, and of how many in the same way."""
    by_picture: dict[tuple[str, str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case["read"] and not case["reader"].startswith("docai"):
            by_picture[case["kind"], case["set"], case["id"]].append(case)
    counts: dict[str, list[bool]] = defaultdict(list)
    for (kind, _, _), answers in by_picture.items():
        for one, other in combinations(answers, 2):
            if not one["right"] and not other["right"]:
                counts[kind].append(one["read"] == other["read"])
    for kind, flags in sorted(counts.items()):
        yield kind, len(flags), sum(flags)


class ReadBackCase(NamedTuple):
    """A record that was read back."""

    prior: float
    """Its confidence before."""
    similarity: float
    is_right: bool


def read_back_cases(cases: Iterable[Case]) -> dict[str, list[ReadBackCase]]:
    """By kind: records of docai that no model has read, with the confidence that they had before."""
    found: dict[str, list[ReadBackCase]] = defaultdict(list)
    for case in cases:
        beliefs, similarities = case["beliefs"], case.get("similarities", ())
        if case["reader"] != "docai" or "model" in case["evidence"] or len(beliefs) != len(similarities):
            continue
        rule = rule_of(case["kind"], case["evidence"])
        for (value, is_right), similarity in zip(beliefs, similarities, strict=True):
            if similarity is not None and 0 < value < 1:
                # The evidence is taken out as it was put in.
                weight = posterior(0.5, similarity, rule)
                prior = bayes(value, 1 - weight, weight)
                found[case["kind"]].append(ReadBackCase(prior, similarity, bool(is_right)))
    return found


def fit_rule(cases: Sequence[ReadBackCase], warn_below: float) -> BayesRule:
    """The rule of greatest likelihood; as long as there are few cases, near to one that says nothing."""
    rules = [
        BayesRule(false_match, false_mismatch, warn_below)
        for false_match in GRID
        for false_mismatch in MISMATCHES
        if false_match + false_mismatch <= 1
    ]
    return max(rules, key=lambda rule: _log_likelihood(cases, rule))


def _log_likelihood(cases: Sequence[ReadBackCase], rule: BayesRule) -> float:
    total = -PRIOR_CASES * (1 - rule.false_match - rule.false_mismatch) ** 2
    for case in cases:
        value = posterior(case.prior, case.similarity, rule)
        total += math.log(max(1e-6, value if case.is_right else 1 - value))
    return total


def _rule_row(kind: str, cases: Sequence[ReadBackCase]) -> str:
    now = rule_of(kind, ())
    fitted = fit_rule(cases, now.warn_below)
    figures = []
    for rule in (None, now, fitted):
        beliefs = [
            Belief(
                case.prior if rule is None else posterior(case.prior, case.similarity, rule), case.is_right
            )
            for case in cases
        ]
        figures.append(f"{expected_calibration_error(beliefs):.3f}, {brier_score(beliefs):.3f}")
    share = sum(case.is_right for case in cases) / len(cases)
    chosen = f"false_match {fitted.false_match}, false_mismatch {fitted.false_mismatch}"
    return f"| {kind} | {len(cases)} | {share:.3f} | {' | '.join(figures)} | {chosen} |"


def read_cases(files: Sequence[Path], half: str = "development") -> list[Case]:
    """The cases of a half; the last of each, where a picture was read again."""
    latest: dict[tuple[str, str, str], Case] = {}
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            case = json.loads(line)
            if case["half"] == half:
                latest[case["set"], case["id"], case["reader"]] = case
    return list(latest.values())


def write(maps: Mapping[tuple[str, str], tuple[TrustMap, int]]) -> None:
    """Put maps into the file beside those that it has."""
    path = Path(trust.__file__).with_name(TRUST_FILE)
    stored = json.loads(path.read_text("utf-8"))
    for (reader, unit), (fitted, n) in maps.items():
        stored["maps"].setdefault(reader, {})[unit] = {"x": fitted.x, "y": fitted.y, "n": n}
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="cases of pictures.py")
    parser.add_argument("--write", default="", metavar="NAMES", help="readers and units to store, by commas")
    arguments = parser.parse_args()
    cases = read_cases(arguments.files)
    others = observations(read_cases(arguments.files, "other"))
    maps: dict[tuple[str, str], tuple[TrustMap, int]] = {}
    print(HEADER)
    for (reader, unit), observed in sorted(observations(cases).items()):
        if len(observed) < MIN_ANSWERS:
            print(f"| {reader} | {unit} | {len(observed)} | – | – | – | – | – |")
            continue
        fitted = fit(observed)
        if reader == FINAL and fitted.x[0] > 0:
            # What is surely wrong stays so, however few such answers there are.
            fitted = TrustMap((0.0, *fitted.x), (0.0, *fitted.y))
        # Words of docai, and so its texts, have confidences by those of its readers; other records are fitted
        # once more.
        if (reader, unit) not in ((FINAL, "word"), (FINAL, "text")) and not reader.startswith(f"{FINAL} "):
            maps[reader, unit] = fitted, len(observed)
        print(row(reader, unit, observed, fitted, others.get((reader, unit), ())))
    print("\n| kind | both wrong | alike |\n|---|---|---|")
    for kind, n, n_alike in coincidences(cases):
        print(f"| {kind} | {n} | {n_alike} |")
    print("\n| kind | n | right | before read-back: error, Brier | with it, now | fitted | rule |")
    print("|---|---|---|---|---|---|---|")
    for kind, read_back in sorted(read_back_cases(cases).items()):
        print(_rule_row(kind, read_back))
    names = {name for name in arguments.write.split(",") if name}
    write({key: value for key, value in maps.items() if names.intersection(key)})


def row(
    reader: str, unit: str, observed: Sequence[Observed], fitted: TrustMap, others: Sequence[Observed]
) -> str:
    plain = [Belief(one.own, one.is_right) for one in observed]
    figures = (
        f"{expected_calibration_error(some):.3f}, {brier_score(some):.3f}"
        for some in (plain, held_out(observed))
    )
    points = ", ".join(f"{a:.3f}→{b:.2f}" for a, b in zip(fitted.x, fitted.y, strict=True))
    cells = (reader, unit, str(len(observed)), _right(observed), *figures, _of_others(others, fitted), points)
    return f"| {' | '.join(cells)} |"


def _of_others(observed: Sequence[Observed], fitted: TrustMap) -> str:
    """What a map does on pictures of the half that it was not fitted on."""
    if not observed:
        return "–"
    plain = expected_calibration_error([Belief(one.own, one.is_right) for one in observed])
    error = expected_calibration_error([Belief(fitted(one.own), one.is_right) for one in observed])
    return f"{len(observed)}, {_right(observed)}, {plain:.3f}, {error:.3f}"


def _right(observed: Sequence[Observed]) -> str:
    return f"{sum(one.is_right for one in observed) / len(observed):.3f}"


if __name__ == "__main__":
    main()
