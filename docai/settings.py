"""Settings of the command line, each with the place it came from.

A value is taken from the first of: what the caller gives (a call argument or a flag), the environment
(``DOCAI_MODEL``), the file ``docai.toml`` in the current folder (``model = "nano"``), the default. The
names are the same everywhere, and those of :class:`docai.options.Options` have the same values as in the
Python API. A limit is switched off with ``none``.

Nothing is read before :func:`load_settings` is called. The Python API takes its arguments as they are:
it reads neither the environment nor a file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from docai.environment import KEY_VARIABLE, TOKEN_VARIABLE
from docai.errors import SettingError
from docai.limits import FLAGS, Limits
from docai.options import (
    CHOICES,
    MODEL_CHOICES,
    Drawings,
    Dtype,
    Effort,
    ModelOptions,
    Options,
    Quantization,
    ReadBackSetting,
    Retry,
    TextLayer,
    Witnesses,
    in_words,
)

ENV_PREFIX = "DOCAI_"
SETTINGS_FILE = "docai.toml"

FLAG_NAMES = {**FLAGS, "adapters": "--adapter"}
"""Setting → its flag, where that is not its name."""

_WORDS = {
    "model": "an embedded model such as nano, a folder, a hub id such as organisation/name@revision, or a "
    "server, http://HOST:PORT#NAME",
    "device": "auto, cpu, cuda or cuda:<number>",
    **{name: in_words(values) for name, values in {**CHOICES, **MODEL_CHOICES}.items()},
    "batch": "a number from 1, or none for as many as there is memory for",
    "adapters": "HEAD=FOLDER for each head, such as table=runs/table; in docai.toml a table [adapters]",
    "download": "true or false",
}
_LIMIT_WORDS = "a number above 0, or none to switch the limit off"


class Settings(Limits, BaseSettings):
    """All settings, checked. Made by :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
    )

    model: str = Field(default="nano", min_length=1, description="Checkpoint that reads the regions.")
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="Where it runs.")
    dtype: Dtype = Field(
        default="auto", description="Number format of the weights; auto: bfloat16 on a CUDA device."
    )
    batch: int | None = Field(
        default=None, ge=1, description="Most answers written at a time; none: as memory allows."
    )
    adapters: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="LoRA adapters beside those of the model: HEAD=FOLDER, with commas between them.",
    )
    quantization: Quantization = Field(
        default="none", description="nf4: weights in 4 bits, on a CUDA device; not measured."
    )
    text_layer: TextLayer = Field(default="prefer", description="What a PDF's own words are used for.")
    drawings: Drawings = Field(
        default="prefer", description="What drawn molecules and scores of a PDF are used for."
    )
    witnesses: Witnesses = Field(
        default="auto", description="Whether second readers that are installed are asked as well."
    )
    effort: Effort = Field(default="auto", description="How many readers of pictures are asked.")
    readback: ReadBackSetting = Field(
        default="auto", description="Whether records are rendered again and compared with their crops."
    )
    retry: Retry = Field(
        default="off", description="Whether the model is asked again after an invalid, looping or cut answer."
    )
    download: bool = Field(default=False, description="Let the hub be asked for weights that are not here.")

    @field_validator(*Limits.model_fields, "batch", mode="before")
    @classmethod
    def _none_in_words(cls, value: object) -> object:
        """Neither the environment nor TOML can spell None."""
        return None if isinstance(value, str) and value.strip().lower() == "none" else value

    @field_validator("adapters", mode="before")
    @classmethod
    def _adapters_in_words(cls, value: object) -> object:
        """``HEAD=FOLDER``, which is how flags and the environment spell it, as a dictionary."""
        if isinstance(value, Mapping):
            return value
        if isinstance(value, str) and value.strip().lower() == "none":
            return {}
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)):
            return value
        pairs = [str(part).partition("=") for part in parts]
        if not all(head.strip() and folder.strip() for head, _, folder in pairs):
            raise ValueError("not HEAD=FOLDER")
        return {head.strip(): folder.strip() for head, _, folder in pairs}

    @property
    def model_options(self) -> ModelOptions:
        """How the model is run, by these settings."""
        return ModelOptions(
            dtype=self.dtype, batch=self.batch, adapters=self.adapters, quantization=self.quantization
        )

    @property
    def limits(self) -> Limits:
        """The limits among the settings."""
        return Limits.model_validate(self.model_dump(include=set(Limits.model_fields)))

    def options(self, heads: Collection[str] | None = None) -> Options:
        """How sources are read by these settings, with these heads; None is all.

        Raises:
            SettingError: ``heads`` is empty.
        """
        return Options(
            heads=heads,
            text_layer=self.text_layer,
            drawings=self.drawings,
            witnesses=self.witnesses,
            effort=self.effort,
            readback=self.readback,
            retry=self.retry,
            limits=self.limits,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # load_settings() has put the sources together, which it has to tell apart.
        return (init_settings,)


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, and for each name where its value came from, in words."""

    values: Settings
    origins: Mapping[str, str]


def load_settings(given: Mapping[str, Any] | None = None, *, as_flags: bool = False) -> LoadedSettings:
    """Read the environment and ``docai.toml``, under what the caller gives.

    Args:
        given: values by setting name; None means "not given".
        as_flags: name the values of ``given`` as flags (``--text-layer``) in origins and errors.

    Raises:
        SettingError: a value cannot be used, or ``docai.toml`` cannot be read; the message says where the
            value came from and which are allowed.
    """
    loaded, problems = check_settings(given, as_flags=as_flags)
    if problems:
        raise SettingError(next(iter(problems.values())))
    return loaded


def check_settings(
    given: Mapping[str, Any] | None = None, *, as_flags: bool = False
) -> tuple[LoadedSettings, dict[str, str]]:
    """The settings with defaults in place of what cannot be used, and what that is.

    Arguments are those of :func:`load_settings`. Never fails.

    Returns:
        The settings, and name → what is wrong with its value, in the words of :func:`load_settings`; a file
        that cannot be read has the name of the file.
    """
    arguments = {name: value for name, value in (given or {}).items() if value is not None}
    problems: dict[str, str] = {}
    from_env = EnvSettingsSource(Settings)()
    try:
        from_file = TomlConfigSettingsSource(Settings, Path(SETTINGS_FILE))()
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        from_file = {}
        problems[SETTINGS_FILE] = f"The settings file {_file()} cannot be read ({error}); mend or remove it."
    origins: dict[str, str] = {}
    for name in {*Settings.model_fields, *arguments, *from_file}:
        if name in arguments:
            flag = FLAG_NAMES.get(name, f"--{name.replace('_', '-')}")
            origins[name] = f"flag {flag}" if as_flags else f"argument {name}"
        elif name in from_env:
            origins[name] = f"environment {ENV_PREFIX}{name.upper()}"
        elif name in from_file:
            origins[name] = f"file {_file()}"
        else:
            origins[name] = "default"
    usable = {**from_file, **from_env, **arguments}
    while True:
        try:
            values = Settings(**usable)
            break
        except ValidationError as error:
            # With the first one gone, the next has its turn.
            name, problems[name] = _explain(error, origins)
            del usable[name]
            origins[name] = "default, see PROBLEM"
    known = {name: origins[name] for name in Settings.model_fields}
    return LoadedSettings(values, known), problems


def unknown_variables() -> list[str]:
    """Names in the environment that look like settings and are none; a typo should not pass unseen."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    known |= {KEY_VARIABLE, TOKEN_VARIABLE, "DOCAI_REAL_DATA", "DOCAI_WEIGHTS"}
    return sorted(
        name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    )


def _file() -> Path:
    return Path(SETTINGS_FILE).absolute()


def _explain(error: ValidationError, origins: Mapping[str, str]) -> tuple[str, str]:
    """The name of the first bad setting, and what is wrong with it."""
    problem = error.errors()[0]
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return name, f"There is no setting {name!r} ({origins[name]}); the settings are: {known}."
    allowed = _WORDS.get(name, _LIMIT_WORDS)
    return name, f"The setting {name} cannot be {problem['input']!r} ({origins[name]}); use {allowed}."


def describe_settings(loaded: LoadedSettings) -> list[tuple[str, str, str]]:
    """Rows of name, value and origin, in declaration order."""
    values: BaseModel = loaded.values
    return [(name, _shown(value), loaded.origins[name]) for name, value in values.model_dump().items()]


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{head}={folder}" for head, folder in value.items()) or "none"
    return "none" if value is None else str(value)
