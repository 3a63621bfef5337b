"""What a request asks for: a document, how it is read, and in which formats its result is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from docai.errors import SettingError
from docai.exports import FORMATS, format_named
from docai.limits import FLAGS, Limits
from docai.options import Drawings, Effort, Options, ReadBackSetting, Retry, TextLayer, Witnesses

JSON: Final = ".json"

ZIP: Final = "application/zip"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    JSON: "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".molecules.csv": "text/csv; charset=utf-8; header=present",
    ".jsonl": "application/x-ndjson",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
    ".sdf": "chemical/x-mdl-sdfile",
    ".musicxml": "application/vnd.recordare.musicxml+xml",
    ".mid": "audio/midi",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
}
"""Of formats by extension; one that is not here has that of its kind, see :func:`media_type`."""


def _words(value: object) -> object:
    """A list with commas, as in a form, as a list."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


Words = Annotated[list[str], BeforeValidator(_words)]


class Asked(BaseModel):
    """Fields of a form or of a JSON object, with the names and values that they have in Python.

    Those that are not given are the service's own. Limits can be lowered, not raised.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: Words | None = Field(
        default=None,
        description=f"Formats of the result: {', '.join(one.removeprefix('.') for one in FORMATS)}. Several "
        "are sent as a ZIP file.",
    )
    pages: str | None = Field(default=None, description="Pages to read, such as `1-3,7`. Default: all.")
    password: str | None = Field(default=None, repr=False, description="Opens an encrypted PDF.")
    heads: Words | None = Field(default=None, description="Heads to use, such as `table,text`. Default: all.")
    text_layer: TextLayer | None = None
    drawings: Drawings | None = None
    witnesses: Witnesses | None = None
    effort: Effort | None = None
    readback: ReadBackSetting | None = None
    retry: Retry | None = None
    max_bytes: int | None = None
    max_pages: int | None = None
    max_pixels: int | None = None
    max_seconds_per_page: float | None = None
    max_seconds_per_step: float | None = None
    max_memory: int | None = None
    max_tokens_per_region: int | None = None
    max_regions_per_page: int | None = None

    def options(self, own: Options) -> Options:
        """How the document is read, where ``own`` are the options of the service.

        Raises:
            SettingError: a value cannot be used, or a limit is above that of the service.
        """
        given = self.model_dump(include=set(OPTIONS), exclude_none=True)
        return replace(own, **given, limits=self._limits(own.limits))

    def _limits(self, own: Limits) -> Limits:
        given = self.model_dump(include=set(FLAGS), exclude_none=True)
        for name, value in given.items():
            most = getattr(own, name)
            if most is not None and value > most:
                raise SettingError(f"{name} is {value:g}; this service allows {most:g} at most.")
        return Limits(**{**own.model_dump(), **given})

    def suffixes(self) -> list[str]:
        """Extensions of the formats in ``to``, each once; none where it is not given.

        Raises:
            SettingError: there is no such format.
        """
        return list(dict.fromkeys(format_named(name).suffix for name in self.to or ()))


OPTIONS: Final = ("heads", "text_layer", "drawings", "witnesses", "effort", "readback", "retry")


class AskedByPath(Asked):
    """As JSON: a document in one of the folders that the service may read."""

    path: str = Field(description="Of the document, absolute or relative to a folder of `--root`.")


class AskedByUpload(Asked):
    """As a form of the type `multipart/form-data`."""

    file: bytes = Field(description="The document.", json_schema_extra={"format": "binary"})


class JobStatus(BaseModel):
    """How far a job is."""

    id: str
    name: str = Field(description="Of the document.")
    state: str = Field(description="`queued`, `running`, `done`, `partial`, `failed` or `cancelled`.")
    n_pages: int | None = Field(description="Pages to read; null until the document is open.")
    n_read: int = Field(description="Pages that were read, or given up.")
    n_records: int
    created: float = Field(description="Seconds since 1970, as `started` and `ended`.")
    started: float | None
    ended: float | None
    error: Problem | None = Field(description="Why it failed.")
    links: dict[str, str] = Field(
        description="Addresses: `self`, `events`, and of a result `result`, `view`."
    )


class Problem(BaseModel):
    """Why a request or a job failed."""

    code: str = Field(description="The type of the error, such as `PasswordRequiredError`.")
    message: str = Field(description="What happened and what to do, in words.")


class ProblemAnswer(BaseModel):
    """What is sent in place of a result."""

    error: Problem


def media_type(suffix: str) -> str:
    """The type of a format for ``Content-Type``."""
    if suffix in MEDIA_TYPES:
        return MEDIA_TYPES[suffix]
    if suffix.endswith(".xml"):
        return "application/xml"
    if suffix.endswith(".json"):
        return "application/json"
    return "text/plain; charset=utf-8" if FORMATS[suffix].is_text else "application/octet-stream"


def choose_formats(to: Sequence[str], accept: str | None) -> tuple[list[str], bool]:
    """Extensions of the formats to send, and whether as a ZIP file.

    Args:
        to: extensions that were named; they win.
        accept: the header ``Accept``; of several types with the same weight the first that docai writes.

    Returns:
        No extension where docai writes none of the types.
    """
    types = [kind for kind, _ in _accepted(accept)]
    if to:
        return list(to), len(to) > 1 or types == [ZIP]
    for kind in types or ["*/*"]:
        if kind in ("*/*", "application/*"):
            return [JSON], False
        if kind == ZIP:
            return [JSON], True
        for suffix in FORMATS:
            if media_type(suffix).partition(";")[0] == kind:
                return [suffix], False
        if kind == "text/*":
            return [".md"], False
    return [], False


def _accepted(accept: str | None) -> list[tuple[str, float]]:
    """Media types with their weights, the heaviest first."""
    found: list[tuple[str, float]] = []
    for part in (accept or "").split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if kind and weight > 0:
            found.append((kind, weight))
    return sorted(found, key=lambda one: -one[1])


JobStatus.model_rebuild()
