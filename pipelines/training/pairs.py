"""Pairs of picture and target for one head, drawn or read from files, and their batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from PIL import Image, ImageOps

from docai.errors import CheckpointError, SettingError, needs
from docai.models import guards
from docai.models.heads import Head
from docai.models.inputs import IMAGE_TOKEN
from docai.pipelines.training.checks import Rejected, TargetRules

if TYPE_CHECKING:
    import torch
    from transformers import BatchFeature, PaliGemmaProcessor

    from docai.pipelines.synthesis import Split

PAIRS_FILE = "pairs.jsonl"

IGNORE = -100
"""Label of a position that is not predicted."""

_MAX_REDRAWS = 64
"""Tries to draw a target that is short enough."""


class Pair(NamedTuple):
    """A picture, of any size, and the answer that the head has to give."""

    image: Image.Image
    target: str


class Pairs(Protocol):
    """A data set of PyTorch: pairs by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pair: ...


@dataclass(frozen=True)
class DrawnPairs:
    """Pairs drawn by :mod:`docai.pipelines.synthesis`. Pair i depends only on these settings and i."""

    head: str
    seed: int
    difficulty: float
    count: int
    rules: TargetRules
    split: Split = "train"

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        """Pair ``index``; where its target is too long, the next one that is not.

        Raises:
            SettingError: all targets tried are too long.
        """
        from docai.pipelines.synthesis import samples

        drawn = samples(self.head, self.seed, start=index, difficulty=self.difficulty, split=self.split)
        for sample in islice(drawn, _MAX_REDRAWS):
            if self.rules.too_long(sample.target) is None:
                return Pair(sample.image, sample.target)
        raise SettingError(
            f"None of {_MAX_REDRAWS} drawn {self.head} targets has at most {self.rules.max_tokens} tokens; "
            "raise --max-tokens or lower --difficulty."
        )

    def check(self, count: int) -> list[Rejected]:
        """Those of the first ``count`` pairs whose targets cannot be used.

        Raises:
            MissingDependencyError: drawing needs a package that is not installed.
        """
        with needs("docai[synth]", "Drawing pairs", ", or give a folder of pairs"):
            from docai.pipelines.synthesis import samples

            drawn = islice(samples(self.head, self.seed, difficulty=self.difficulty, split=self.split), count)
            checks = [self.rules.check(f"drawn {i}", sample.target) for i, sample in enumerate(drawn)]
        return [rejected for rejected in checks if rejected is not None]


class Listed(Protocol):
    """A pair whose picture is read from a file when it is needed."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def path(self) -> Path:
        """The file with the picture."""

    @property
    def target(self) -> str: ...

    @property
    def content(self) -> str:
        """What the split is made by: equal for pairs that show the same content."""

    def draw(self, size: int, /) -> Pair:
        """The pair for crops of ``size`` x ``size`` pixels; its picture may have any size."""


class FilePair(NamedTuple):
    """A line of ``pairs.jsonl``."""

    path: Path
    target: str
    key: str | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def content(self) -> str:
        return self.key or self.target

    def draw(self, size: int) -> Pair:
        with Image.open(self.path) as image:
            return Pair(image.convert("RGB"), self.target)


@dataclass(frozen=True)
class ListedPairs:
    """Pairs with their pictures in files."""

    listed: Sequence[Listed]
    size: int
    """Side of the crops, pixels."""

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, index: int) -> Pair:
        return self.listed[index].draw(self.size)


def read_pairs(folder: Path) -> list[FilePair]:
    """The pairs that ``docai synth`` wrote to ``folder``: ``image``, ``target`` and ``key`` of each line.

    Raises:
        SettingError: the folder or its list is missing, or the list cannot be read.
    """
    path = folder / PAIRS_FILE
    if folder.is_file():
        raise SettingError(f"The data {folder} is a file; give its folder, or FORMAT:PATH.")
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
        key = entry.get("key")
        files.append(FilePair(folder / image, target, key if isinstance(key, str) else None))
    return files


def _bad_line(path: Path, number: int) -> str:
    return (
        f"Line {number} of {path} is not an object with the texts image and target; "
        "the folder may be half written: write it again, or remove the line."
    )


@dataclass(frozen=True)
class Collator:
    """Batches as PaliGemma 2 is trained on: image, prompt and newline, and the target as its suffix."""

    processor: PaliGemmaProcessor
    head: Head
    causal_prompt: bool = False
    """See :func:`docai.models.guards.make_prompt_causal`."""

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Arguments of the model's ``forward``. ``labels`` cover only the last ``logits_to_keep`` positions.

        Logits of the image tokens would take more memory than the model: 4,096 positions times 257,152
        tokens are 4 GB per crop.

        Raises:
            CheckpointError: the processor does not mark the suffix (see :func:`require_suffix_labels`).
        """
        inputs = encode_pairs(self.processor, self.head, pairs)
        if self.causal_prompt:
            # After the labels, which the token types of the processor mark.
            guards.make_prompt_causal(inputs, self.processor.image_token_id)
        labels: torch.Tensor = inputs.pop("labels")
        # One more than the longest suffix: the position before its first token predicts that token.
        keep = int((labels != IGNORE).sum(dim=1).max()) + 1
        return {**inputs, "labels": labels[:, -keep:], "logits_to_keep": keep}


def encode_pairs(processor: PaliGemmaProcessor, head: Head, pairs: Sequence[Pair]) -> BatchFeature:
    """A batch as the stock processor encodes it, padded on the left, and checked.

    Raises:
        CheckpointError: see :func:`require_suffix_labels`.
    """
    # As NumPy arrays, since the processor converts PyTorch tensors in a way that NumPy 2 warns about.
    inputs: BatchFeature = processor(
        images=[[square(pair.image, head.resolution)] for pair in pairs],
        text=[IMAGE_TOKEN + head.prompt for _ in pairs],
        suffix=[pair.target for pair in pairs],
        padding="longest",
        return_tensors="np",
    ).convert_to_tensors("pt")
    guards.require_token_types(inputs)
    require_suffix_labels(inputs)
    guards.require_ends_with_text(inputs["attention_mask"])
    return inputs


def require_suffix_labels(inputs: BatchFeature) -> None:
    """Raise unless exactly the suffix has labels and every row has one.

    A processor that labels the prompt trains the model to repeat it; one that labels nothing gives a loss
    of zero. Neither stops a training by itself.

    Raises:
        CheckpointError: labels differ from -100 elsewhere than where ``token_type_ids`` is 1.
    """
    has_label = inputs["labels"] != IGNORE
    if not bool((has_label == (inputs["token_type_ids"] == 1)).all()) or not bool(has_label.any(dim=1).all()):
        raise CheckpointError(
            "The base's processor does not label exactly the answer (labels are not -100 exactly where "
            "token_type_ids is 0), so the model would learn the wrong text; use the checkpoint's own "
            "PaliGemmaProcessor files."
        )


def square(image: Image.Image, size: int) -> Image.Image:
    """The image in RGB, padded with white to ``size`` x ``size``, its aspect ratio kept."""
    if image.size == (size, size):
        return image.convert("RGB")
    return ImageOps.pad(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC, color="white")
