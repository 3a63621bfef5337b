"""Stops a batch run at random moments, goes on, and compares with a run that nobody disturbed.

    python benchmarks/soak.py [--documents 1000] [--kills 25] [--workers 2] [--seed 1] [--real]
                              [--folder FOLDER]

Makes documents of many kinds, every kind of bad file among them: most have a text layer and cost little. With
``--real`` the PDFs of the folder of real documents (``DOCAI_REAL_DATA``) are added. They are read once by
``docai batch`` without a disturbance, and once with ``kill -9`` of the coordinator, of a worker, or of the
process of the model, at moments drawn with the seed, and ``--resume`` after each end. Second readers are off
but for a tenth of the documents, whose pages are pictures and which have a run of their own, with everything
on.

Printed, for each part: how many inputs, states, kills, seconds, and what differs between the two runs: rows
(by input: state, pages, records), results (byte by byte), files that belong to no row, and what was left in
the run folder. The exit code is 1 where anything differs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pymupdf
from common import real_data, script_parser
from PIL import Image, ImageDraw
from scans import PRINT, draw_table

from docai.pipelines.batch.manifest import Manifest, Row

BAD_SHARE: Final = 0.2
PICTURE_SHARE: Final = 0.1


@dataclass(frozen=True)
class Compared:
    """What differs between two runs."""

    rows: int
    results: int
    strays: int
    """Results that belong to no row, and pages of documents that are finished."""


def text(rng: random.Random, n_words: int) -> str:
    return " ".join(rng.choice(PRINT.split()) for _ in range(n_words))


def write_pdf(path: Path, rng: random.Random, n_pages: int, **save: object) -> None:
    with pymupdf.open() as document:
        for number in range(n_pages):
            page = document.new_page()
            page.insert_textbox((60, 60, 535, 500), f"Page {number + 1}. {text(rng, 120)}", fontsize=11)
            if rng.random() < 0.3:
                draw_table(page, rng)
        document.save(path, **save)


def write_picture(path: Path, rng: random.Random) -> None:
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_textbox((60, 60, 535, 300), text(rng, 60), fontsize=12)
        page.get_pixmap(dpi=150).save(path)


def write_bad(folder: Path, number: int, rng: random.Random) -> None:
    """One bad file; the kinds take turns."""
    path = folder / f"bad-{number:04}"
    whole = folder / f".whole-{number}.pdf"
    write_pdf(whole, rng, 2)
    data = whole.read_bytes()
    whole.unlink()
    match number % 14:
        case 0:
            path.with_suffix(".pdf").touch()
        case 1:
            path.with_suffix(".pdf").write_bytes(data[: len(data) // 3])
        case 2:
            path.with_suffix(".pdf").write_bytes(b"%PDF-1.7\n" + rng.randbytes(2000))
        case 3:
            path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + rng.randbytes(500))
        case 4:
            write_pdf(
                path.with_suffix(".pdf"), rng, 1, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret"
            )
        case 5:
            path.with_suffix(".jpg").write_bytes(b"PK\x03\x04" + rng.randbytes(200))
        case 6:
            path.with_suffix(".tiff").write_text("This is no picture.", "utf-8")
        case 7:
            Image.new("1", (30_000, 30_000)).save(path.with_suffix(".png"))
        case 8:
            path.with_suffix(".pdf").symlink_to(path.with_suffix(".pdf"))
        case 9:
            path.with_suffix(".pdf").symlink_to(folder / "gone.pdf")
        case 10:
            broken = bytearray(data)
            for _ in range(40):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            path.with_suffix(".pdf").write_bytes(broken)
        case 11:
            path.with_suffix(".pdf").write_bytes(data.replace(b"/Count 2", b"/Count 9"))
        case 12:
            (folder / f"{number}-{'é' * 110}.pdf").write_bytes(data)
        case 13:
            inner = folder / f"twins-{number}"
            inner.mkdir()
            (inner / "Report.pdf").write_bytes(data)
            (inner / "report.pdf").write_bytes(data)
            ImageDraw.Draw(picture := Image.new("L", (300, 100), "white")).text((10, 40), "Report", fill=0)
            picture.save(inner / "report.png")


def draw_documents(folder: Path, count: int, seed: int) -> None:
    """``folder/text``, most of them, and ``folder/pictures``."""
    rng = random.Random(seed)
    texts, pictures = folder / "text", folder / "pictures"
    n_pictures, n_bad = int(PICTURE_SHARE * count), int(BAD_SHARE * count)
    for number in range(count - n_pictures - n_bad):
        inner = texts / f"{number % 17:02}"
        inner.mkdir(parents=True, exist_ok=True)
        write_pdf(inner / f"{number:04}.pdf", rng, rng.choice((1, 1, 1, 2, 5)))
    for number in range(n_bad):
        write_bad(texts, number, rng)
    pictures.mkdir(parents=True)
    for number in range(n_pictures):
        write_picture(pictures / f"{number:04}.png", rng)


def command(inputs: Path, run: Path, workers: int, *more: str) -> list[str]:
    words = ["-m", "docai", "batch", str(inputs), "-o", str(run), "--workers", str(workers)]
    return [sys.executable, *words, "--progress", "off", *more]


def start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)


def disturbed(inputs: Path, run: Path, args: object, kills: int, more: tuple[str, ...]) -> Counter[str]:
    """Read to the end in spite of so many kills. Returns how many of each kind there were."""
    rng = random.Random(args.seed)
    killed: Counter[str] = Counter()
    while True:
        resume = ("--resume",) if (run / "settings.json").exists() else ()
        process = start(command(inputs, run, args.workers, *resume, *more))
        while process.poll() is None:
            if killed.total() >= kills:
                process.wait()
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(2.0, args.between))
                break
            who = rng.choice(("coordinator", "child", "child"))
            if who == "coordinator":
                process.kill()
                process.wait()
            else:
                with suppress(psutil.NoSuchProcess):
                    children = psutil.Process(process.pid).children()
                    if not children:
                        continue
                    os.kill(rng.choice(children).pid, signal.SIGKILL)
            killed[who] += 1
        if process.returncode in (0, 1, 3):
            return killed


def rows_of(run: Path) -> dict[str, Row]:
    with Manifest(run / "manifest.sqlite") as manifest:
        return {row.name: row for row in manifest.rows()}


def results_of(run: Path) -> dict[str, bytes]:
    results = run / "results"
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in results.rglob("*")
        if path.is_file()
    }


def compare(one: Path, other: Path) -> Compared:
    a, b = rows_of(one), rows_of(other)
    facts = [
        {name: (row.state, row.code, row.pages, row.failed_pages, row.records) for name, row in rows.items()}
        for rows in (a, b)
    ]
    rows = sum(facts[0].get(name) != facts[1].get(name) for name in {*facts[0], *facts[1]})
    first, second = results_of(one), results_of(other)
    results = sum(first.get(name) != second.get(name) for name in {*first, *second})
    wanted = {f"{name}.json" for name, row in b.items() if row.state in ("done", "partial")}
    unfinished = {str(row.number) for row in b.values() if row.state == "partial"}
    left = [path for path in (other / "pages").iterdir() if path.name not in unfinished]
    return Compared(rows, results, len(wanted ^ set(second)) + len(left))


def parts(folder: Path, args: object) -> Iterator[tuple[str, Path, int, tuple[str, ...]]]:
    """Name, inputs, kills and options of each part."""
    alone = ("--witnesses", "off", "--readback", "off")
    yield "with a text layer, and bad ones", folder / "text", args.kills, alone
    yield "pictures, all readers", folder / "pictures", max(1, args.kills // 5), ()
    real = real_data() if args.real else None
    if real is not None:
        yield "real PDFs", real / "pdfs", max(1, args.kills // 5), alone


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--between", type=float, default=25.0, help="most seconds between two kills")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep everything there")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="docai-soak-"))
    differs = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draw_documents(folder, args.documents, args.seed)
        print("| part | inputs | states | undisturbed, s | kills | disturbed, s | rows | results | strays |")
        print("|---|---|---|---|---|---|---|---|---|")
        for number, (name, inputs, kills, more) in enumerate(parts(folder, args)):
            whole, broken = folder / f"whole-{number}", folder / f"broken-{number}"
            started = time.monotonic()
            start(command(inputs, whole, args.workers, *more)).wait()
            seconds = time.monotonic() - started
            started = time.monotonic()
            killed = disturbed(inputs, broken, args, kills, more)
            lasted = time.monotonic() - started
            found = compare(whole, broken)
            rows = rows_of(whole)
            states = Counter(row.state for row in rows.values())
            differs |= found != Compared(0, 0, 0)
            print(
                f"| {name} | {len(rows)} | {', '.join(f'{n} {state}' for state, n in states.items())} "
                f"| {seconds:.0f} | {', '.join(f'{n} {who}' for who, n in killed.items())} | {lasted:.0f} "
                f"| {found.rows} | {found.results} | {found.strays} |",
                flush=True,
            )
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
