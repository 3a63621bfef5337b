"""A pack: a folder with all that a session needs on a machine without docai, network and renderers.

PACK/docai/        source of the package
PACK/fonts/        the font faces, reduced to the letters that are drawn
PACK/run/          the state to resume from, where there is one: only the weights, in bf16
PACK/molecules.npz, scores.npz, held-out.npz
PACK/pack.json     version, and the bytes of each part
"""

from __future__ import annotations

import io
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from docai._version import __version__
from docai.errors import DatasetError, SettingError
from docai.pipelines.training.nano.feed import RendererSource, Source, pack_samples
from docai.pipelines.training.nano.model import LETTERS
from docai.pipelines.training.nano.molecules import Molecules, describe
from docai.pipelines.training.nano.scores import Scores, draw_engraving

LAYOUT_VERSION = 1
MANIFEST = "pack.json"
_CHUNK_SIZES = {"molecules.npz": 200, "scores.npz": 25}
"""Drawings that one process makes at once, from the easiest to the hardest."""
_SIZE_SHARES = {"molecules.npz": 0.45, "scores.npz": 0.55}
"""Shares of the size that the other parts leave."""
_MAX_COUNTS = {"molecules.npz": 150_000, "scores.npz": 20_000}
"""Most drawings of each part: a session does not use more."""
T = TypeVar("T")


@dataclass(frozen=True)
class PackSettings:
    """Limits of a pack."""

    megabytes: float = 40.0
    """Largest size, MiB."""
    minutes: float = 60.0
    """Time for drawing. Where it is too short the pack is smaller."""
    seed: int = 1
    workers: int = 1
    """Processes that draw."""
    n_held_out: int = 6
    """Held-out pairs per head."""


def write_pack(
    folder: Path,
    run: Path | None,
    settings: PackSettings,
    report: Callable[[str], None],
    *,
    source: Source | None = None,
) -> dict[str, int]:
    """Write a pack, or update the one in ``folder``; returns the bytes of each part.

    In an existing pack only source and state are replaced: the drawings, which take long, are kept.

    Args:
        folder: of the pack.
        run: folder of the run to resume; None, or a run without a state, starts a new training.
        settings: limits of the pack.
        report: gets lines of progress, for people.
        source: draws the held-out pairs; None for the renderers of this machine.

    Raises:
        SettingError: ``megabytes`` are too few, or ``folder`` is not a pack.
        CheckpointError: the run's state is damaged.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise SettingError(f"{folder} holds something else than a pack; give --pack another folder.")
    room = round(settings.megabytes * 2**20)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps({"layout": LAYOUT_VERSION, "complete": False}) + "\n")
    _copy_source(folder / "docai")
    shutil.rmtree(folder / "run", ignore_errors=True)
    if run is not None:
        _copy_state(run, folder / "run")
    if not (folder / "fonts").is_dir():
        _copy_fonts(folder / "fonts")
    if not (folder / "held-out.npz").is_file():
        source = source or RendererSource()
        held_out = {
            head: source.held_out(head, settings.seed, settings.n_held_out) for head in source.heads()
        }
        arrays: Any = pack_samples(held_out)
        np.savez(folder / "held-out.npz", **arrays)
    drawn = {name for name in _SIZE_SHARES if (folder / name).is_file()}
    left = room - sum(size for part, size in sizes(folder).items() if part not in drawn)
    ends = time.monotonic() + 60 * settings.minutes
    missing = {name: share for name, share in _SIZE_SHARES.items() if name not in drawn}
    left -= sum((folder / name).stat().st_size for name in drawn)
    if left < 200_000 * bool(missing):
        raise SettingError(_too_large(folder, room))
    with _executor(settings.workers) as pool:
        for name, share in missing.items():
            budget = round(left * share / sum(missing.values()))
            part_ends = time.monotonic() + (ends - time.monotonic()) * (0.5 if len(missing) > 1 else 1.0)
            count = _draw_part(folder / name, budget, part_ends, settings, pool, report)
            report(f"{name}: {count} drawings, {(folder / name).stat().st_size / 2**20:.1f} MiB")
    parts = sizes(folder)
    if sum(parts.values()) > room:
        raise SettingError(_too_large(folder, room))
    manifest = {"layout": LAYOUT_VERSION, "complete": True, "docai": __version__, "seed": settings.seed}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"bytes": parts}, indent=2) + "\n", encoding="utf-8")
    return parts


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file and folder of a pack."""
    return {
        path.name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if path.is_dir()
        else path.stat().st_size
        for path in sorted(folder.iterdir())
    }


def _too_large(folder: Path, room: int) -> str:
    parts = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes(folder).items())
    return (
        f"The pack does not fit {room / 2**20:g} MiB ({parts} MiB); allow more with --megabytes, or give "
        "--pack a new folder, for which less is drawn."
    )


def _copy_source(target: Path) -> None:
    """The package as one folder, without the embedded weights."""
    import importlib

    shutil.rmtree(target, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.pyc", "tokenizer.json")
    for name in ("docai", "docai.models", "docai.parsers", "docai.pipelines"):
        paths = importlib.import_module(name).__path__
        below = target.joinpath(*name.split(".")[1:])
        shutil.copytree(paths[0], below, ignore=ignore, dirs_exist_ok=True)


def _copy_state(run: Path, target: Path) -> None:
    import torch

    from docai.pipelines.training.nano.model import build_model, build_processor
    from docai.pipelines.training.nano.state import find_state, load_state, save_state
    from docai.pipelines.training.nano.step import Learner

    saved = find_state(run)
    if saved is None:
        return
    processor = build_processor()
    learner = Learner.create(
        *(build_model(processor), processor, torch.device("cpu")), learning_rate=1e-3, weight_decay=0.0
    )
    progress = load_state(saved, learner)
    total = saved.total_minutes or progress.minutes
    save_state(target, learner, progress, total_minutes=total, keep_optimizer=False, half=True)


def _copy_fonts(target: Path) -> None:
    """The faces of both splits, each with the letters of the vocabulary."""
    from docai.pipelines.synthesis import fonts

    target.mkdir(parents=True)
    for name in (*fonts.faces(), *fonts.system_faces()):
        content = _reduce_font(fonts.font_bytes(name))
        suffix = ".otf" if content[:4] == b"OTTO" else ".ttf"
        (target / f"{Path(name).stem}{suffix}").write_bytes(content)


def _reduce_font(content: bytes) -> bytes:
    """Reduced by fontTools, which Matplotlib depends on; whole where it is absent or fails."""
    try:
        from fontTools import subset
        from fontTools.ttLib import TTFont, TTLibError
    except ImportError:
        return content
    try:
        font = TTFont(io.BytesIO(content), lazy=True)
        options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, glyph_names=False)
        options.drop_tables += ["FFTM"]
        cutter = subset.Subsetter(options)
        cutter.populate(text=LETTERS + "ﬁﬂ")
        cutter.subset(font)
        file = io.BytesIO()
        font.save(file)
    except (TTLibError, KeyError, ValueError, AssertionError):
        return content
    return file.getvalue()


def _executor(workers: int) -> Executor:
    return ProcessPoolExecutor(max(1, workers), mp_context=get_context("spawn"))


def _draw_part(
    path: Path,
    budget: int,
    ends: float,
    settings: PackSettings,
    pool: Executor,
    report: Callable[[str], None],
) -> int:
    """Draw until the size, time or number is reached; write the drawings, easy ones first. Their number."""
    make = _draw_molecules if path.name == "molecules.npz" else _draw_scores
    kind: type[Molecules] | type[Scores] = Molecules if path.name == "molecules.npz" else Scores
    drawings: list[tuple[float, Any]] = []
    size, last_report = 0.0, time.monotonic()
    for chunk in _chunks(pool, make, settings):
        drawings += chunk
        # Larger files compress better, so this estimate is on the safe side.
        size = size or _packed_size(kind, chunk) / len(chunk)
        if time.monotonic() - last_report > 60:
            report(f"{path.name}: {len(drawings)} so far")
            last_report = time.monotonic()
        if (
            time.monotonic() > ends
            or len(drawings) >= _MAX_COUNTS[path.name]
            or size * len(drawings) > 0.92 * budget
        ):
            break
    drawings.sort(key=lambda pair: pair[0])
    collection: Any = kind.collect([drawing for _, drawing in drawings])
    np.savez_compressed(path, **collection.arrays())
    return len(drawings)


def _packed_size(kind: Any, chunk: list[tuple[float, Any]]) -> int:
    file = io.BytesIO()
    np.savez_compressed(file, **kind.collect([drawing for _, drawing in chunk]).arrays())
    return file.tell()


def _chunks(
    pool: Executor, make: Callable[[int, int], list[tuple[float, T]]], settings: PackSettings
) -> Iterator[list[tuple[float, T]]]:
    """Chunks 0, 1, 2, …, drawn a few ahead of use."""
    waiting = [pool.submit(make, settings.seed, index) for index in range(settings.workers + 1)]
    index = len(waiting)
    try:
        while True:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(make, settings.seed, index))
            index += 1
    finally:
        for future in waiting:
            future.cancel()


def _draw_molecules(seed: int, index: int) -> list[tuple[float, Any]]:
    """One chunk: difficulty, evenly spaced, and drawing of each molecule."""
    return [
        (level, describe(random.Random(f"pack/molecule/{seed}/{index}/{level}"), level))
        for level in np.linspace(0.0, 1.0, _CHUNK_SIZES["molecules.npz"]).tolist()
    ]


def _draw_scores(seed: int, index: int) -> list[tuple[float, Any]]:
    return [
        (level, draw_engraving(random.Random(f"pack/score/{seed}/{index}/{level}"), level))
        for level in np.linspace(0.0, 1.0, _CHUNK_SIZES["scores.npz"]).tolist()
    ]


def require_pack(folder: Path) -> None:
    """Raise :class:`docai.errors.DatasetError` unless ``folder`` is a complete pack of this version."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["layout"] == LAYOUT_VERSION and manifest["complete"]:
            missing = [name for name in manifest["bytes"] if not (folder / name).exists()]
            if not missing:
                return
            problem = f"{missing[0]} is missing"
        else:
            problem = "it is half written, or of another version"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{MANIFEST} cannot be read ({error})"
    raise DatasetError(f"{folder} cannot be drawn from: {problem}. Write it with docai train nano --pack.")
