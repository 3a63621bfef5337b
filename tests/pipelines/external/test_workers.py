"""Work in other processes: order is kept, and a crash costs one item or one request."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from docai.pipelines.external.workers import JsonWorker, WorkerDied, WorkerError, each_in_process


def test_one_process_is_this_one() -> None:
    assert list(each_in_process(abs, range(-20, 0), processes=1)) == list(range(20, 0, -1))
    assert list(each_in_process(eval, ["__import__('os').getpid()"], processes=1)) == [os.getpid()]


def test_a_process_that_dies_loses_its_own_item_only() -> None:
    # The first two are under way at once; the last one breaks the processes that came after theirs.
    work = [partial(int, index) for index in range(7)]
    work[0] = work[1] = work[6] = partial(os._exit, 1)
    expected = [WorkerDied() if index in (0, 1, 6) else index for index in range(7)]
    assert list(each_in_process(operator.call, work, processes=2)) == expected


def test_a_process_starts_without_a_pdf_library_or_torch() -> None:
    """PyMuPDF would load its layout model too: a second for each process."""
    users = ("evaluation.scoring", "evaluation.metrics.teds", "synthesis.write")
    loaded = f"""[
        *map(__import__('importlib').import_module, {[f"docai.pipelines.{user}" for user in users]}),
        sorted({{'pymupdf', 'torch', 'transformers'}} & set(__import__('sys').modules)),
    ][-1]"""
    assert list(each_in_process(eval, [loaded], processes=2)) == [[]]


def test_a_process_imports_what_its_work_needs_and_leaves_ctrl_c_to_the_one_that_owns_it() -> None:
    found = "any(name.startswith('docai') for name in __import__('sys').modules)"
    ignored = "__import__('signal').getsignal(2).name"
    assert list(each_in_process(eval, [found, ignored], processes=2)) == [False, "SIG_IGN"]


def test_nothing_is_done_without_items() -> None:
    assert list(each_in_process(abs, [], processes=2)) == []


def test_results_come_in_order_and_items_are_read_as_needed() -> None:
    read = []
    items = (read.append(index) or index for index in range(-1000, 0))
    outcomes = each_in_process(abs, items, processes=2)
    assert next(outcomes) == 1000
    assert len(read) < 20
    assert list(islice(outcomes, 40)) == list(range(999, 959, -1))
    assert len(read) < 60
    outcomes.close()


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(each_in_process(int, ["1", "x"], processes=2))


READY = "import json, sys; print('{}', flush=True)\n"
ECHO = READY + "for line in sys.stdin: print(line.strip(), flush=True)"
PID = READY + "import os\nfor line in sys.stdin: print(json.dumps({'pid': os.getpid()}), flush=True)"


@pytest.fixture
def child() -> Iterator[Callable[..., JsonWorker]]:
    """Makes a worker that runs some code."""
    workers: list[JsonWorker] = []

    def make(code: str, **options: int) -> JsonWorker:
        workers.append(JsonWorker("-I", "-c", code, **options))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def test_a_child_answers_each_request_whatever_characters_it_has(child: Callable[..., JsonWorker]) -> None:
    worker = child(ECHO)
    for text in ("a\nb", "\u00e9\U0001d11e", "\ud800", ""):
        assert worker.request({"text": text}, seconds=30) == {"text": text}


def test_a_child_is_kept_and_replaced_after_its_last_request_or_when_closed(
    child: Callable[..., JsonWorker],
) -> None:
    worker = child(PID, max_requests=2)
    first, second, third = (worker.request({}, seconds=30)["pid"] for _ in range(3))
    assert first == second != third
    worker.close()
    assert worker.request({}, seconds=30)["pid"] != third


@pytest.mark.parametrize(
    "crash",
    [
        "sys.stdin.readline(); os.abort()",
        "sys.stdin.readline(); print('{\"half\": [', end=''); sys.exit()",
        "sys.stdin.readline(); sys.stdin.close(); sys.exit(1)",
        "sys.stdin.close(); sys.exit(1)",
    ],
)
def test_a_crash_is_an_error_and_the_next_request_has_a_new_child(
    child: Callable[..., JsonWorker], tmp_path: Path, crash: str
) -> None:
    """The first child crashes, the next one answers."""
    once = f"import os, pathlib\nmark = pathlib.Path({str(tmp_path / 'crashed')!r})\nif not mark.exists():\n"
    worker = child(once + f"    mark.touch(); import sys; print('{{}}', flush=True); {crash}\n" + ECHO)
    with pytest.raises(WorkerError, match="the process crashed") as error:
        worker.request({"n": 1}, seconds=30)
    assert not error.value.timed_out
    assert worker.request({"n": 2}, seconds=30) == {"n": 2}


def test_a_child_that_hangs_is_ended_with_what_it_started(child: Callable[..., JsonWorker]) -> None:
    started = "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    worker = child(READY + (started if sys.platform != "win32" else "") + "import time; time.sleep(600)")
    with pytest.raises(WorkerError, match=r"it took longer than 0\.3 s") as error:
        worker.request({}, seconds=0.3)
    assert error.value.timed_out


def test_a_child_that_does_not_start_is_an_error(child: Callable[..., JsonWorker]) -> None:
    with pytest.raises(WorkerError, match="the process crashed"):
        child("import no_such_library").start()


def test_a_request_that_is_interrupted_leaves_no_answer_to_the_next_one(
    child: Callable[..., JsonWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = child(ECHO)
    worker.start()
    with monkeypatch.context() as patch:
        patch.setattr(JsonWorker, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.request({"n": 1}, seconds=30)
    assert worker.request({"n": 2}, seconds=30) == {"n": 2}


def interrupted(worker: JsonWorker, process: subprocess.Popen[bytes]) -> None:
    """The request is written, and Ctrl-C comes before its answer."""
    raise KeyboardInterrupt


def test_threads_that_share_a_child_get_their_own_answers(child: Callable[..., JsonWorker]) -> None:
    worker = child(ECHO)
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda n: worker.request({"n": n}, seconds=30)["n"], range(40))
        assert list(answers) == list(range(40))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_forked_process_leaves_the_child_alone() -> None:
    """In an interpreter of its own: pytest's has threads, which a fork would not survive."""
    code = f"""
import os
from docai.pipelines.external.workers import JsonWorker
worker = JsonWorker("-I", "-c", {PID!r})
own = worker.request({{}}, seconds=30)["pid"]
if not (forked := os.fork()):
    os._exit(worker.request({{}}, seconds=30)["pid"] == own)
print(os.waitpid(forked, 0)[1], worker.request({{}}, seconds=30)["pid"] == own)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]
