"""Bounds that keep one bad document from taking the machine down. On by default, frozen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Limits of one run. Raise one with ``Limits(max_pages=10_000)``; ``None`` switches it off."""

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
