"""Answers on disk: ``predictions.jsonl`` of a run that can be resumed, and answers matched to samples.

``predictions.jsonl`` has one :class:`Prediction` a line, in UTF-8. ``run.json`` beside it holds the settings
that its answers were made with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, NamedTuple

from pydantic import ValidationError

from docai.errors import PredictionsError, SettingError
from docai.pipelines.evaluation.base import Prediction
from docai.records import Kind

PREDICTIONS_NAME = "predictions.jsonl"
RUN_NAME = "run.json"

_PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_SUFFIXES = frozenset(
    (*_PICTURES, ".html", ".json", ".kern", ".krn", ".mol", ".pdf", ".sdf", ".smi", ".txt", ".xml")
)
"""Ends of file names that may differ between a sample and its prediction."""
_SHOWN = 3

Key = Callable[[str], str]


class Given(NamedTuple):
    """One prediction of a file."""

    prediction: Prediction
    where: str
    """Such as ``line 3``, for messages."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The predictions of a file that belong to samples."""

    by_id: Mapping[str, Prediction]
    """By the id of the sample, which each of them has now."""
    unknown: tuple[str, ...]
    """Ids that are those of no case of the data set."""
    n_not_chosen: int
    """Predictions for cases of the data set that are not evaluated here."""


def parse_line(line: bytes | str, where: str) -> Prediction:
    """One line of ``predictions.jsonl``.

    Raises:
        PredictionsError: it is not one; the message says where.
    """
    try:
        return Prediction.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PredictionsError(
            f"{where} is no prediction ({f'{field}: ' if field else ''}{first['msg']}): mend or remove it."
        ) from None


def match(given: Iterable[Given], samples: Collection[str], known: Collection[str], name: str) -> Matched:
    """Predictions by the samples that they belong to.

    An id fits a case that has the same id; else the only one that has it but for the end of a file name
    (``a/1.krn`` and ``a/1.png``); else the only one whose file has the same stem (``1`` and ``a/1.png``).

    Args:
        samples: ids of what is evaluated.
        known: ids of all cases of the data set, those included.
        name: of the file, for messages.

    Raises:
        PredictionsError: two predictions are of one case, one fits several cases, or none fits any.
    """
    levels = [_index(known, key) for key in (str, _without_suffix, _stem)]
    chosen = frozenset(samples)
    by_id: dict[str, Prediction] = {}
    places: dict[str, Given] = {}
    unknown: list[str] = []
    for entry in given:
        identifier = _find(entry, levels, name)
        key = entry.prediction.id if identifier is None else identifier
        if key in places:
            raise PredictionsError(
                f"{name} has two predictions of {key!r}: {_place(places[key])} and {_place(entry)}. "
                "Remove one of them."
            )
        places[key] = entry
        if identifier is None:
            unknown.append(entry.prediction.id)
        elif identifier in chosen:
            by_id[identifier] = entry.prediction.model_copy(update={"id": identifier})
    if not places:
        raise PredictionsError(f"{name} has no predictions.")
    if len(unknown) == len(places):
        raise PredictionsError(
            f"None of the {len(unknown)} predictions of {name} is of a case of the data set: they are of "
            f"{some(unknown)}, and the data set has {some(sorted(known)[:_SHOWN])}."
        )
    if not by_id:
        raise PredictionsError(
            f"None of the {len(places)} predictions of {name} is of a sample that is evaluated: they are of "
            "cases that the limit left out or that were skipped."
        )
    return Matched(by_id, tuple(unknown), len(places) - len(unknown) - len(by_id))


def keep_kinds(prediction: Prediction, kinds: Sequence[Kind]) -> Prediction:
    """Without the items of other kinds."""
    items = [item for item in prediction.items if item.kind in kinds]
    return prediction.model_copy(update={"items": items})


def some(names: Sequence[str]) -> str:
    """The first few names, for a message."""
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{shown}, …" if len(names) > _SHOWN else shown


class PredictionLog:
    """``predictions.jsonl`` of a run: what is finished, and each further prediction as it comes.

    with PredictionLog.open(folder, settings, ids) as log:
        log.finished, log.append(prediction)
    """

    def __init__(self, path: Path | None, finished: Mapping[str, Prediction], dropped: bool) -> None:
        """``path`` None writes nothing."""
        self.finished = finished
        """By id, from the runs before."""
        self.dropped = dropped
        """Whether a last line was found half written, and cut off."""
        self._file: BinaryIO | None = None if path is None else path.open("ab")

    @classmethod
    def open(
        cls, folder: Path | None, settings: Mapping[str, str], samples: Collection[str]
    ) -> PredictionLog:
        """The predictions of the run in a folder, which has to have been made with the same settings.

        Raises:
            SettingError: the folder holds a run with other settings, or on other samples.
            PredictionsError: what is there is damaged.
        """
        if folder is None:
            return cls(None, {}, False)
        path = folder / PREDICTIONS_NAME
        _agree(folder, path, settings)
        finished, n_bytes = _read_finished(path)
        if others := sorted(finished.keys() - set(samples)):
            raise SettingError(
                f"{path} has answers to {len(others)} samples that the data set does not have "
                f"({some(others)}): it has changed since. {_afresh(folder)}"
            )
        dropped = path.exists() and path.stat().st_size > n_bytes
        if dropped:
            os.truncate(path, n_bytes)
        return cls(path, finished, dropped)

    def append(self, prediction: Prediction) -> None:
        """Write one prediction, at once: what is written survives the process."""
        if self._file is not None:
            self._file.write(_line(prediction))
            self._file.flush()

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def write_predictions(folder: Path, settings: Mapping[str, str], predictions: Iterable[Prediction]) -> None:
    """Another reader's answers as ``predictions.jsonl``.

    Raises:
        SettingError: the folder holds a run with other settings.
    """
    path = folder / PREDICTIONS_NAME
    _agree(folder, path, settings)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        for prediction in predictions:
            file.write(_line(prediction))
    part.replace(path)


def _line(prediction: Prediction) -> bytes:
    return prediction.model_dump_json().encode("utf-8") + b"\n"


def _agree(folder: Path, predictions: Path, settings: Mapping[str, str]) -> None:
    """Raise unless the folder holds nothing of another run; note the settings where it holds none."""
    file = folder / RUN_NAME
    is_begun = predictions.exists() and predictions.stat().st_size > 0
    if not is_begun or not file.exists():
        if is_begun:
            raise SettingError(
                f"{predictions} is there, but no {RUN_NAME} that says how it was made. Score it with "
                "--predictions and another folder, or choose another folder for this run."
            )
        file.write_text(json.dumps(dict(settings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    try:
        run_settings = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"{file} cannot be read ({error}). {_afresh(folder)}") from None
    if not isinstance(run_settings, dict):
        raise SettingError(f"{file} does not hold the settings of a run. {_afresh(folder)}")
    differing = [
        key for key in dict.fromkeys((*run_settings, *settings)) if run_settings.get(key) != settings.get(key)
    ]
    if differing:
        was = "; ".join(
            f"{key} was {run_settings.get(key, 'not set')} and is {settings.get(key, 'not set')}"
            for key in differing
        )
        raise SettingError(f"{folder} holds a run with other settings: {was}. {_afresh(folder)}")


def _afresh(folder: Path) -> str:
    return f"To start afresh, remove {folder} or give another folder; to go on, use the settings that it has."


def _read_finished(path: Path) -> tuple[dict[str, Prediction], int]:
    """The finished predictions, and the bytes up to the end of the last whole line."""
    finished: dict[str, Prediction] = {}
    n_bytes = 0
    if not path.exists():
        return finished, n_bytes
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            n_bytes += len(line)
            prediction = parse_line(line, f"Line {number} of {path}")
            if prediction.id in finished:
                raise PredictionsError(
                    f"Line {number} of {path} is the second of {prediction.id!r}: remove one."
                )
            finished[prediction.id] = prediction
    return finished, n_bytes


def _index(identifiers: Iterable[str], key: Key) -> tuple[Key, dict[str, list[str]]]:
    index: dict[str, list[str]] = {}
    for identifier in identifiers:
        index.setdefault(key(identifier), []).append(identifier)
    return key, index


def _find(entry: Given, levels: Iterable[tuple[Key, Mapping[str, list[str]]]], name: str) -> str | None:
    for key, index in levels:
        ids = index.get(key(entry.prediction.id), [])
        if len(ids) > 1:
            raise PredictionsError(
                f"The prediction of {entry.prediction.id!r} in {name} ({entry.where}) fits {len(ids)} cases "
                f"of the data set: {some(ids)}. Give the ids in full."
            )
        if ids:
            return ids[0]
    return None


def _place(entry: Given) -> str:
    return f"{entry.where} ({entry.prediction.id!r})"


def _without_suffix(identifier: str) -> str:
    path = PurePosixPath(identifier.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in _SUFFIXES else str(path)


def _stem(identifier: str) -> str:
    return PurePosixPath(_without_suffix(identifier)).name
