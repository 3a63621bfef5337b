"""Bounds that keep one bad document from taking the machine down. On by default, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from docai.errors import SettingError

FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_bytes": "--max-bytes",
        "max_pages": "--max-pages",
        "max_pixels": "--max-pixels",
        "max_seconds_per_page": "--seconds-per-page",
        "max_seconds_per_step": "--seconds-per-step",
        "max_memory": "--max-memory",
        "max_tokens_per_region": "--max-tokens",
        "max_regions_per_page": "--max-regions",
    }
)
"""Limit → its option of ``docai process``."""


def raise_limit(name: str) -> str:
    """How a limit is raised, in the words that end an error message."""
    return f"raise Limits({name}=...), which is {FLAGS[name]} on the command line"


class Limits(BaseModel):
    """Limits of one run. Raise one with ``Limits(max_pages=10_000)``; ``None`` switches it off.

    Raises:
        SettingError: a limit is not above 0, or there is no limit of that name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int | None = Field(default=1 << 30, gt=0, description="Bytes of the source file.")
    max_pages: int | None = Field(
        default=2_000, gt=0, description="Pages read from one source, after `pages` has selected."
    )
    max_pixels: int | None = Field(
        default=100_000_000, gt=0, description="Pixels of one image, checked before it is decoded."
    )
    max_seconds_per_page: float | None = Field(
        default=600.0, gt=0, description="Seconds after which the rest of a page is left unread."
    )
    max_seconds_per_step: float | None = Field(
        default=120.0,
        gt=0,
        description="Seconds after which a PDF that is being opened, or a step on a page of it, such as "
        "drawing it or finding its regions, is given up.",
    )
    max_memory: int | None = Field(
        default=4 << 30,
        gt=0,
        description="Bytes of memory (address space) of the process that reads a PDF; Linux only.",
    )
    max_tokens_per_region: int | None = Field(
        default=4_096, gt=0, description="Tokens a head may write for one region."
    )
    max_regions_per_page: int | None = Field(
        default=500,
        gt=0,
        description="Regions of one page put to the model; the rest are kept unread, as errors.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Says what is wrong in docai's words. Settings, which inherit this, have words of their own."""
        if cls is not Limits:
            return validate(values)
        try:
            return validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else "?"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(Limits.model_fields)
            raise SettingError(f"There is no limit {name!r}; the limits are: {known}.")
        raise SettingError(
            f"The limit {name} cannot be {problem['input']!r}; use a number above 0, or None to "
            "switch the limit off."
        )
