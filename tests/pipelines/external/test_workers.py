"""Work in processes: order kept, and a process that dies takes one item with it."""

from __future__ import annotations

import operator
import os
from functools import partial
from itertools import islice

import pytest

from docai.pipelines.external.workers import WorkerDied, each_in_process


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
