"""Pairs of picture and target for one head: drawn, or read from a folder, checked, and put into batches."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from PIL import Image, ImageOps

from docai.errors import CheckpointError, MissingDependencyError, SettingError
from docai.models import guards
from docai.models.heads import Head

if TYPE_CHECKING:
    import torch
    from transformers import BatchFeature, PaliGemmaProcessor, PreTrainedTokenizerBase

PAIRS_FILE = "pairs.jsonl"
IGNORE = -100
"""Label of a position that is not predicted."""
_IMAGE_TOKEN = "<image>"
_REDRAWS = 64


class Pair(NamedTuple):
    """One picture, of any size, and what the head is to answer to it."""

    image: Image.Image
    target: str


class Pairs(Protocol):
    """What a data loader draws from."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pair: ...


class Rejected(NamedTuple):
    """A pair that is not trained on."""

    name: str
    reason: str
    """A stable code: ``parser``, ``too-long`` or ``image``."""
    detail: str


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
        for issue in self.head.parser(target).issues:
            if issue.severity == "error":
                return Rejected(name, "parser", f"{issue.code}: {issue.message}")
        count = self.too_long(target)
        if count is not None:
            return Rejected(name, "too-long", f"{count} tokens, and {self.max_tokens} are trained on")
        return None


@dataclass(frozen=True)
class DrawnPairs:
    """Pairs of the data engine. Pair i depends on the head, the seed, the difficulty and i alone."""

    head: str
    seed: int
    difficulty: float
    count: int
    rules: TargetRules

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        """Pair ``index``; where its target is too long, the next in the stream that is not."""
        from docai.pipelines.synthesis import samples

        drawn = samples(self.head, self.seed, start=index, difficulty=self.difficulty)
        for sample in islice(drawn, _REDRAWS):
            if self.rules.too_long(sample.target) is None:
                return Pair(sample.image, sample.target)
        raise SettingError(
            f"None of {_REDRAWS} drawn {self.head} targets has at most {self.rules.max_tokens} tokens; "
            "allow longer ones or draw easier ones."
        )

    def check(self, count: int) -> list[Rejected]:
        """What is wrong with the first ``count`` targets.

        Raises:
            MissingDependencyError: drawing needs a package that is not installed.
        """
        try:
            from docai.pipelines.synthesis import samples

            drawn = islice(samples(self.head, self.seed, difficulty=self.difficulty), count)
            checks = [self.rules.check(f"drawn {i}", sample.target) for i, sample in enumerate(drawn)]
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"Drawing pairs needs the package {error.name}: pip install 'docai[synth]', "
                "or give a folder of pairs."
            ) from None
        return [rejected for rejected in checks if rejected is not None]


class FilePair(NamedTuple):
    """A line of ``pairs.jsonl``."""

    path: Path
    target: str


@dataclass(frozen=True)
class FolderPairs:
    """Pairs whose pictures lie in files."""

    files: Sequence[FilePair]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:
        path, target = self.files[index]
        with Image.open(path) as image:
            return Pair(image.convert("RGB"), target)

    def check(self, rules: TargetRules) -> tuple[FolderPairs, list[Rejected]]:
        """The pairs that can be trained on, and the others."""
        usable: list[FilePair] = []
        rejected: list[Rejected] = []
        for file in self.files:
            fault = _image_fault(file.path) or rules.check(str(file.path), file.target)
            if fault is None:
                usable.append(file)
            else:
                rejected.append(fault)
        return FolderPairs(usable), rejected


def read_pairs(folder: Path) -> FolderPairs:
    """The pairs that ``docai synth`` wrote to ``folder``: ``image`` and ``target`` of each line.

    Raises:
        SettingError: the folder or its list is missing, or the list cannot be read.
    """
    path = folder / PAIRS_FILE
    if not folder.is_dir():
        raise SettingError(f"There is no data folder {folder}; make one with `docai synth HEAD -o DIR`.")
    if not path.is_file():
        raise SettingError(
            f"The data folder {folder} has no {PAIRS_FILE}; give a folder that `docai synth` wrote."
        )
    files: list[FilePair] = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"The list {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            image, target = entry["image"], entry["target"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingError(_bad_line(path, number)) from error
        if not isinstance(image, str) or not isinstance(target, str):
            raise SettingError(_bad_line(path, number))
        files.append(FilePair(folder / image, target))
    return FolderPairs(files)


def _bad_line(path: Path, number: int) -> str:
    return (
        f"Line {number} of {path} is not an object with the texts image and target; "
        "the folder may be half written: write it again, or take the line out."
    )


def _image_fault(path: Path) -> Rejected | None:
    try:
        with Image.open(path) as image:
            image.verify()
    # Pillow raises SyntaxError for a broken PNG; a bomb is refused by its declared size.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return Rejected(str(path), "image", str(error) or type(error).__name__)
    return None


def describe_rejected(rejected: Iterable[Rejected], *, shown: int = 5) -> list[str]:
    """Lines for people: how many of each reason, and the first few."""
    listed = list(rejected)
    counts = Counter(item.reason for item in listed)
    lines = [f"not used, {reason}: {count}" for reason, count in sorted(counts.items())]
    return lines + [f"  {item.name}: {item.detail}" for item in listed[:shown]]


@dataclass(frozen=True)
class Collator:
    """Batches as PaliGemma 2 is trained on: image, prompt and newline, and the target as its suffix."""

    processor: PaliGemmaProcessor
    head: Head

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """What the model's ``forward`` takes. ``labels`` cover the last ``logits_to_keep`` positions alone.

        Logits of the image tokens would take more memory than the model: 4,096 positions over 257,152
        words are 4 GB a crop.

        Raises:
            CheckpointError: the processor does not mark the suffix (see :func:`require_suffix_labels`).
        """
        inputs = encode_pairs(self.processor, self.head, pairs)
        labels: torch.Tensor = inputs.pop("labels")
        # One more than the longest suffix: the position before its first token predicts that token.
        keep = int((labels != IGNORE).sum(dim=1).max()) + 1
        return {**inputs, "labels": labels[:, -keep:], "logits_to_keep": keep}


def encode_pairs(processor: PaliGemmaProcessor, head: Head, pairs: Sequence[Pair]) -> BatchFeature:
    """The stock processor's answer for a batch, padded on the left, checked.

    Raises:
        CheckpointError: see :func:`require_suffix_labels`.
    """
    # NumPy, because the processor turns PyTorch tensors back to NumPy in a way NumPy 2 warns about.
    inputs: BatchFeature = processor(
        images=[[square(pair.image, head.resolution)] for pair in pairs],
        text=[_IMAGE_TOKEN + head.prompt for _ in pairs],
        suffix=[pair.target for pair in pairs],
        padding="longest",
        return_tensors="np",
    ).convert_to_tensors("pt")
    guards.require_token_types(inputs)
    require_suffix_labels(inputs)
    guards.require_ends_with_text(inputs["attention_mask"])
    return inputs


def require_suffix_labels(inputs: BatchFeature) -> None:
    """Raise unless exactly the suffix is predicted and every row has one.

    A processor that labels the prompt trains the model to repeat it; one that labels nothing gives a
    loss of zero. Neither stops a training by itself.

    Raises:
        CheckpointError: labels differ from -100 elsewhere than where ``token_type_ids`` is 1.
    """
    labelled = inputs["labels"] != IGNORE
    if not bool((labelled == (inputs["token_type_ids"] == 1)).all()) or not bool(labelled.any(dim=1).all()):
        raise CheckpointError(
            "The base's processor does not label exactly the answer (labels differ from -100 elsewhere than "
            "where token_type_ids is 1), so training would learn the wrong text; "
            "use the checkpoint's own PaliGemmaProcessor files."
        )


def square(image: Image.Image, size: int) -> Image.Image:
    """RGB, padded to a white square with the aspect kept, ``size`` x ``size``, as the crop step does."""
    if image.size == (size, size):
        return image.convert("RGB")
    return ImageOps.pad(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC, color="white")
