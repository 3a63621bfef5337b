"""The processes of one training, as ``torchrun`` and ``accelerate launch`` start them.

    torchrun --nproc-per-node 4 -m docai train table --base … -o run/

Each process trains on its own share of every step. The main process does what is done once (checks, files,
lines of progress) while the others wait; all share one file system. The batches of all processes make one
step, so N processes train what one does with batches N times as large.

After Ctrl-C the launcher waits 30 seconds for the processes, then kills them: where a batch and the writing
of a state take longer, give ``torchrun`` a longer ``--shutdown-timeout``.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from docai.errors import StoppedElsewhereError

T = TypeVar("T")

_GROUP_TIMEOUT = timedelta(days=1)
"""How long a process waits for the others. The launcher ends all processes where one dies. PyTorch's default
of ten minutes would end a run while the main process checks a large data set."""

_EXIT_TIMEOUT = timedelta(seconds=15)
"""How long the first process to end waits for the others."""


@dataclass(frozen=True)
class ProcessGroup:
    """Which of how many processes this is. A single process waits for no other."""

    rank: int = 0
    count: int = 1
    local: int = 0
    """Its rank on its own machine, which is also the index of its GPU."""

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def run_on_main(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the main process, and return its result in every process. It has to be picklable.

        Raises:
            StoppedElsewhereError: in the other processes, where ``work`` raised in the main one.
        """
        if self.count == 1:
            return work()
        result: list[Any] = [False, None]
        if self.is_main:
            try:
                result = [True, work()]
            finally:
                dist.broadcast_object_list(result)
        else:
            dist.broadcast_object_list(result)
        succeeded, value = result
        if not succeeded:
            raise StoppedElsewhereError("The main process of this training failed; its own message says why.")
        returned: T = value
        return returned

    def run_on_all(self, work: Callable[[], None]) -> None:
        """Run ``work`` in every process, and return once it has succeeded in all of them.

        Raises:
            StoppedElsewhereError: in the processes where it succeeded, where it failed in another one.
        """
        failed = True
        try:
            work()
            failed = False
        finally:
            (any_failed,) = self.any_true(failed)
        if any_failed:
            raise StoppedElsewhereError("Another process of this training failed; its own message says why.")

    def any_true(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is true in any process."""
        if self.count == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return tuple(bool(value) for value in raised)

    def own_indices(self, n: int) -> range:
        """The indices, of ``n``, that this process works on."""
        return range(self.rank, n, self.count)

    def gather(self, own: Sequence[T]) -> list[T]:
        """The results of all processes for their :meth:`own_indices`, in the order of the indices."""
        if self.count == 1:
            return list(own)
        parts: list[Any] = [None] * self.count
        dist.all_gather_object(parts, list(own))
        n = sum(len(part) for part in parts)
        return [parts[i % self.count][i // self.count] for i in range(n)]


def join_process_group() -> ProcessGroup:
    """Join the other processes that a launcher started; a group of one where none did.

    Source of the variables: PyTorch's documentation of ``torchrun``, which accelerate follows.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ProcessGroup()
    if not dist.is_initialized():
        # Messages between processes go over gloo, gradients on GPUs over NCCL.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=_GROUP_TIMEOUT)
        # Not after each training: a second group under the same launcher finds the addresses of the first.
        atexit.register(_leave)
    return ProcessGroup(dist.get_rank(), count, int(os.environ.get("LOCAL_RANK", "0")))


def _leave() -> None:
    """Leave together: a process that ended while another one waited was seen to abort the other."""
    # A process that is gone already, or a group without such a barrier, is no reason to wait.
    with suppress(RuntimeError, ValueError):
        dist.monitored_barrier(timeout=_EXIT_TIMEOUT)
    dist.destroy_process_group()
