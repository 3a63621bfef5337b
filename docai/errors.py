"""Every error docai raises on purpose, in one tree.

    DocaiError
    ├── InputError                      the source cannot be read
    │   ├── SourceNotFoundError
    │   ├── EmptySourceError
    │   ├── NotADocumentError           no known file signature
    │   ├── UnsupportedTypeError        a known type that docai does not read
    │   ├── DamagedSourceError          truncated or broken beyond repair
    │   ├── EncryptedSourceError
    │   │   ├── PasswordRequiredError
    │   │   └── WrongPasswordError
    │   ├── PageNotFoundError
    │   ├── SourceChangedError          it was written to while it was read
    │   └── LimitError                  the source is larger, or harder to read, than the limits allow
    │       ├── TooManyBytesError
    │       ├── TooManyPagesError
    │       ├── TooManyPixelsError
    │       ├── TooMuchTimeError
    │       └── TooMuchMemoryError
    ├── ConfigurationError              the call, a setting or the installation is wrong
    │   ├── UnknownHeadError
    │   ├── UnknownModelError
    │   ├── HeadNotAvailableError       the chosen base has no weights for a head
    │   ├── SettingError
    │   ├── DeviceError
    │   ├── DatasetError                a data set to train on or measure by cannot be used
    │   ├── PredictionsError            a file of predictions, or a report of an evaluation
    │   ├── RunFolderError              the folder of a batch run cannot be used
    │   │   └── DamagedRunError
    │   └── MissingDependencyError      an optional package is needed and absent
    ├── ModelError                      a checkpoint or an answer is unusable
    │   ├── CheckpointError
    │   ├── AdapterError
    │   ├── GenerationError
    │   └── ServerError                 a model server is down, or does not answer as one
    │       └── ModelLostError          a model that answered before cannot be reached any more
    ├── ExportError                     a record cannot be written in a format
    │   └── NothingToExportError        the document has nothing that the format holds
    ├── OutputError                     a result cannot be written to the disk
    ├── NotAResultError                 a text is not JSON that docai wrote
    ├── CorrectionsError                corrections of a person cannot be read, or do not fit the result
    └── StoppedElsewhereError           another process of the same training stopped, and says why

Each message is one sentence (or two) that says what happened, to which input, and what to do.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class DocaiError(Exception):
    """Root of the tree: ``except docai.DocaiError`` catches everything docai raises on purpose."""


class InputError(DocaiError):
    """A source cannot be read. ``source`` is its name as it appears in messages."""

    def __init__(self, message: str, *, source: str) -> None:
        super().__init__(message)
        self.source = source

    def __reduce__(self) -> tuple[object, ...]:
        # From a child process: an exception is made again from its positional arguments alone.
        return functools.partial(type(self), source=self.source), self.args, self.__dict__


class SourceNotFoundError(InputError):
    """The path does not exist, or is not a file."""


class EmptySourceError(InputError):
    """The source has no bytes, or no pages."""


class NotADocumentError(InputError):
    """The bytes carry no signature of a document or image type."""


class UnsupportedTypeError(InputError):
    """The type is known, and docai does not read it."""


class DamagedSourceError(InputError):
    """The source is truncated or broken so that nothing can be read from it."""


class EncryptedSourceError(InputError):
    """The source is encrypted and was not opened."""


class PasswordRequiredError(EncryptedSourceError):
    """The source is encrypted and no password was given."""


class WrongPasswordError(EncryptedSourceError):
    """The source is encrypted and the given password does not open it."""


class PageNotFoundError(InputError):
    """A page was asked for that the source does not have."""


class SourceChangedError(InputError):
    """The file was written to while it was read."""


class LimitError(InputError):
    """The source is larger, or harder to read, than :class:`docai.Limits` allows."""


class TooManyBytesError(LimitError):
    """The file is larger than ``Limits.max_bytes``."""


class TooManyPagesError(LimitError):
    """More pages are to be read than ``Limits.max_pages``."""


class TooManyPixelsError(LimitError):
    """An image declares more pixels than ``Limits.max_pixels``; found before decoding."""


class TooMuchTimeError(LimitError):
    """A step took longer than ``Limits.max_seconds_per_step`` or ``Limits.max_seconds_per_page``."""


class TooMuchMemoryError(LimitError):
    """A step needed more than ``Limits.max_memory``."""


class ConfigurationError(DocaiError):
    """The call, a setting or the installation is wrong."""


class UnknownHeadError(ConfigurationError):
    """No head of that name is registered."""


class UnknownModelError(ConfigurationError):
    """The model is neither an embedded one, a local folder, nor a hub id that is present."""


class HeadNotAvailableError(ConfigurationError):
    """The chosen base carries no weights for the head."""


class SettingError(ConfigurationError):
    """A setting has a value that cannot be used."""


class DeviceError(ConfigurationError):
    """The device is unknown or not present on this machine."""


class DatasetError(ConfigurationError):
    """A data set, for training or evaluation, is missing, empty, mixed or of another layout."""


class PredictionsError(ConfigurationError):
    """A file of predictions, or the report of an evaluation, cannot be used."""


class RunFolderError(ConfigurationError):
    """The folder of a batch run is in use, holds other files, or was made by another docai or otherwise."""


class DamagedRunError(RunFolderError):
    """The manifest of a batch run cannot be read any more; ``--resume`` makes it anew."""


class MissingDependencyError(ConfigurationError):
    """An optional package is needed for this call and is not installed."""


@contextmanager
def needs(distribution: str, what: str, more: str = "") -> Iterator[None]:
    """Around the import of an optional package: what it is for, and how to install it where it is absent.

    >>> with needs("docai[metrics]", "TEDS"):
    ...     import apted

    ``more`` ends the sentence, such as ``", or give --data"``.

    Raises:
        MissingDependencyError: a package that is imported inside is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{what} needs the package {error.name}: pip install '{distribution}'{more}."
        ) from None


class ModelError(DocaiError):
    """A checkpoint or an answer of a model is unusable."""


class CheckpointError(ModelError):
    """A checkpoint folder is incomplete, damaged, or not a PaliGemma 2."""


class AdapterError(ModelError):
    """A LoRA adapter does not fit the base it was loaded into."""


class GenerationError(ModelError):
    """The engine could not produce an answer."""


class ServerError(ModelError):
    """A model server cannot be reached, or what it answers cannot be used."""


class ModelLostError(ServerError):
    """A model that answered before, on a server or on a cluster, cannot be reached any more."""


SETUP_ERRORS = (ConfigurationError, CheckpointError, AdapterError, ServerError)
"""Those that are no fault of an input: any other would fail as well. Of a server, where it is first asked."""


class OutputError(DocaiError):
    """A result cannot be written where it is to go."""


class ExportError(DocaiError):
    """A record, or what it holds, cannot be written in the format asked for."""


class NothingToExportError(ExportError):
    """The document has no record of the kinds that the format holds, such as no score for MIDI."""


class NotAResultError(DocaiError, ValueError):
    """A text is not the JSON of a document as this version of docai reads it. It is a ``ValueError``, too."""


class CorrectionsError(DocaiError, ValueError):
    """Corrections of a person cannot be read, or do not fit the result."""


class StoppedElsewhereError(DocaiError):
    """Another process of the same training stopped. Its own error says why; this one is not worth showing."""
