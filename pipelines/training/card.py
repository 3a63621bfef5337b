"""The card of a run: a Hugging Face model card that says what was trained on what, and how well it reads.

It is made from ``training.json`` alone (see :mod:`docai.pipelines.training.journal`). The block at its head
is Hugging Face's metadata (https://huggingface.co/docs/hub/model-cards), as far as a head of docai fits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_MAX_ROWS: Final = 40


def card_text(about: Mapping[str, Any]) -> str:
    """The card, Markdown with metadata in YAML.

    Args:
        about: content of ``training.json``.
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
    # Heads trained on Gemma's weights stay under its terms; of another base nothing is known.
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
        "As they were chosen by these pairs, expect a little less on others."
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


def _thinned(rows: Sequence[Mapping[str, Any]], *, most: int = _MAX_ROWS) -> list[Mapping[str, Any]]:
    """At most that many rows, evenly, the last one among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
