"""How a source is read, and how the model is run: one frozen value each, for the API, the command line, the
settings and evaluation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from docai.errors import SettingError
from docai.limits import Limits

TextLayer = Literal["prefer", "verify", "ignore"]
"""What a PDF's own words are used for."""

Drawings = Literal["prefer", "verify", "ignore"]
"""What the strokes and glyphs of a born-digital molecule or score are used for."""

Witnesses = Literal["auto", "off"]
"""Whether second readers that are installed are asked as well."""

Effort = Literal["fast", "auto", "best"]
"""How many readers of pictures are asked about one region."""

ReadBackSetting = Literal["auto", "off"]
"""Whether records are rendered again and compared with their crops."""

Retry = Literal["auto", "off"]
"""Whether the model is asked again where its answer is invalid, looping or cut."""

Dtype = Literal["auto", "float32", "bfloat16"]
"""Number format of the weights."""

Quantization = Literal["none", "nf4"]
"""How the decoder's weights are stored."""

CHOICES: Final = {
    "text_layer": get_args(TextLayer),
    "drawings": get_args(Drawings),
    "witnesses": get_args(Witnesses),
    "effort": get_args(Effort),
    "readback": get_args(ReadBackSetting),
    "retry": get_args(Retry),
}
"""Option → its values."""


MODEL_CHOICES: Final = {"dtype": get_args(Dtype), "quantization": get_args(Quantization)}
"""Option of the model → its values."""


def in_words(values: Collection[str], *, quoted: bool = False) -> str:
    """Values as a person lists them: ``prefer, verify or ignore``."""
    *first, last = (repr(value) if quoted else value for value in values)
    return f"{', '.join(first)} or {last}" if first else last


@dataclass(frozen=True, kw_only=True)
class Options:
    """How pages are read. Every option has the same name and values wherever it can be given.

    Raises:
        SettingError: an option has a value that it cannot have; ``heads`` is a string, empty, or no names.
    """

    heads: Collection[str] | None = None
    """Names of the heads to use, kept as a frozen set; None is all. Regions of other kinds are counted and
    left out."""
    text_layer: TextLayer = "prefer"
    """``prefer`` takes text from the PDF's own words where they can be believed, and asks no model for it,
    nor for a table whose grid the page itself makes sure; ``verify`` lets the model read too and reports
    where they differ; ``ignore`` does not use them."""
    drawings: Drawings = "prefer"
    """``prefer`` reads molecules and scores of born-digital pages from what the page draws, and asks nobody
    else where that is sound; ``verify`` asks the model and the second readers, too, and reports where they
    differ; ``ignore`` reads them as pictures only."""
    witnesses: Witnesses = "auto"
    """``auto`` also asks the second readers that are installed beside docai: Imago and OSRA for molecules,
    PP-OCR and Tesseract for text and tables without a text layer, see
    :mod:`docai.pipelines.evidence.arbiter`. ``off`` asks none of them; the table finder, which reads what
    the PDF itself holds, is still asked."""
    effort: Effort = "auto"
    """How many readers are asked about a region that is a picture. ``fast``: one after the other until one
    reads something, and the model only where none does. ``auto``: until what they read is likely enough to be
    right, and the model unless what they read is likelier right than the model was measured to be. ``best``:
    all, and the model."""
    readback: ReadBackSetting = "auto"
    """``auto`` renders each record that was read again, compares it with its crop, and lets that count in the
    confidence, see :mod:`docai.pipelines.readback.compare`. ``off`` does not."""
    retry: Retry = "off"
    """``auto`` asks the model again, in other ways, where its answer is invalid, looping or cut, see
    :mod:`docai.pipelines.retry`. ``off`` asks once."""
    limits: Limits = field(default_factory=Limits)
    """Bounds on size and time."""

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise SettingError(f"{name} is {value!r}; it has to be {in_words(allowed, quoted=True)}.")
        if not isinstance(self.limits, Limits):
            raise SettingError(f"limits is {self.limits!r}; give docai.Limits(max_pages=...) or the like.")
        if self.heads is None:
            return
        if isinstance(self.heads, str):
            raise SettingError(f"heads is the string {self.heads!r}; give a list such as [{self.heads!r}].")
        try:
            heads: list[object] = list(self.heads)
        except TypeError:
            heads = [self.heads]
        if not all(isinstance(name, str) for name in heads):
            raise SettingError(f"heads is {self.heads!r}; give a list of names such as ['table', 'text'].")
        if not heads:
            raise SettingError("heads is empty, so nothing would be read; leave it out to use all heads.")
        object.__setattr__(self, "heads", frozenset(heads))


MODEL_ALONE: Final = Options(drawings="ignore", witnesses="off", readback="off")
"""What measures a model: no program reads beside it and nothing is rendered again."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model that runs here is run. A model server has its own ways, and takes none of these.

    Raises:
        SettingError: an option has a value that it cannot have.
    """

    dtype: Dtype = "auto"
    """Number format of the weights. ``auto`` is bfloat16 on a CUDA device that has it, otherwise float32."""
    batch: int | None = None
    """Most answers that are written at a time. None: as many as there is memory for, on a CPU 8."""
    adapters: Mapping[str, str | Path] = field(default_factory=dict)
    """Head → folder of a LoRA adapter that was trained on the model, beside those that the model has."""
    quantization: Quantization = "none"
    """``nf4`` stores the decoder's weights in 4 bits, on a CUDA device. What that costs is not measured."""

    def __post_init__(self) -> None:
        for name, allowed in MODEL_CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise SettingError(f"{name} is {value!r}; it has to be {in_words(allowed, quoted=True)}.")
        batch: object = self.batch
        if batch is not None and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 1):
            raise SettingError(f"batch is {batch!r}; give a number from 1, or leave it out.")
        adapters: object = self.adapters
        if not isinstance(adapters, Mapping) or not all(
            isinstance(head, str) and head and isinstance(folder, str | Path) and str(folder)
            for head, folder in adapters.items()
        ):
            raise SettingError(
                f"adapters is {adapters!r}; give the folder of each head, such as {{'table': 'runs/table'}}."
            )
        # A copy, so that nobody changes it.
        object.__setattr__(self, "adapters", dict(adapters))

    def changed(self) -> list[str]:
        """Names of the options that are not at their default."""
        return [name for name, value in vars(self).items() if value != getattr(ModelOptions(), name)]
