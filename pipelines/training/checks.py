"""What is wrong with training data, found before the first step: pictures, targets, lengths.

Each pair that is not trained on has a reason, a stable code:

``image``       its picture cannot be read (it is decoded once to see)
``parser``      the head's own parser finds an error in its target
``too-long``    its target has more tokens than are trained on
``skipped``     the reader of the data set passed it over; the detail says why
``structure``   its cells are no whole grid, or its spines do not fit
``no-box``      the head writes boxes, and the truth has none; or the region has no area
``no-picture``  the data set has the truth alone
``empty``       there is nothing to write
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from PIL import Image

from docai.models.heads import Head
from docai.parsers.base import Parser
from docai.pipelines.external.workers import WorkerDied, each_in_process

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_REJECTED: Final = 0.2
"""Share of the data above which a run stops: something is wrong with the data, not with some of it."""

_ENOUGH_FOR_PROCESSES = 2_000
"""Targets from which on starting processes, some seconds each, is worth it."""
_DRAFT = (64, 64)
"""A JPEG is decoded at an eighth of its size to see whether it can be."""


class Rejected(NamedTuple):
    """A pair that is not trained on."""

    name: str
    reason: str
    """A stable code; see the module."""
    detail: str


class Checkable(Protocol):
    """What can be checked of a pair without drawing it."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def target(self) -> str: ...


C = TypeVar("C", bound=Checkable)


@dataclass(frozen=True)
class TargetRules:
    """Which targets a head can be trained on."""

    head: Head
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int
    """Tokens of the longest target, its end token included."""

    def too_long(self, target: str) -> int | None:
        """The number of tokens, where there are too many."""
        text = f"{target}{self.tokenizer.eos_token}"
        count = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return count if count > self.max_tokens else None

    def check(self, name: str, target: str) -> Rejected | None:
        """Why the target cannot be used: the head's own parser finds an error in it, or it is too long."""
        fault = parser_fault(self.head.parser, target)
        return Rejected(name, "parser", fault) if fault else self.check_length(name, target)

    def check_length(self, name: str, target: str) -> Rejected | None:
        """Why the target cannot be used, where it has too many tokens."""
        count = self.too_long(target)
        if count is None:
            return None
        return Rejected(name, "too-long", f"{count} tokens, and {self.max_tokens} are trained on")


def parser_fault(parser: Parser, target: str) -> str | None:
    """The first error that a head's parser finds in a target."""
    errors = (issue for issue in parser(target).issues if issue.severity == "error")
    return next((f"{issue.code}: {issue.message}" for issue in errors), None)


def image_fault(path: Path) -> str | None:
    """Why a picture cannot be decoded. PDFs are not looked at here."""
    if path.suffix.lower() == ".pdf":
        return None
    try:
        if not path.stat().st_size:
            return "the file is empty"
        with Image.open(path) as image:
            image.draft("RGB", _DRAFT)
            image.load()
    except FileNotFoundError:
        return "there is no such file"
    # Pillow raises SyntaxError for a broken PNG; a bomb is refused by its declared size.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error) or type(error).__name__
    return None


def check_pairs(
    pairs: Sequence[C], rules: TargetRules, *, processes: int = 1
) -> tuple[list[C], list[Rejected]]:
    """The pairs that can be trained on, and the others, both in their order.

    Pictures are decoded by that many threads, and many targets are parsed in that many processes.
    """
    with ThreadPoolExecutor(max(processes, 1)) as pool:
        paths = list(dict.fromkeys(pair.path for pair in pairs))
        faults = dict(zip(paths, pool.map(image_fault, paths), strict=True))
    readable = [pair for pair in pairs if faults[pair.path] is None]
    n_processes = processes if len(readable) >= _ENOUGH_FOR_PROCESSES else 1
    parse = partial(parser_fault, rules.head.parser)
    parsed = each_in_process(parse, (pair.target for pair in readable), processes=n_processes)
    usable: list[C] = []
    rejected = [
        Rejected(pair.name, "image", fault) for pair in pairs if (fault := faults[pair.path]) is not None
    ]
    for pair, found in zip(readable, parsed, strict=True):
        if isinstance(found, WorkerDied):
            found = "the parser ended its process"
        bad = Rejected(pair.name, "parser", found) if found else rules.check_length(pair.name, pair.target)
        if bad is None:
            usable.append(pair)
        else:
            rejected.append(bad)
    return usable, rejected


def describe_rejected(rejected: Iterable[Rejected], *, shown: int = 5) -> list[str]:
    """Lines for people: how many of each reason, and the first few."""
    listed = list(rejected)
    counts = Counter(item.reason for item in listed)
    lines = [f"not used, {reason}: {count}" for reason, count in sorted(counts.items())]
    return lines + [f"  {item.name}: {item.detail}" for item in listed[:shown]]
