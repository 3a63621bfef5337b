"""The share of mutations of a correct answer that a parser detects, by an issue or by different content.

    python benchmarks/mutations.py [HEAD ...] [--drawn N] [--each K] [--real FOLDER]

Each truth, synthetic or of the real documents, is changed in one place: a part is dropped, repeated,
exchanged with another of its kind, or the text is cut before it. Parts are those of the format (cells, rows,
tags, atoms, measures, fields, words, locations, characters …). A mutation is detected if the parse has an
issue code that the original has not, or different content. Texts with the same meaning by the rules of their
format are not counted; :func:`says_the_same` decides that without docai's parsers: an exchange of equal
parts, meaningless white space, an optional HTML tag, other spellings of one molecule. MusicXML is not made,
for speed, which can only lower the figures. False alarms, warnings and errors on unchanged truths, are listed
by name.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple
from unittest import mock

from common import real_data, script_parser

from docai.base import Content
from docai.models.heads import HEADS
from docai.parsers.base import Parsed
from docai.parsers.score_music21 import ConversionError
from docai.pipelines.synthesis import samples

Way = Literal["drop", "repeat", "swap", "cut"]
Span = tuple[int, int]
WAYS: tuple[Way, ...] = ("drop", "repeat", "swap", "cut")
DIFFICULTIES = (0.0, 0.3, 0.6, 1.0)
_MAX_SHOWN = 12

_TAG = r"</?[a-z][^<>\"]*(?:\"[^\"]*\"[^<>\"]*)*>"
_DIGIT = r"(?<=<loc)\d|(?<=<loc\d)\d|(?<=<loc\d\d)\d|(?<=<loc\d\d\d)\d"
_PARTS: dict[str, dict[str, str]] = {
    "table": {
        "row": r"<tr>.*?</tr>",
        "cell": r"<(t[dh])\b[^>]*?(?:\"[^\"]*\"[^>]*?)*>.*?</\1>",
        "tag": _TAG,
        "attribute": r" (?:coords|colspan|rowspan)=\"[^\"]*\"",
        "location": r"<loc\d+>",
        "digit": _DIGIT,
        "word": rf"(?:(?!{_TAG})[^\s])+",
        "character": rf"{_TAG}|(?P<part>&#?\w+;|[^<\s])",
    },
    "molecule": {
        "branch": r"\([^()]*\)",
        "atom": r"\[[^\[\]]*\]|Cl|Br|[A-Za-z*]",
        "sign": r"[-=#$:/\\.()~]|%\d\d|\d|->|<-",
        "character": r"\S",
    },
    "score": {
        "measure": r"(?m)^=.*\n(?:(?!=).*\n)*",
        "line": r"(?m)^.+\n",
        "field": r"[^\t\n]+",
        "note": r"(?m)(?<=[\t\n ])[^\s*=!.][^\s]*",
        "character": r"\S",
    },
    "text": {
        "line": r"(?m)^.+\n",
        "word": r"(?:<loc\d+>)+ (?:(?! ; |<loc\d).)+(?: ; )?",
        "location": r"<loc\d+>",
        "separator": r" ; |\n",
        "label": r"(?<=> )[^\n]+?(?= ; |$|\n)",
        "digit": _DIGIT,
        "character": r"<loc\d+>|(?P<part>\S)",
    },
}


class Truth(NamedTuple):
    """A correct answer, and its name in the report."""

    head: str
    name: str
    text: str


class Mutation(NamedTuple):
    """One change of a text."""

    way: Way
    part: str
    text: str


@dataclass
class Tally:
    """Counts of the mutations of one head."""

    truths: int = 0
    same: Counter[tuple[str, str]] = field(default_factory=Counter)
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    noticed: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_issue: Counter[tuple[str, str]] = field(default_factory=Counter)
    unnoticed: list[tuple[Truth, Mutation]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.noticed.total() / max(self.made.total(), 1)


def drawn_truths(head: str, count: int, seed: int = 7) -> list[Truth]:
    """Synthetic targets with held-out content, of all difficulties."""
    truths = []
    for difficulty in DIFFICULTIES:
        drawn = islice(
            samples(head, seed, difficulty=difficulty, split="held-out"), -(-count // len(DIFFICULTIES))
        )
        truths += [Truth(head, f"drawn {difficulty}/{n}", sample.target) for n, sample in enumerate(drawn)]
    return truths[:count]


def real_truths(folder: Path) -> Iterator[Truth]:
    """Truths of the real documents: tables as in their data sets, SMILES, kern, and words with boxes."""
    from docai.pipelines.evaluation.base import Sample
    from docai.pipelines.evaluation.datasets import open_dataset
    from docai.pipelines.training.datasets import read_dataset

    datasets = {
        "table": (
            "pubtabnet:tables/pubtabnet",
            "teds-pairs:tables/teds-parity/sample_gt.json",
            "icdar2013:tables/icdar2013-eu",
        ),
        "molecule": tuple(
            f"molfiles:molecules/{path.name}"
            for path in sorted((folder / "molecules").iterdir())
            if path.name != "other"
        ),
    }
    for head, specs in datasets.items():
        for spec in specs:
            kind, _, path = spec.partition(":")
            for case in open_dataset(f"{kind}:{folder / path}"):
                if isinstance(case, Sample):
                    for number, item in enumerate(case.truth, 1):
                        name = f"{path}/{case.id}" + (f"#{number}" if len(case.truth) > 1 else "")
                        # The HTML page that data sets put around a table is not part of the head's format.
                        yield Truth(head, name, re.sub(r"</?(?:html|body)>", "", item.text))
    for file in sorted((folder / "scores").glob("*/*.krn")):
        yield Truth("score", file.name, file.read_text("utf-8"))
    pairs, _ = read_dataset(f"icdar2015:{folder / 'text' / 'icdar2015'}", HEADS["text"])
    for pair in pairs:
        yield Truth("text", pair.name.rpartition(" ")[2], pair.target)


def parts_of(head: str, part: str, text: str) -> list[Span]:
    """The spans of the parts of that kind in the text."""
    spans = []
    for match in re.finditer(_PARTS[head][part], text, re.IGNORECASE if head == "table" else 0):
        if "part" not in match.groupdict():
            spans.append(match.span())
        elif match["part"]:
            spans.append(match.span("part"))
    return spans


def mutations(truth: Truth, each: int, rng: random.Random) -> Iterator[Mutation]:
    """Up to ``each`` mutations of every way and every kind of part."""
    for part in _PARTS[truth.head]:
        spans = parts_of(truth.head, part, truth.text)
        for way in WAYS:
            if way == "swap":
                chosen = [rng.sample(spans, 2) for _ in range(each)] if len(spans) > 1 else []
                texts = (_swap(truth.text, *sorted(pair)) for pair in chosen)
            else:
                change = _CHANGES[way]
                texts = (change(truth.text, span) for span in rng.sample(spans, min(each, len(spans))))
            for text in texts:
                yield Mutation(way, part, text)


def _swap(text: str, first: Span, second: Span) -> str:
    (a, b), (c, d) = first, second
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:] if b <= c else text


_CHANGES: dict[Way, Callable[[str, Span], str]] = {
    "drop": lambda text, span: text[: span[0]] + text[span[1] :],
    "repeat": lambda text, span: text[: span[1]] + text[span[0] :],
    "cut": lambda text, span: text[: span[0]],
}


def says_the_same(head: str, before: str, after: str) -> bool:
    """Whether two texts mean the same by the rules of their format, decided without docai's parsers."""
    if before == after:
        return True
    if head == "molecule":
        known = _canonical(before)
        return known is not None and known == _canonical(after)
    if head == "table":
        return _plain_html(before) == _plain_html(after)
    if head == "score":
        return before.strip("\n") == after.strip("\n")
    return (
        before.split() == after.split()
        if head == "text" and "\n" not in before
        else _lines(before) == _lines(after)
    )


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def _canonical(smiles: str) -> str | None:
    """RDKit's canonical SMILES; unknown brackets become dummy atoms with numbers of their own."""
    from rdkit import Chem, rdBase

    names: dict[str, int] = {}

    def dummy(match: re.Match[str]) -> str:
        if Chem.MolFromSmiles(match[0], sanitize=False) is not None:
            return match[0]
        return f"[{900 + names.setdefault(match[1], len(names))}*]"

    log_block = rdBase.BlockLogs()
    try:
        mol = Chem.MolFromSmiles(re.sub(r"\[([^\[\]]*)\]", dummy, smiles))
        labels = ",".join(sorted(names))
        return None if mol is None else f"{Chem.MolToSmiles(mol)} {labels}"
    finally:
        del log_block


def _plain_html(html: str) -> str:
    """The HTML without optional tags (HTML standard, 13.1.2.4) and without meaningless white space."""
    html = re.sub(r">\s+<", "><", html)
    # An end tag is redundant if what follows ends the element too.
    html = re.sub(r"(?:</t[dh]>)+(?=<t[dhr]\b|</t|</table)", "", html)
    html = re.sub(r"(?:</tr>)+(?=<tr\b|</t|<tbody|</table)", "", html)
    html = re.sub(r"(?:</tbody>|</thead>)+(?=<tbody|</table|</t)", "", html)
    return re.sub(r"(?:<tbody>)+(?=<tr)", "", html)


def is_noticed(before: Parsed[Content], after: Parsed[Content]) -> tuple[bool, bool]:
    """Whether there is a new issue code, and whether there is that or different content."""
    has_new_code = bool({issue.code for issue in after.issues} - {issue.code for issue in before.issues})
    return has_new_code, has_new_code or after.content != before.content


@contextmanager
def without_music21() -> Iterator[None]:
    """Parse without making MusicXML, which takes a hundred times as long as the rest."""
    with mock.patch("docai.parsers.score.kern_to_musicxml", side_effect=ConversionError("left out")):
        yield


def measure(truths: Iterable[Truth], each: int, seed: int = 1) -> dict[str, Tally]:
    """Mutate each truth and count, by head."""
    tallies: dict[str, Tally] = {}
    with without_music21():
        for truth in truths:
            tally = tallies.setdefault(truth.head, Tally())
            tally.truths += 1
            parse = HEADS[truth.head].parser
            before = parse(truth.text)
            for mutation in mutations(truth, each, random.Random(f"{seed}/{truth.head}/{truth.name}")):
                key = (mutation.way, mutation.part)
                by_issue, noticed = is_noticed(before, parse(mutation.text))
                if not by_issue and says_the_same(truth.head, truth.text, mutation.text):
                    tally.same[key] += 1
                    continue
                tally.made[key] += 1
                tally.by_issue[key] += by_issue
                tally.noticed[key] += noticed
                if not noticed:
                    tally.unnoticed.append((truth, mutation))
    return tallies


def false_issues(truths: Iterable[Truth]) -> list[tuple[Truth, str]]:
    """Warnings and errors on unchanged truths, with the message."""
    return [
        (truth, f"{issue.code}: {issue.message}")
        for truth in truths
        for issue in HEADS[truth.head].parser(truth.text).issues
        if issue.severity != "info"
    ]


def tell(where: str, tallies: dict[str, Tally], false: list[tuple[Truth, str]], n_truths: int) -> None:
    print(f"\n{where}: {n_truths} truths, {len({truth for truth, _ in false})} with a warning or error")
    for truth, issue in false:
        print(f"  {truth.head} {truth.name}: {issue}")
    for head, tally in tallies.items():
        made, noticed, by_issue = tally.made.total(), tally.noticed.total(), tally.by_issue.total()
        print(
            f"\n{head}: {tally.truths} truths, {made:,} mutations, {tally.same.total():,} more say the same, "
            f"noticed {noticed:,} = {tally.recall:.4f}, by an issue alone {by_issue / max(made, 1):.4f}"
        )
        print(f"  {'':12}" + "".join(f"{way:>22}" for way in WAYS))
        for part in _PARTS[head]:
            cells = []
            for way in WAYS:
                key = (way, part)
                ratio = f"{tally.noticed[key] / tally.made[key]:.3f}" if tally.made[key] else "–"
                cells.append(f"{tally.noticed[key]}/{tally.made[key]} {ratio}".rjust(22))
            print(f"  {part:12}" + "".join(cells))
        for truth, mutation in tally.unnoticed[:_MAX_SHOWN]:
            change = difference(truth.text, mutation.text)
            print(f"  undetected: {mutation.way} {mutation.part} of {truth.name}: {change}")
        if len(tally.unnoticed) > _MAX_SHOWN:
            print(f"  … and {len(tally.unnoticed) - _MAX_SHOWN} more")


def difference(before: str, after: str) -> str:
    """The place where two texts differ, shortened."""
    start = _common_prefix_length(before, after)
    end = _common_prefix_length(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    return f"…{before[max(0, start - 20) : start]!r} {old[:60]!r} → {new[:60]!r}"


def _common_prefix_length(first: str, second: str) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("heads", nargs="*", default=list(HEADS), metavar="HEAD")
    parser.add_argument("--drawn", type=int, default=40, metavar="N", help="drawn truths for each head")
    parser.add_argument(
        "--each", type=int, default=3, metavar="K", help="of each way and kind of part, for each truth"
    )
    parser.add_argument("--real", type=Path, default=real_data(), metavar="FOLDER", help="real documents")
    args = parser.parse_args()
    drawn = [truth for head in args.heads for truth in drawn_truths(head, args.drawn)]
    tell("drawn", measure(drawn, args.each), false_issues(drawn), len(drawn))
    if args.real is not None and args.real.is_dir():
        real = [truth for truth in real_truths(args.real) if truth.head in args.heads]
        tell("real", measure(real, args.each), false_issues(real), len(real))


if __name__ == "__main__":
    main()
