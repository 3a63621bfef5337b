"""Checks of training data before the first step: pictures, targets, lengths.

Each pair that cannot be used has a reason, a stable code:

``image``       the picture cannot be decoded
``parser``      the head's own parser finds an error in the target
``too-long``    the target has too many tokens
``skipped``     the reader of the data set skipped it; the detail says why
``structure``   the cells are not a complete grid, or the spines do not fit
``no-box``      the head writes boxes and the truth has none, or the region has no area
``no-picture``  the data set has no picture for it
``empty``       there is nothing to write
``kind``        no head writes this kind of region
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
"""Share of unusable pairs above which a run stops: the data as a whole is likely wrong."""

_MIN_TARGETS_FOR_PROCESSES = 2_000
"""Number of targets from which starting processes, some seconds each, pays off."""
_DRAFT_SIZE = (64, 64)
"""Size asked of the JPEG decoder, which then decodes at an eighth: enough to see whether it can."""


class Rejected(NamedTuple):
    """A pair that cannot be used."""

    name: str
    reason: str
    """A stable code; see the list at the top."""
    detail: str


class Checkable(Protocol):
    """A pair that can be checked without being drawn."""

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
        """The number of tokens, where it is too high; else None."""
        text = f"{target}{self.tokenizer.eos_token}"
        count = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return count if count > self.max_tokens else None

    def check(self, name: str, target: str) -> Rejected | None:
        """Why the target cannot be used: the head's own parser finds an error in it, or it is too long."""
        fault = parser_fault(self.head.parser, target)
        return Rejected(name, "parser", fault) if fault else self.check_length(name, target)

    def check_length(self, name: str, target: str) -> Rejected | None:
        """Why the target cannot be used, where it is too long."""
        count = self.too_long(target)
        if count is None:
            return None
        return Rejected(name, "too-long", f"{count} tokens, and at most {self.max_tokens} can be used")


def parser_fault(parser: Parser, target: str) -> str | None:
    """The first error that a head's parser finds in a target; None where there is none."""
    errors = (issue for issue in parser(target).issues if issue.severity == "error")
    return next((f"{issue.code}: {issue.message}" for issue in errors), None)


def image_fault(path: Path) -> str | None:
    """Why a picture cannot be decoded; None where it can. PDFs are not checked here."""
    if path.suffix.lower() == ".pdf":
        return None
    try:
        if not path.stat().st_size:
            return "the file is empty"
        with Image.open(path) as image:
            image.draft("RGB", _DRAFT_SIZE)
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
    n_processes = processes if len(readable) >= _MIN_TARGETS_FOR_PROCESSES else 1
    parse = partial(parser_fault, rules.head.parser)
    parsed = each_in_process(parse, (pair.target for pair in readable), processes=n_processes)
    usable: list[C] = []
    rejected = [
        Rejected(pair.name, "image", fault) for pair in pairs if (fault := faults[pair.path]) is not None
    ]
    for pair, result in zip(readable, parsed, strict=True):
        fault = "the parser crashed" if isinstance(result, WorkerDied) else result
        item = Rejected(pair.name, "parser", fault) if fault else rules.check_length(pair.name, pair.target)
        if item is None:
            usable.append(pair)
        else:
            rejected.append(item)
    return usable, rejected


def describe_rejected(rejected: Iterable[Rejected], *, shown: int = 5) -> list[str]:
    """Lines for people: the number of pairs per reason, and the first few pairs."""
    listed = list(rejected)
    counts = Counter(item.reason for item in listed)
    lines = [f"not used, {reason}: {count}" for reason, count in sorted(counts.items())]
    return lines + [f"  {item.name}: {item.detail}" for item in listed[:shown]]
