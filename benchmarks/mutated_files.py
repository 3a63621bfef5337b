"""Damages documents at random and reads them in worker processes: none may hurt the process that reads them.

    python benchmarks/mutated_files.py [--count 20000] [--minutes M] [--seed 1] [--only N] [--folder FOLDER]

The documents are of six corpora: the samples of the repository, pairs of the synthesis, PDFs that PyMuPDF
makes (forms, links, encryption, object streams, with and without compression), pages and tables as drawn
for the soak, pictures of every type and mode, and the awkward PDFs and pictures of the folder of real
documents (``DOCAI_REAL_DATA``), where there is one. Each file is damaged by one to three of: flipped bits,
a cut, a span of zeros, a span written twice or taken out, a piece of another file, the head of another
type, swapped values of dictionaries, and numbers that are huge or negative. The first page goes all the way
from ingest through layout to records, with a model that says nothing and without second readers, as in
``docai process`` of several inputs.

Printed: for each corpus how many were read whole, read with a page that failed, refused by each error, and
given up because their process crashed or took too long; then errors that are no error of docai's but a
fault of it, each with the number that shows it again (``--only``), and the slowest. The exit code is 1
where there is such a fault, or a document took longer than its limits allow.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import pymupdf
from batch_documents import awkward_pdfs, write_pdf
from common import real_data, script_parser
from PIL import Image, ImageDraw

from docai import DocaiError, Document, Limits, ScriptedEngine
from docai.batch import make_setup
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.batch.pool import DocumentPool, PoolInput
from docai.pipelines.synthesis import samples

LIMITS: Final = Limits(max_seconds_per_step=20, max_seconds_per_page=40, max_pixels=30_000_000)

SLACK_SECONDS: Final = 30.0
"""Beyond the limits, for starting processes on a machine that does other things, too."""

ROOT: Final = Path(__file__).resolve().parents[1]

_HEADS: Final = (b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"MM\0*", b"BM", b"RIFF")
_NUMBERS: Final = (b"0", b"-1", b"65536", b"2147483648", b"99999999999", b"1e9", b"0.0000001")
_VALUE: Final = re.compile(rb"/[A-Z][A-Za-z]+ ?(?=[/\[(<0-9])([^/>\[\]()<]{1,24}|/[A-Za-z0-9]+)")
_NUMBER: Final = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")


def corpora(seed: int) -> Mapping[str, Sequence[bytes]]:
    """Name of a corpus → its files."""
    rng = random.Random(seed)
    found = {
        "samples/": [path.read_bytes() for path in sorted(ROOT.glob("samples/*.p[dn][fg]"))],
        "synthesis": [
            _encoded(sample.image, "PNG")
            for head in ("table", "molecule", "text")
            for sample in islice(samples(head, seed), 6)
        ],
        "PyMuPDF": list(_made_pdfs(rng)),
        "drawn pages": list(_drawn_pages(rng)),
        "pictures": list(_pictures(rng)),
    }
    if (real := real_data()) is not None:
        paths = [
            *awkward_pdfs(real),
            *sorted(real.glob("text/*/*.jpg")),
            *sorted(real.glob("molecules/*/*.tif"))[:8],
        ]
        found["real files"] = [path.read_bytes() for path in paths if path.stat().st_size]
    return found


def _encoded(picture: Image.Image, kind: str, **save: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **save)
    return file.getvalue()


def _made_pdfs(rng: random.Random) -> Iterator[bytes]:
    for number in range(12):
        with pymupdf.open() as document:
            page = document.new_page(width=300 + 10 * number, height=400)
            page.insert_text((30, 60), "Some text of a page\nand another line", fontsize=12)
            page.insert_htmlbox(
                (30, 100, 250, 200), "<p>مرحبا <b>bold</b> 你好</p><table><tr><td>1</td></tr></table>"
            )
            page.insert_link(
                {"kind": pymupdf.LINK_URI, "from": pymupdf.Rect(0, 0, 9, 9), "uri": "http://x.y"}
            )
            page.add_freetext_annot((30, 210, 200, 240), "A note")
            page.insert_image((30, 250, 130, 350), stream=_encoded(Image.effect_noise((64, 64), 60), "PNG"))
            field = pymupdf.Widget()
            field.rect, field.field_name = pymupdf.Rect(150, 260, 250, 280), "field"
            field.field_type, field.field_value = pymupdf.PDF_WIDGET_TYPE_TEXT, "value"
            page.add_widget(field)
            page.set_rotation(90 * (number % 4))
            document.set_toc([[1, "First", 1]])
            save: dict[str, object] = {"deflate": number % 2 == 0, "garbage": number % 4}
            if number % 3 == 0:
                save |= {"use_objstms": 1}
            elif number % 3 == 1:
                save |= {"encryption": pymupdf.PDF_ENCRYPT_AES_128, "owner_pw": "o"}
            yield document.tobytes(**save)


def _drawn_pages(rng: random.Random) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(12):
            path = Path(folder, f"{number}.pdf")
            write_pdf(path, rng, 1, n_words=60)
            data = path.read_bytes()
            # Without compression damage reaches what the page says, not only its filters.
            with pymupdf.open(stream=data) as document:
                yield document.tobytes(expand=255, deflate=False, garbage=1) if number % 2 else data


def _pictures(rng: random.Random) -> Iterator[bytes]:
    page = Image.new("L", (500, 380), "white")
    draw = ImageDraw.Draw(page)
    for line in range(9):
        draw.text((30, 30 + 36 * line), f"Line {line} of a page, {rng.random():.6f}", fill=0, font_size=20)
    for mode in ("1", "L", "P", "RGB", "RGBA", "I;16"):
        yield _encoded(page.convert(mode) if mode != "I;16" else page.convert("I").convert("I;16"), "PNG")
    for mode in ("L", "RGB", "CMYK"):
        yield _encoded(page.convert(mode), "JPEG")
    yield _encoded(page.convert("RGB"), "JPEG", progressive=True)
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "jpeg"):
        yield _encoded(page, "TIFF", compression=compression, save_all=True, append_images=[page.rotate(90)])
    yield _encoded(page.convert("1"), "TIFF", compression="group4")
    for lossless in (False, True):
        yield _encoded(page.convert("RGB"), "WEBP", lossless=lossless)
    yield _encoded(page.convert("RGB"), "BMP")


def damaged(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The file after one to three changes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = _changed(bytearray(data or b"\0"), others, rng)
    return data


def _changed(data: bytearray, others: Sequence[bytes], rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    end = min(len(data), start + int(2 ** rng.uniform(0, 12)))
    match rng.randrange(9):
        case 0:
            for _ in range(rng.choice((1, 4, 16, 64))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[start:]
        case 2:
            data[start:end] = bytes(end - start)
        case 3:
            data[start:start] = data[start:end] * rng.choice((1, 1, 50))
        case 4:
            del data[start:end]
        case 5:
            other = rng.choice(others)
            first = rng.randrange(len(other))
            data[start:end] = other[first : first + int(2 ** rng.uniform(4, 12))]
        case 6:
            head = rng.choice(_HEADS)
            data[: len(head)] = head
        case 7:
            values = list(_VALUE.finditer(data))
            if len(values) > 1:
                first, second = sorted(rng.sample(values, 2), key=lambda one: one.start())
                texts = first[1], second[1]
                data[second.start(1) : second.end(1)] = texts[0]
                data[first.start(1) : first.end(1)] = texts[1]
        case 8:
            if numbers := list(_NUMBER.finditer(data)):
                one = rng.choice(numbers)
                data[one.start() : one.end()] = rng.choice(_NUMBERS)
    return bytes(data)


def mutants(files: Mapping[str, Sequence[bytes]], seed: int, numbers: Sequence[int]) -> Iterator[PoolInput]:
    """The damaged files; the corpora take turns."""
    everything = [data for group in files.values() for data in group]
    names = list(files)
    for number in numbers:
        rng = random.Random(f"{seed}-{number}")
        name = names[number % len(names)]
        yield PoolInput(Path(f"{name} {number}"), damaged(rng.choice(files[name]), everything, rng))


def outcome_of(reading: Document | Exception) -> tuple[str, str]:
    """What became of a file, in a word, and what is a fault of docai's, if anything."""
    if isinstance(reading, Document):
        failed = [issue for issue in reading.issues if issue.code in ("page-failed", "layout-failed")]
        if not failed:
            return "read", ""
        message = failed[0].message
        kind = failed[0].code.replace("-", " ")
        if "crashed" in message:
            return f"{kind}: crashed", ""
        if "longer than" in message:
            return f"{kind}: too long", ""
        # "code=" is an error of MuPDF's; others than docai's own are told with their type.
        is_fault = re.search(r"failed: (\w+)|found \((\w+)", message) and "code=" not in message
        return kind, message if is_fault else ""
    message = str(reading)
    if "crashed" in message:
        return ("worker given up" if "was given up: the process" in message else "given up: crashed"), ""
    if not isinstance(reading, DocaiError):
        return "fault", f"{type(reading).__name__}: {message}"
    return type(reading).__name__, ""


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, help="no more of them are read after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the one of this number")
    parser.add_argument(
        "--folder", type=Path, help="keep files there that cost their process or show a fault"
    )
    args = parser.parse_args()
    files = corpora(args.seed)
    numbers = range(args.count) if args.only is None else [args.only]
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    options = Options(witnesses="off", readback="off", limits=LIMITS)
    setup = make_setup(options, engine=engine, workers=1)
    outcomes: Counter[tuple[str, str]] = Counter()
    faults: dict[str, list[int]] = {}
    seconds: list[tuple[float, int]] = []
    started = before = time.monotonic()
    temporary = Path(tempfile.mkdtemp(prefix="docai-mutated-"))

    def in_time() -> Iterator[PoolInput]:
        for one in mutants(files, args.seed, numbers):
            if args.minutes is not None and time.monotonic() - started > 60 * args.minutes:
                return
            yield one

    try:
        with DocumentPool(setup, temporary, pages="1") as pool:
            for index, reading in pool.read(in_time()):
                number = numbers[index]
                now = time.monotonic()
                seconds.append((now - before, number))
                before = now
                what, fault = outcome_of(reading)
                outcomes[list(files)[number % len(files)], what] += 1
                if fault:
                    faults.setdefault(re.sub(r"\d+", "N", fault)[:200], []).append(number)
                if args.folder is not None and (fault or ":" in what or "given up" in what):
                    args.folder.mkdir(parents=True, exist_ok=True)
                    (one,) = mutants(files, args.seed, [number])
                    (args.folder / f"{number}-{what.replace(' ', '-').replace(':', '')}").write_bytes(
                        one.data or b""
                    )
                if args.only is not None:
                    print(reading)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    n_files = sum(outcomes.values())
    print(f"{n_files} files, seed {args.seed}, {time.monotonic() - started:.0f} s")
    kinds = [kind for kind, _ in Counter(what for _, what in outcomes.elements()).most_common()]
    print(f"\n| corpus | files | {' | '.join(kinds)} |\n|---|---|{'---|' * len(kinds)}")
    for name in (*files, "all"):
        counts = [
            sum(n for (one, what), n in outcomes.items() if what == kind and name in (one, "all"))
            for kind in kinds
        ]
        print(f"| {name} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    for fault, shown in sorted(faults.items(), key=lambda item: -len(item[1])):
        print(f"\nfault, {len(shown)} times, such as {shown[:5]}: {fault}")
    seconds.sort(reverse=True)
    print("\nslowest: " + ", ".join(f"{taken:.1f} s ({number})" for taken, number in seconds[:8]))
    most = LIMITS.max_seconds_per_page + LIMITS.max_seconds_per_step + SLACK_SECONDS
    is_late = seconds[0][0] > most
    print(f"longer than {most:.0f} s: {sum(taken > most for taken, _ in seconds)}")
    return int(bool(faults) or is_late)


if __name__ == "__main__":
    sys.exit(main())
