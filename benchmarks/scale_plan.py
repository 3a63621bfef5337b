"""Reckons what a large batch takes: machines, hours, cost, and what bounds it.

    python benchmarks/scale_plan.py [--pages 100000000] [--hours 24 72 168] [--RATE VALUE …] [--write]
    python benchmarks/scale_plan.py --measure [FOLDER] [--count 10] [--store]

The plan is arithmetic on rates. Those that this project measured are in ``scale_rates.json``, each with the
command that gave it; the others are estimates and prices, and the plan says so. Each can be given as an
option, by its name there. ``--write`` puts the plan into ``docs/scale.md``.

``--measure`` measures the rates of this machine: processor time of pages and how many crops a model is asked
for, on the first ``--count`` documents of the folder, or else on a drawn text and a drawn scan of so many
pages each; and what a coordinator spends on a document, in its manifest and, where Ray is installed, on a
task of Ray Data. ``--store`` keeps them.
"""

from __future__ import annotations

import json
import math
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common import script_parser

RATES: Final = Path(__file__).with_name("scale_rates.json")

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "scale.md"

BEGIN, END = "<!-- scale plan -->\n", "<!-- end of scale plan -->\n"

HOURS: Final = (24.0, 72.0, 168.0)
"""In which a run is to end."""

N_ROWS: Final = 2000
"""Documents whose rows a coordinator writes, for the measurement."""

N_TASKS: Final = 300


@dataclass(frozen=True)
class Rate:
    """A number that a plan rests on."""

    value: float
    unit: str
    kind: str
    """``measured``, ``estimate``, ``assumption`` or ``price``."""
    source: str
    """The command that gave it, or how it was reckoned."""


def load_rates(path: Path = RATES) -> dict[str, Rate]:
    return {name: Rate(**values) for name, values in json.loads(path.read_text("utf-8")).items()}


def gpu_crops_per_second(rate: Mapping[str, float]) -> float:
    """Crops that a GPU answers a second, by the roofline of a transformer; an estimate, not a measurement.

    Reading the crop (prefill) is bound by arithmetic, 2 operations for each parameter and token (Kaplan et
    al. 2020, arXiv:2001.08361, section 2.1); writing the answer by memory: each step reads the weights once
    for the batch, and the keys and values of each crop.
    """
    prefill = (
        2 * rate["model_parameters"] * rate["tokens_per_crop"] / (rate["gpu_flops"] * rate["gpu_efficiency"])
    )
    cache = rate["cache_bytes_per_token"] * (rate["tokens_per_crop"] + rate["tokens_per_answer"] / 2)
    step = 2 * rate["model_parameters"] / rate["model_batch"] + cache
    decode = rate["tokens_per_answer"] * step / (rate["gpu_bytes_per_second"] * rate["gpu_efficiency"])
    return 1 / (prefill + decode)


@dataclass(frozen=True)
class Plan:
    """What a batch takes that is to end in some hours."""

    hours: float
    nodes: int
    gpus: int
    coordinators: int
    documents_per_second: float
    network: float
    """Bytes a second, of all nodes, from and to the store."""
    cost: float


def totals(rate: Mapping[str, float]) -> dict[str, float]:
    """Of all pages, whatever the time."""
    pages = rate["pages"]
    drawn = pages * (1 - rate["scanned_share"])
    scanned = pages * rate["scanned_share"]
    crops = drawn * rate["crops_per_drawn_page"] + scanned * rate["crops_per_scanned_page"]
    n_documents = pages / rate["pages_per_document"]
    coordinator = rate["coordinator_seconds_per_document"] + rate["coordinator_seconds_per_task"]
    return {
        "documents": n_documents,
        "cpu_hours": (
            drawn * rate["cpu_seconds_per_drawn_page"] + scanned * rate["cpu_seconds_per_scanned_page"]
        )
        / 3600,
        "crops": crops,
        "gpu_hours": crops / gpu_crops_per_second(rate) / 3600,
        "coordinator_hours": n_documents * coordinator / 3600,
        "input_bytes": drawn * rate["bytes_per_drawn_page"] + scanned * rate["bytes_per_scanned_page"],
        "result_bytes": pages * rate["result_bytes_per_page"],
        "manifest_bytes": n_documents * rate["manifest_bytes_per_document"],
    }


def plan(rate: Mapping[str, float], hours: float) -> Plan:
    """The machines that do it in so many hours, and what they cost."""
    total = totals(rate)
    spare = 1 + rate["spare_share"]
    nodes = math.ceil(total["cpu_hours"] * spare / hours / rate["cpus_per_node"])
    gpus = math.ceil(total["gpu_hours"] * spare / hours)
    coordinators = math.ceil(total["coordinator_hours"] * spare / hours)
    machine_hours = nodes * rate["cpus_per_node"] + coordinators * rate["cpus_per_coordinator"]
    return Plan(
        hours,
        nodes,
        gpus,
        coordinators,
        total["documents"] / (hours * 3600),
        (total["input_bytes"] + total["result_bytes"]) / (hours * 3600),
        hours * (machine_hours * rate["price_per_cpu_hour"] + gpus * rate["price_per_gpu_hour"]),
    )


def as_markdown(rates: Mapping[str, Rate], hours: Sequence[float]) -> str:
    """The rates and the plans as tables."""
    rate = {name: one.value for name, one in rates.items()}
    total = totals(rate)
    lines = ["| rate | value | | from |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {_number(one.value)} {one.unit} | {one.kind} | {one.source} |"
        for name, one in rates.items()
    ]
    lines += [
        "",
        f"{_number(rate['pages'])} pages are {_number(total['documents'])} documents, "
        f"{_number(total['cpu_hours'])} processor hours, {_number(total['crops'])} crops for the model at an "
        f"estimated {_number(gpu_crops_per_second(rate))} a second and GPU, so {_number(total['gpu_hours'])} "
        f"GPU hours (estimate), {_number(total['input_bytes'] / 1e12)} TB to read, "
        f"{_number(total['result_bytes'] / 1e12)} TB of results and "
        f"{_number(total['manifest_bytes'] / 1e9)} GB of manifests.",
        "",
        f"| hours | machines of {rate['cpus_per_node']:g} processors | GPUs (estimate) | coordinators | "
        "documents/s | GB/s from and to the store | cost, $ |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in (plan(rate, number) for number in hours):
        lines.append(
            f"| {one.hours:g} | {one.nodes:,} | {one.gpus:,} | {one.coordinators} | "
            f"{_number(one.documents_per_second)} | {one.network / 1e9:.2f} | {_number(one.cost)} |"
        )
    cpu_cost = total["cpu_hours"] * (1 + rate["spare_share"]) * rate["price_per_cpu_hour"]
    gpu_cost = total["gpu_hours"] * (1 + rate["spare_share"]) * rate["price_per_gpu_hour"]
    scanned = rate["pages"] * rate["scanned_share"] * rate["cpu_seconds_per_scanned_page"] / 3600
    lines += [
        "",
        f"Of the cost, {cpu_cost / (cpu_cost + gpu_cost):.0%} are processors and "
        f"{gpu_cost / (cpu_cost + gpu_cost):.0%} GPUs; a thousand pages cost "
        f"{(cpu_cost + gpu_cost) / rate['pages'] * 1000:.2f} $. Scans are "
        f"{rate['scanned_share']:.0%} of the pages and {scanned / total['cpu_hours']:.0%} of the processor "
        "hours.",
        "",
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits that count, with separators."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if digits > 5:
        return f"{value:.2e}"
    rounded = round(value, digits)
    return f"{rounded:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{rounded:,.0f}"


def with_plan(page: str, text: str) -> str:
    """The page with the plan between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def measure(folder: Path | None, count: int) -> Iterator[tuple[str, Rate]]:
    """The rates of this machine."""
    command = f"`--measure{' FOLDER' if folder else ''} --count {count}`"
    with tempfile.TemporaryDirectory() as temporary:
        yield from measure_pages(folder or draw(Path(temporary), count), count, command)
        seconds, n_bytes = manifest_cost(Path(temporary) / "manifest.sqlite")
    yield "coordinator_seconds_per_document", Rate(_short(seconds), "s", "measured", command)
    yield "manifest_bytes_per_document", Rate(round(n_bytes), "B", "measured", command)
    try:
        yield "coordinator_seconds_per_task", Rate(_short(task_cost()), "s", "measured", command)
    except ImportError:
        print("Ray is not installed: what a task costs was not measured.")


def draw(folder: Path, count: int) -> Path:
    """A PDF of text and a PDF of pictures."""
    from pages import draw as draw_text
    from scans import draw_scan

    folder = folder / "drawn"
    folder.mkdir()
    draw_text(folder / "text.pdf", count)
    draw_scan(folder / "scan.pdf", count, 300)
    return folder


def measure_pages(folder: Path, count: int, command: str) -> Iterator[tuple[str, Rate]]:
    """Processor seconds, crops and bytes of a page, for pages with words of their own and for scans."""
    from picture_readers import cpu_seconds

    from docai import Pipeline, ScriptedEngine
    from docai.errors import DocaiError
    from docai.files import DOCUMENT_SUFFIXES
    from docai.models.heads import HEADS

    # How often it is right is not known, so it is asked for all that pixels alone show: the most crops.
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""))
    seconds, crops, n_bytes = (defaultdict[str, float](float) for _ in range(3))
    n_pages: defaultdict[str, int] = defaultdict(int)
    n_results = 0
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in DOCUMENT_SUFFIXES)
    pipeline = Pipeline(engine=engine)
    if paths:
        # Libraries that are loaded once for many documents.
        pipeline.process(paths[0], pages="1")
    for path in paths[:count]:
        before, n_before = cpu_seconds(), len(engine.requests)
        try:
            document = pipeline.process(path)
        except DocaiError as error:
            print(f"{path}: {error}")
            continue
        origins = [page.origin for page in document.pages]
        kind = "scanned" if origins.count("scan") * 2 > len(origins) else "drawn"
        seconds[kind] += cpu_seconds() - before
        crops[kind] += len(engine.requests) - n_before
        n_pages[kind] += len(origins)
        n_bytes[kind] += path.stat().st_size
        n_results += len(document.to_json().encode())
    for kind, n in n_pages.items():
        source = f"{command}, {n} pages"
        yield f"cpu_seconds_per_{kind}_page", Rate(_short(seconds[kind] / n), "s", "measured", source)
        yield f"crops_per_{kind}_page", Rate(_short(crops[kind] / n), "", "measured", f"{source}, the most")
        yield f"bytes_per_{kind}_page", Rate(round(n_bytes[kind] / n), "B", "measured", source)
    yield (
        "result_bytes_per_page",
        Rate(round(n_results / sum(n_pages.values())), "B", "measured", f"{command}, JSON"),
    )


def manifest_cost(path: Path) -> tuple[float, float]:
    """Seconds of a coordinator for the rows of a document, waiting for the disk, and bytes of the file."""
    from docai.pipelines.batch.manifest import Manifest

    confidences = json.dumps({kind: [3] * 10 for kind in ("text", "table", "figure")})
    doubtful = json.dumps([[0.5, "text", 1, [10.0, 20.0, 300.0, 40.0], "What was read. " * 10]] * 3)
    with Manifest(path) as manifest:
        manifest.add((f"s3://bucket/folder/{number}.pdf", f"{number}.pdf", "{}") for number in range(N_ROWS))
        started = time.monotonic()
        for number in manifest.numbers("waiting"):
            manifest.update(number, state="running", attempts=1, reason="", code="")
            manifest.row(number)
            manifest.update(number, state="done", sha256="0" * 64, confidences=confidences, doubtful=doubtful)
            manifest.row(number)
        seconds = time.monotonic() - started
    return seconds / N_ROWS, path.stat().st_size / N_ROWS


def task_cost() -> float:
    """Processor seconds of this process for a task of Ray Data. Raises ImportError."""
    import ray
    import ray.data

    from docai.pipelines.batch.ray_cluster import RayCluster, connected

    with connected(RayCluster()):
        before = None
        # The first ones start what the others find.
        for n_tasks in (10, N_TASKS):
            before = resource.getrusage(resource.RUSAGE_SELF)
            items = [{"number": number} for number in range(n_tasks)]
            data = ray.data.from_items(items, override_num_blocks=n_tasks)
            data.context.enable_progress_bars = False
            assert data.map_batches(_same, batch_size=None).count() == n_tasks
        after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / N_TASKS


def _same(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    return batch


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    rates = load_rates()
    parser = script_parser(__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=HOURS)
    parser.add_argument("--write", action="store_true", help="put the plan into docs/scale.md")
    parser.add_argument("--measure", nargs="?", const="", metavar="FOLDER", help="measure rates")
    parser.add_argument("--count", type=int, default=10, help="pages that are drawn, or documents read")
    parser.add_argument("--store", action="store_true", help="keep what was measured")
    for name, one in rates.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, metavar=one.unit or "N", help=one.kind)
    options = parser.parse_args()
    if options.measure is not None:
        folder = Path(options.measure) if options.measure else None
        for name, one in measure(folder, options.count):
            print(f"{name}: {one.value:g} {one.unit}")
            rates[name] = one
        if options.store:
            content = {name: vars(one) for name, one in rates.items()}
            RATES.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        return
    for name, one in rates.items():
        value = getattr(options, name)
        if value is not None:
            rates[name] = Rate(value, one.unit, "given", "the command line")
    text = as_markdown(rates, options.hours)
    print(text)
    if options.write:
        PAGE.write_text(with_plan(PAGE.read_text("utf-8"), text), "utf-8")


if __name__ == "__main__":
    main()
