"""Load on a service: many clients at a time on the loopback address, good and bad documents mixed.

    python benchmarks/serve_load.py --clients 32 --seconds 120

Starts ``docai serve`` and puts documents to it until the time is over. Every request has an answer that is
known before: a result with the right words, a refusal with the right status, or 429 with ``Retry-After``,
after which it is asked again. Some clients go away before the answer, some give jobs up. At the end all that
was begun has to be answered, and nothing of a document may be left in the service's folder; the memory of its
processes is printed. Exit code 1 where an answer was lost or wrong, or files are left. Second readers are
off: it is the service that is measured here. Needs the extras ``serve`` and ``dev``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pymupdf
import urllib3

from docai.service.jobs import PREFIX

PATIENCE = 300.0
"""Seconds for one answer."""

MAX_PAUSE = 3.0
"""Seconds that a client waits after 429, whatever it is told: there are 31 others."""


@dataclass(frozen=True)
class Case:
    """A request, and the answer that it has to get."""

    name: str
    data: bytes
    status: int
    words: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass
class Tally:
    """What the clients saw; all of them write to it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, what: str, seconds: float | None = None) -> None:
        with self.lock:
            self.counts[what] += 1
            if seconds is not None:
                self.seconds.append(seconds)

    def complain(self, problem: str) -> None:
        with self.lock:
            self.problems.append(problem)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--queue", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="docai-load-") as folder:
        return measure(asked, Path(folder))


def measure(asked: argparse.Namespace, folder: Path) -> int:
    command = [
        *(sys.executable, "-m", "docai", "serve", "--port", "0", "--witnesses", "off", "--readback", "off"),
        *("--workers", str(asked.workers), "--queue", str(asked.queue), "--max-bytes", "1000000"),
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, "TMPDIR": str(folder)}
    ) as service:
        assert service.stderr is not None
        url = service.stderr.readline().split()[0]
        try:
            tally, memory = load(asked, url, psutil.Process(service.pid))
            left = files_left(folder)
            ok = report(asked, tally, memory, left, url)
        finally:
            service.send_signal(signal.SIGTERM)
            code = service.wait(120)
    # A second reader or a font cache may have files of its own there; those of documents are in this one.
    kept = [path.name for path in folder.iterdir()]
    print(f"exit code of the service {code}; files left after it: {kept}")
    return 0 if ok and code == 0 and not [name for name in kept if name.startswith(PREFIX)] else 1


def load(
    asked: argparse.Namespace, url: str, service: psutil.Process
) -> tuple[Tally, list[tuple[float, int, int]]]:
    tally, cases = Tally(), make_cases()
    memory: list[tuple[float, int, int]] = []
    # Workers, libraries and the process for results are there before the clock starts.
    run_case(url, cases[0], tally)
    run_case(url, cases[1], tally)
    tally.seconds.clear()
    started = time.monotonic()
    until = started + asked.seconds
    clients = [
        threading.Thread(target=client, args=(url, cases, until, random.Random(asked.seed + number), tally))
        for number in range(asked.clients)
    ]
    for one in clients:
        one.start()
    while any(one.is_alive() for one in clients):
        children = service.children(recursive=True)
        memory.append((time.monotonic() - started, service.memory_info().rss, sum(map(rss_of, children))))
        time.sleep(1.0)
    for one in clients:
        one.join()
    # Documents whose callers went away are given up after that.
    wait_until_idle(url)
    return tally, memory


def client(url: str, cases: list[Case], until: float, chance: random.Random, tally: Tally) -> None:
    acts: list[Callable[[str, Case, Tally], None]] = [run_case] * 8 + [run_job] * 2 + [leave, give_up]
    while time.monotonic() < until:
        try:
            chance.choice(acts)(url, chance.choice(cases), tally)
        except Exception as error:
            tally.add("lost")
            tally.complain(f"{type(error).__name__}: {error}")


def run_case(url: str, case: Case, tally: Tally) -> None:
    """Wait for the result."""
    started = time.monotonic()
    answer = send(f"{url}/v1/process", case, tally)
    check(case, answer.status, answer.data, tally, time.monotonic() - started)


def run_job(url: str, case: Case, tally: Tally) -> None:
    """Put it into the queue, follow its events, and fetch the result."""
    started = time.monotonic()
    answer = send(f"{url}/v1/jobs", case, tally)
    if answer.status != 202:
        check(case, answer.status, answer.data, tally, None)
        return
    job = url + answer.headers["Location"]
    events = ask("GET", f"{job}/events").data.decode()
    if "event: end" not in events:
        tally.complain(f"{case.name}: the events of a job have no end")
    to = dict(case.fields).get("to", "json")
    result = ask("GET", f"{job}/result?to={to}")
    check(case, result.status, result.data, tally, time.monotonic() - started)
    ask("DELETE", job)


def leave(url: str, case: Case, tally: Tally) -> None:
    """Go away before the answer."""
    with urllib3.PoolManager() as pool:
        try:
            post(pool, f"{url}/v1/process", case, timeout=urllib3.Timeout(connect=60.0, read=0.5))
            tally.add("answered before it left")
        except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.MaxRetryError):
            tally.add("left")


def give_up(url: str, case: Case, tally: Tally) -> None:
    """Put it into the queue, and give it up."""
    answer = send(f"{url}/v1/jobs", case, tally)
    if answer.status == 202:
        status = ask("POST", url + answer.headers["Location"] + "/cancel")
        state = json.loads(status.data)["state"]
        tally.add(f"given up: {state}")
        ask("DELETE", url + answer.headers["Location"])
    else:
        check(case, answer.status, answer.data, tally, None)


def send(url: str, case: Case, tally: Tally) -> urllib3.BaseHTTPResponse:
    """Ask until there is a place in the queue."""
    while True:
        with urllib3.PoolManager() as pool:
            answer = post(pool, url, case, timeout=urllib3.Timeout(connect=60.0, read=PATIENCE))
        if answer.status != 429:
            return answer
        tally.add("429, asked again")
        time.sleep(min(float(answer.headers["Retry-After"]), MAX_PAUSE))


def post(
    pool: urllib3.PoolManager, url: str, case: Case, timeout: urllib3.Timeout
) -> urllib3.BaseHTTPResponse:
    fields: dict[str, Any] = {**dict(case.fields), "file": (f"{case.name}.pdf", case.data)}
    return pool.request("POST", url, fields=fields, timeout=timeout, retries=False)


def ask(method: str, url: str) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as pool:
        return pool.request(method, url, timeout=PATIENCE, retries=False)


def check(case: Case, status: int, data: bytes, tally: Tally, seconds: float | None) -> None:
    if status != case.status or case.words.encode() not in data:
        tally.add("wrong")
        tally.complain(f"{case.name}: status {status} in place of {case.status}: {data[:200]!r}")
    else:
        tally.add(f"{case.name} {status}", seconds)


def make_cases() -> list[Case]:
    """Good ones first."""
    good = make_pdf("Alpha", "Beta")
    locked = make_pdf("Secret", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="word")
    return [
        Case("good", good, 200, "Beta"),
        Case("as markdown", make_pdf("Gamma"), 200, "Gamma", (("to", "md"),)),
        Case(
            "one page of many",
            make_pdf(*(f"Page {n}" for n in range(1, 21))),
            200,
            "Page 7",
            (("pages", "7"),),
        ),
        Case("locked, opened", locked, 200, "Secret", (("password", "word"),)),
        Case("locked", locked, 422, "PasswordRequiredError"),
        Case("cut", good[:100], 422, "DamagedSourceError"),
        Case("empty", b"", 422, "EmptySourceError"),
        Case("no document", b"words and words and words", 415, "NotADocumentError"),
        Case("too large", b"%PDF-1.7" + bytes(1_200_000), 413, "TooManyBytesError"),
        Case("unknown option", good, 422, "InvalidRequest", (("color", "red"),)),
    ]


def make_pdf(*texts: str, **save: Any) -> bytes:
    with pymupdf.open() as document:
        for text in texts:
            page = document.new_page(width=300, height=400)
            page.insert_textbox((40, 120, 260, 300), f"{text} is what stands on this page. " * 3, fontsize=11)
        data: bytes = document.tobytes(**save)
    return data


def rss_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def wait_until_idle(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        health = json.loads(ask("GET", f"{url}/v1/health").data)
        if not health["running"] and not health["waiting"]:
            # The last one is removed after its end.
            time.sleep(1.0)
            return
        time.sleep(0.2)


def files_left(folder: Path) -> list[str]:
    """Of documents, while the service still runs."""
    return [
        str(path.relative_to(folder))
        for pattern in ("*/uploads/*", "*/pool/results/*", "*/pool/pages/*")
        for path in folder.glob(pattern)
    ]


def report(
    asked: argparse.Namespace,
    tally: Tally,
    memory: list[tuple[float, int, int]],
    left: list[str],
    url: str,
) -> bool:
    n_lost, n_wrong = tally.counts.pop("lost", 0), tally.counts.pop("wrong", 0)
    print(f"{asked.clients} clients, {asked.seconds:g} s, {asked.workers} workers, queue of {asked.queue}")
    for what, count in sorted(tally.counts.items()):
        print(f"  {count:6}  {what}")
    print(f"  {n_lost:6}  lost\n  {n_wrong:6}  wrong")
    for problem in tally.problems[:10]:
        print("   ", problem)
    if tally.seconds:
        ordered = sorted(tally.seconds)
        p95 = ordered[int(0.95 * (len(ordered) - 1))]
        print(f"seconds to an answer, waiting included: median {median(ordered):.2f}, 95 % {p95:.2f}")
    third = max(1, len(memory) // 3)
    for name, place in (("the service", 1), ("its processes", 2)):
        values = [row[place] / 2**20 for row in memory]
        first, last = values[third : 2 * third] or values, values[-third:]
        print(
            f"MiB of {name}: median of the second third {median(first):.0f}, of the last third "
            f"{median(last):.0f}, most {max(values):.0f}"
        )
    print(f"files of documents left in its folder: {len(left)} {left[:3] or ''}")
    return not (n_lost or n_wrong or tally.problems or left)


if __name__ == "__main__":
    sys.exit(main())
