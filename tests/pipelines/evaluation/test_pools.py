"""Work in processes: order kept, and a process that dies takes one item with it."""

from __future__ import annotations

import operator
import os
from functools import partial

import pytest

from docai.pipelines.evaluation.pools import WorkerDied, each_in_process


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes: int) -> None:
    assert list(each_in_process(abs, range(-20, 0), processes=processes)) == list(range(20, 0, -1))


def test_a_process_that_dies_loses_its_own_item_only() -> None:
    work = [partial(int, index) for index in range(12)]
    work[3] = work[4] = work[11] = partial(os._exit, 1)
    expected = [WorkerDied() if index in (3, 4, 11) else index for index in range(12)]
    assert list(each_in_process(operator.call, work, processes=2)) == expected


def test_a_process_starts_without_a_pdf_library_or_torch() -> None:
    """PyMuPDF would load its layout model too: a second for each process."""
    loaded = "{'pymupdf', 'torch', 'transformers'} & set(__import__('sys').modules)"
    assert list(each_in_process(eval, [loaded], processes=2)) == [set()]


def test_nothing_is_done_without_items_and_items_are_read_as_needed() -> None:
    assert list(each_in_process(abs, [], processes=2)) == []
    read = []
    items = (read.append(index) or index for index in range(1000))
    outcomes = each_in_process(abs, items, processes=2)
    assert next(outcomes) == 0
    assert len(read) < 20
    outcomes.close()


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(each_in_process(int, ["1", "x"], processes=2))
