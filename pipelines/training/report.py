"""The report of a run: ``training.json``, and the model card written from it, ``README.md``.

Both are written after each saved state, so that a killed run has them too, and at the end. A resumed run
keeps the earlier parts: steps, pairs, time and machines add up over them.

The card is a Hugging Face model card. The block at its top is Hugging Face's metadata
(https://huggingface.co/docs/hub/model-cards), as far as it applies to a head of docai.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch

from docai import environment
from docai.pipelines.training import run_folder
from docai.pipelines.training.best_weights import Measured
from docai.pipelines.training.callbacks import MEASURED
from docai.pipelines.training.distributed import ProcessGroup
from docai.pipelines.training.prepare import RunData
from docai.pipelines.training.run_folder import explaining_write_errors

if TYPE_CHECKING:
    from transformers import TrainerState

_MAX_TABLE_ROWS: Final = 40


def card_text(about: Mapping[str, Any]) -> str:
    """The model card: Markdown with metadata in YAML.

    Args:
        about: the content of ``training.json``.
    """
    parts = (_metadata(about), _summary(about), _use(about), _data(about), _held_out(about), _training(about))
    return "\n\n".join(parts) + "\n"


def _metadata(about: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    run, base, best = about["run"], about["base"], about["result"]["held_out"]
    is_hub_id = "/" in base["name"]
    results = None
    if best is not None:
        results = [
            EvalResult(
                task_type="image-text-to-text",
                dataset_type="held-out",
                dataset_name=f"{best['n']} held-out pairs",
                metric_type=best["metric"],
                metric_value=round(best["value"], 4),
            )
        ]
    # Heads trained on Gemma's weights stay under its terms; the license of another base is unknown.
    is_google = base["name"].startswith("google/paligemma2")
    data = ModelCardData(
        base_model=base["name"] if is_hub_id else None,
        base_model_relation=("finetune" if run["full"] else "adapter") if is_hub_id else None,
        license="gemma" if is_google else None,
        library_name="docai",
        pipeline_tag="image-text-to-text",
        tags=["docai", "paligemma2", run["head"], "full" if run["full"] else "lora"],
        model_name=_name(about) if results else None,
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---"


def _name(about: Mapping[str, Any]) -> str:
    return f"{about['base']['name']}-{about['run']['head']}"


def _summary(about: Mapping[str, Any]) -> str:
    run, base, head, result = about["run"], about["base"], about["head"], about["result"]
    what = "All weights" if run["full"] else f"A LoRA adapter of rank {run['rank']}"
    lines = [
        f"# {_name(about)}",
        "",
        f"{what} for docai's head `{run['head']}`, trained by `docai train` on `{run['base']}`.",
    ]
    steps = about["settings"]["steps"]
    if result["step"] < steps:
        lines += ["", f"**This run is not finished**: step {result['step']:,} of {steps:,}."]
    rows = [
        ("base", f"`{base['name']}`"),
        ("its revision", f"`{base['revision']}`"),
        ("its weights", f"{base['weights']:,}"),
        ("head", f"`{run['head']}`"),
        ("prompt", f"`{head['prompt']}`"),
        ("crop", f"{head['resolution']} px, padded to a white square"),
        ("longest answer", f"{run['max_tokens']:,} tokens"),
    ]
    return "\n".join([*lines, "", *_table(("", ""), rows)])


def _use(about: Mapping[str, Any]) -> str:
    return (
        "## Use\n\nDIR is this folder.\n\n"
        "    docai process paper.pdf --model DIR -o paper.json\n\n"
        "```python\nimport docai\n\ndocument = docai.process('paper.pdf', model='DIR')\n```"
    )


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    rows = [
        (
            f"`{source['name']}`",
            f"{source['n_train']:,}",
            f"{source['n_held_out']:,}",
            ", ".join(f"{reason}: {count:,}" for reason, count in sorted(source["rejected"].items())) or "0",
        )
        for source in data["sources"]
    ]
    table = _table(("source", "trained on", "held out", "not used"), rows)
    return "\n".join(["## Data", "", *table, "", data["split"]])


def _held_out(about: Mapping[str, Any]) -> str:
    best, curve = about["result"]["held_out"], about["curve"]
    title = "## Held-out pairs\n\n"
    if best is None:
        return (
            title + "Nothing was measured: the weights are the last ones, and how well they read is unknown."
        )
    interval = "" if best["low"] is None else f" (95 % interval {best['low']:.4f} to {best['high']:.4f})"
    text = (
        f"The weights are those after step {best['step']:,}, which read {best['n']:,} held-out pairs best: "
        f"{best['metric']} {best['value']:.4f}{interval}, exact to the character {best['exact']:.4f}. "
        "They were chosen by these pairs: expect slightly lower figures on others."
    )
    if not curve:
        return title + text
    names = [name for name in curve[-1] if name != "step"]
    rows = [
        (f"{row['step']:,}", *(f"{row[name]:.4f}" if name in row else "" for name in names))
        for row in _thinned(curve)
    ]
    return "\n".join([title + text, "", *_table(("step", *(name.replace("_", " ") for name in names)), rows)])


def _training(about: Mapping[str, Any]) -> str:
    result, parts = about["result"], about["parts"]
    facts = [
        ("steps", f"{result['step']:,} of {about['settings']['steps']:,}"),
        ("pairs seen", f"{result['pairs']:,}"),
        ("wall time", _duration(result["seconds"])),
        ("last loss, per token", "" if result["loss"] is None else f"{result['loss']:.4f}"),
    ]
    done = [
        (
            part["started"],
            f"{part['from_step']:,} to {part['to_step']:,}",
            f"{part['pairs']:,}",
            _duration(part["seconds"]),
            part["hardware"] + (f", {part['processes']} processes" if part["processes"] > 1 else ""),
            part["ended"],
        )
        for part in parts
    ]
    lines = ["## Training", "", *_table(("", ""), facts)]
    lines += ["", *_table(("started", "steps", "pairs", "time", "hardware", "ended"), done)]
    losses = [(f"{row['step']:,}", f"{row['loss']:.4f}") for row in _thinned(about["losses"], most=12)]
    if losses:
        lines += ["", *_table(("step", "loss"), losses)]
    commands = list(dict.fromkeys(part["command"] for part in parts if part["command"]))
    if commands:
        lines += ["", "Made by", "", *(f"    {command}" for command in commands)]
    lines += ["", "### Settings", "", *_table(("", ""), _plain(about["settings"]))]
    lines += ["", "### Versions", "", *_table(("", ""), _plain(about["versions"]))]
    return "\n".join(lines)


def _plain(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, "automatic" if value is None else f"{value}") for name, value in values.items()]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _thinned(rows: Sequence[Mapping[str, Any]], *, most: int = _MAX_TABLE_ROWS) -> list[Mapping[str, Any]]:
    """At most ``most`` rows, evenly spaced, with the last one."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


Ended = Literal["running", "interrupted", "finished"]

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")

_MAX_LOSSES = 100
"""Most losses listed in ``training.json``."""


@dataclass(frozen=True)
class Part:
    """One call of the command, up to its last saved state."""

    started: str
    """UTC, ISO 8601."""
    from_step: int
    to_step: int
    pairs: int
    seconds: float
    """Since the call, so with checks and loading."""
    processes: int
    hardware: str
    versions: Mapping[str, str]
    command: str | None
    """None where it was called from Python."""
    peak_gpu_bytes: int | None
    """Of the main process; None on a CPU."""
    ended: Ended
    """``running``: the process was killed after this state."""


@dataclass
class RunReport:
    """Writes ``training.json`` and ``README.md``. Create it when the training is called."""

    folder: Path
    about: Mapping[str, Any]
    """What does not change during the run: ``run``, ``head``, ``base``, ``settings``."""
    device: torch.device
    group: ProcessGroup
    command: str | None
    data: RunData
    begun: float = field(default_factory=time.monotonic)
    """Start of the call on the monotonic clock."""
    pairs: Callable[[], int] = lambda: 0
    """Gives the number of pairs of the steps taken in this part."""
    earlier: Sequence[Mapping[str, Any]] = ()
    from_step: int = 0
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, state: TrainerState, best: Measured | None, ended: Ended) -> None:
        """Write both files for the current state.

        Raises:
            SettingError: they cannot be written.
        """
        content = self._content(state, best, ended)
        with explaining_write_errors(self.folder / run_folder.RUN_FILE, self.folder):
            run_folder.write_json(self.folder / run_folder.RUN_FILE, content)
            run_folder.write_text(self.folder / run_folder.CARD_FILE, card_text(content))

    def _content(self, state: TrainerState, best: Measured | None, ended: Ended) -> dict[str, Any]:
        rows: list[dict[str, float]] = state.log_history
        losses = [{"step": row["step"], "loss": row["loss"]} for row in rows if "loss" in row]
        parts = self._parts(state, ended)
        held_out = self.data.held_out
        result = {
            "step": state.global_step,
            "ended": ended,
            "loss": losses[-1]["loss"] if losses else None,
            "n_train": len(self.data.train),
            "n_held_out": 0 if held_out is None else len(held_out),
            "n_rejected": len(self.data.rejected),
            "held_out": None if best is None else asdict(best),
            "pairs": sum(part["pairs"] for part in parts),
            "seconds": sum(part["seconds"] for part in parts),
        }
        return {
            **self.about,
            "data": {"split": self.data.split, "sources": [asdict(source) for source in self.data.sources]},
            "result": result,
            "curve": _curve(rows),
            "losses": losses[:: len(losses) // _MAX_LOSSES + 1],
            "parts": parts,
            "versions": environment.installed_versions(_PACKAGES),
        }

    def _parts(self, state: TrainerState, ended: Ended) -> list[dict[str, Any]]:
        # A part that was killed ends with its last saved state; the steps after it are repeated.
        parts = [dict(part) for part in self.earlier]
        if state.global_step == self.from_step and parts:
            # No step was left to take.
            return parts
        on_gpu = self.device.type == "cuda"
        part = Part(
            started=self.started,
            from_step=self.from_step,
            to_step=state.global_step,
            pairs=self.pairs(),
            seconds=round(time.monotonic() - self.begun, 1),
            processes=self.group.count,
            hardware=hardware(self.device, self.group.count),
            versions=environment.installed_versions(_PACKAGES),
            command=self.command,
            peak_gpu_bytes=torch.cuda.max_memory_allocated(self.device) if on_gpu else None,
            ended=ended,
        )
        return [*parts, asdict(part)]


def earlier_parts(folder: Path) -> list[dict[str, Any]]:
    """The parts in ``training.json``; none where there are none, or the file cannot be read."""
    try:
        parts = json.loads((folder / run_folder.RUN_FILE).read_text(encoding="utf-8"))["parts"]
        return [dict(part) for part in parts]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def hardware(device: torch.device, count: int) -> str:
    """The hardware of a run: ``4 x NVIDIA H200``, or ``CPU, x86_64, 8 cores``."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{count} x {name}" if count > 1 else name
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


def _curve(rows: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The figures on held-out pairs, by step; the last ones where a step was repeated."""
    by_step: dict[float, dict[str, float]] = {}
    for row in rows:
        values = {
            name.removeprefix(MEASURED): value for name, value in row.items() if name.startswith(MEASURED)
        }
        if values:
            by_step[row["step"]] = {"step": row["step"], **values}
    return [by_step[step] for step in sorted(by_step)]
