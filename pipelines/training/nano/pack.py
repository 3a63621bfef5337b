"""A pack: one folder with all that a slice needs on a machine without docai, network and renderers.

PACK/docai/        the package's source
PACK/fonts/        the faces that are drawn with, cut down to the letters that are
PACK/run/          the state to go on from, where there is one, weights alone in bf16
PACK/molecules.npz, scores.npz, held-out.npz
PACK/pack.json     what it holds, and the bytes of each part
"""

from __future__ import annotations

import io
import json
import random
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
from docai.pipelines.training.nano.feed import Renderers, Source, pack_samples
from docai.pipelines.training.nano.model import LETTERS
from docai.pipelines.training.nano.molecules import Molecules, describe
from docai.pipelines.training.nano.scores import Scores, engraved

LAYOUT = 1
MANIFEST = "pack.json"
_CHUNK = {"molecules.npz": 200, "scores.npz": 25}
"""Descriptions that one process makes at once, from the easiest to the hardest."""
_DATA = {"molecules.npz": 0.45, "scores.npz": 0.55}
"""Shares of what room the other parts leave."""
_MOST = {"molecules.npz": 150_000, "scores.npz": 20_000}
"""More than this many are not worth their time: a slice does not come to them."""
T = TypeVar("T")


@dataclass(frozen=True)
class PackSettings:
    """What a pack may take."""

    megabytes: float = 40.0
    minutes: float = 60.0
    """Of drawing. A pack that is out of time is smaller."""
    seed: int = 1
    workers: int = 1
    n_held_out: int = 6
    """Of each head."""


def write_pack(
    folder: Path,
    run: Path | None,
    settings: PackSettings,
    report: Callable[[str], None],
    *,
    source: Source | None = None,
) -> dict[str, int]:
    """Write a pack, or bring the one in ``folder`` up to date; returns the bytes of each part.

    What was drawn before stays, and only source and state are written anew: drawing takes long.

    Args:
        folder: of the pack.
        run: folder of a run whose state is to go on; None, or one without a state, starts anew.
        settings: what it may take.
        report: is told of each part.
        source: of the held-out pairs.

    Raises:
        SettingError: ``megabytes`` are too few, or ``folder`` is something else.
        CheckpointError: the run's state is damaged.
    """
    import shutil

    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise SettingError(f"{folder} holds something else than a pack; give --pack another folder.")
    room = round(settings.megabytes * 2**20)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps({"layout": LAYOUT, "complete": False}) + "\n")
    _copy_source(folder / "docai")
    shutil.rmtree(folder / "run", ignore_errors=True)
    if run is not None:
        _copy_state(run, folder / "run")
    if not (folder / "fonts").is_dir():
        _copy_fonts(folder / "fonts")
    if not (folder / "held-out.npz").is_file():
        source = source or Renderers()
        held = {head: source.held_out(head, settings.seed, settings.n_held_out) for head in source.heads()}
        arrays: Any = pack_samples(held)
        np.savez(folder / "held-out.npz", **arrays)
    drawn = {name for name in _DATA if (folder / name).is_file()}
    left = room - sum(size for part, size in sizes(folder).items() if part not in drawn)
    ends = time.monotonic() + 60 * settings.minutes
    missing = {name: share for name, share in _DATA.items() if name not in drawn}
    left -= sum((folder / name).stat().st_size for name in drawn)
    if left < 200_000 * bool(missing):
        raise SettingError(_too_large(folder, room))
    with _executor(settings.workers) as pool:
        for name, share in missing.items():
            budget = round(left * share / sum(missing.values()))
            part_ends = time.monotonic() + (ends - time.monotonic()) * (0.5 if len(missing) > 1 else 1.0)
            count = _fill(folder / name, budget, part_ends, settings, pool, report)
            report(f"{name}: {count} descriptions, {(folder / name).stat().st_size / 2**20:.1f} MiB")
    parts = sizes(folder)
    if sum(parts.values()) > room:
        raise SettingError(_too_large(folder, room))
    manifest = {"layout": LAYOUT, "complete": True, "docai": __version__, "seed": settings.seed}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"bytes": parts}, indent=2) + "\n", encoding="utf-8")
    return parts


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file and folder of a pack."""
    return {
        path.name: sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        if path.is_dir()
        else path.stat().st_size
        for path in sorted(folder.iterdir())
    }


def _too_large(folder: Path, room: int) -> str:
    parts = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes(folder).items())
    return (
        f"The pack does not fit {room / 2**20:g} MiB ({parts} MiB); allow more with --megabytes, or give "
        "--pack a new folder, in which less is drawn."
    )


def _copy_source(target: Path) -> None:
    """The package as one folder, without the embedded weights."""
    import importlib
    import shutil

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

    found = find_state(run)
    if found is None:
        return
    processor = build_processor()
    learner = Learner.of(
        *(build_model(processor), processor, torch.device("cpu")), learning_rate=1e-3, weight_decay=0.0
    )
    progress = load_state(found, learner)
    total = found.total_minutes or progress.minutes
    save_state(target, learner, progress, total_minutes=total, keep_optimizer=False, half=True)


def _copy_fonts(target: Path) -> None:
    """The faces that training draws with, and those held out, each with the letters of the vocabulary."""
    from docai.pipelines.synthesis import fonts

    target.mkdir(parents=True)
    for name in (*fonts.faces(), *fonts.system_faces()):
        content = _subset(fonts.font_bytes(name))
        suffix = ".otf" if content[:4] == b"OTTO" else ".ttf"
        (target / f"{Path(name).stem}{suffix}").write_bytes(content)


def _subset(content: bytes) -> bytes:
    """Cut down by fontTools, which Matplotlib brings; whole where it is absent or gives up."""
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


def _fill(
    path: Path,
    budget: int,
    ends: float,
    settings: PackSettings,
    pool: Executor,
    report: Callable[[str], None],
) -> int:
    """Draw until the bytes, the time or the number is reached; write the easy ones first. Their number."""
    make = _some_molecules if path.name == "molecules.npz" else _some_scores
    kind: type[Molecules] | type[Scores] = Molecules if path.name == "molecules.npz" else Scores
    found: list[tuple[float, Any]] = []
    size, said = 0.0, time.monotonic()
    for chunk in _in_turn(pool, make, settings):
        found += chunk
        # Larger packs pack better, so this errs on the safe side.
        size = size or _packed_size(kind, chunk) / len(chunk)
        if time.monotonic() - said > 60:
            report(f"{path.name}: {len(found)} so far")
            said = time.monotonic()
        if time.monotonic() > ends or len(found) >= _MOST[path.name] or size * len(found) > 0.92 * budget:
            break
    found.sort(key=lambda pair: pair[0])
    everything: Any = kind.collect([one for _, one in found])
    np.savez_compressed(path, **everything.arrays())
    return len(found)


def _packed_size(kind: Any, chunk: list[tuple[float, Any]]) -> int:
    file = io.BytesIO()
    np.savez_compressed(file, **kind.collect([one for _, one in chunk]).arrays())
    return file.tell()


def _in_turn(
    pool: Executor, make: Callable[[int, int], list[tuple[float, T]]], settings: PackSettings
) -> Iterator[list[tuple[float, T]]]:
    """Chunks 0, 1, 2, …, a few ahead of the one that is asked for."""
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


def _some_molecules(seed: int, index: int) -> list[tuple[float, Any]]:
    """One chunk: how hard each is, evenly spread, and the description."""
    return [
        (level, describe(random.Random(f"pack/molecule/{seed}/{index}/{level}"), level))
        for level in np.linspace(0.0, 1.0, _CHUNK["molecules.npz"]).tolist()
    ]


def _some_scores(seed: int, index: int) -> list[tuple[float, Any]]:
    return [
        (level, engraved(random.Random(f"pack/score/{seed}/{index}/{level}"), level))
        for level in np.linspace(0.0, 1.0, _CHUNK["scores.npz"]).tolist()
    ]


def require_pack(folder: Path) -> None:
    """Raise :class:`docai.errors.DatasetError` where ``folder`` is no whole pack of this version."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["layout"] == LAYOUT and manifest["complete"]:
            lost = [name for name in manifest["bytes"] if not (folder / name).exists()]
            if not lost:
                return
            problem = f"{lost[0]} is missing"
        else:
            problem = "it is half written, or of another version"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{MANIFEST} cannot be read ({error})"
    raise DatasetError(f"{folder} cannot be drawn from: {problem}. Write it with docai train nano --pack.")
