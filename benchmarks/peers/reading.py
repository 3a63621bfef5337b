"""Predictions of each tool for each data set, stored so that a stopped run continues where it stopped."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from adapters import FOLDER, ROOT, Peer, input_of

from docai.pipelines.evaluation.base import Prediction
from docai.pipelines.evaluation.predictions import PredictionLog
from docai.pipelines.evaluation.running import Selection
from docai.records import Kind

_PRODUCT = ("docai", "models", "parsers", "pipelines")
_UNRELATED = ("evaluation", "synthesis", "training")
"""Parts of ``pipelines`` whose change does not change what is read."""


@dataclass(frozen=True)
class Reading:
    """What one tool gave for one data set, by the id of the sample; or why it was not asked."""

    peer: Peer
    version: str
    predictions: dict[str, Prediction]
    unavailable: str | None = None


@dataclass(frozen=True)
class Settings:
    """Equal for all tools of a run."""

    folder: Path
    """Where predictions are stored: ``<suite>/<tool>-<version>-<code>/predictions.jsonl``."""
    timeout: float
    """Seconds for one case."""
    threads: int
    """That a tool may use."""
    jobs: int
    """Tools that read at the same time, each one case at a time."""
    fresh: bool = False
    """Read everything again."""
    stop: Event = field(default_factory=Event)
    """Set where no further case is to be read."""


def read_all(peer: Peer, suite: str, kind: Kind, selection: Selection, settings: Settings) -> Reading:
    """Ask the tool for each sample that is not answered yet; its process lives as long as this call."""
    samples = [sample for sample in selection.samples if peer.takes(kind, input_of(sample))]
    with peer.start(timeout=settings.timeout, threads=settings.threads) as process:
        if process.unavailable is not None:
            return Reading(peer, "", {}, process.unavailable)
        folder = settings.folder / suite / _folder_name(peer, process.version)
        if settings.fresh:
            for name in ("predictions.jsonl", "run.json"):
                (folder / name).unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        how = {
            "tool": peer.name,
            "version": process.version,
            "timeout": str(settings.timeout),
            "threads": str(settings.threads),
        }
        with PredictionLog.open(folder, how, selection.ids) as log:
            finished = dict(log.finished)
            for sample in samples:
                if settings.stop.is_set():
                    break
                if sample.id not in finished:
                    finished[sample.id] = process.read(sample, kind)
                    log.append(finished[sample.id])
        asked = {sample.id for sample in samples}
        return Reading(peer, process.version, {name: finished[name] for name in finished if name in asked})


def _folder_name(peer: Peer, version: str) -> str:
    return re.sub(r"[^\w.+-]", "_", f"{peer.name}-{version}-{_code(peer.name == 'docai')}")


def _code(with_product: bool) -> str:
    """A digest of the code that a prediction depends on."""
    files = [FOLDER / name for name in (("own.py", "worker.py") if with_product else ("tools.py", "grid.py"))]
    if with_product:
        files += [
            path for name in _PRODUCT for path in sorted((ROOT / name).rglob("*")) if _is_relevant(path)
        ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def _is_relevant(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    is_read = not (parts[0] == "pipelines" and parts[1] in _UNRELATED)
    return is_read and path.suffix in (".py", ".json", ".safetensors")


def seconds(predictions: Sequence[Prediction]) -> float | None:
    """Mean of the known times."""
    values = [prediction.seconds for prediction in predictions if prediction.seconds is not None]
    return sum(values) / len(values) if values else None
