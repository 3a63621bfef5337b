"""The processes of one training, as ``torchrun`` and ``accelerate launch`` start them.

    torchrun --nproc-per-node 4 -m docai train table --base … -o run/

Each process trains on its own share of every step. What is done once (checks, files, lines for people) the
main process does, while the others wait; they share one file system. The processes' batches together are
one step, so that N processes train what one does with batches N times as large.

After Ctrl-C the launcher waits 30 seconds for them, then ends them: where a batch and the writing of a state
take longer, give ``torchrun`` a longer ``--shutdown-timeout``.
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

_PATIENCE = timedelta(days=1)
"""How long a process waits for the others. The launcher ends all where one dies, so no wait is for nothing;
PyTorch's own ten minutes would end a run while the main process checks a large data set."""

_LEAVE = timedelta(seconds=15)
"""How long the first to end waits for the others."""


@dataclass(frozen=True)
class Ranks:
    """Which process of how many this is. One process alone waits for nobody."""

    rank: int = 0
    count: int = 1
    local: int = 0
    """Its number on its own machine, which is also that of its GPU."""

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def on_main(self, work: Callable[[], T]) -> T:
        """What ``work`` returns in the main process, in every process. It has to be picklable.

        Raises:
            StoppedElsewhereError: in the others, where ``work`` raised in the main process.
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
            raise StoppedElsewhereError("The main process of this training stopped, and says why.")
        found: T = value
        return found

    def together(self, work: Callable[[], None]) -> None:
        """Do ``work`` in every process, and go on only where all have done it.

        Raises:
            StoppedElsewhereError: in those that did it, where another one did not.
        """
        failed = True
        try:
            work()
            failed = False
        finally:
            (any_failed,) = self.any(failed)
        if any_failed:
            raise StoppedElsewhereError("Another process of this training stopped, and says why.")

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag as true as in any process."""
        if self.count == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return tuple(bool(value) for value in raised)

    def share(self, n: int) -> range:
        """Which of ``n`` things are for this process."""
        return range(self.rank, n, self.count)

    def joined(self, own: Sequence[T]) -> list[T]:
        """The results of every process's :meth:`share`, in the order of the things."""
        if self.count == 1:
            return list(own)
        every: list[Any] = [None] * self.count
        dist.all_gather_object(every, list(own))
        n = sum(len(part) for part in every)
        return [every[i % self.count][i // self.count] for i in range(n)]


def join_ranks() -> Ranks:
    """Meet the other processes that a launcher started; alone where none did.

    Source of the variables: PyTorch's documentation of ``torchrun``, which accelerate follows.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks()
    if not dist.is_initialized():
        # What the processes tell each other goes over gloo, gradients on GPUs over NCCL.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=_PATIENCE)
        # Not after each training: a second meeting under the same launcher finds the addresses of the first.
        atexit.register(_leave)
    return Ranks(dist.get_rank(), count, int(os.environ.get("LOCAL_RANK", "0")))


def _leave() -> None:
    """Take leave together: a process that is gone while another still listens was seen to abort that one."""
    # One that did not come, or a group that has no such barrier, is no reason to stay.
    with suppress(RuntimeError, ValueError):
        dist.monitored_barrier(timeout=_LEAVE)
    dist.destroy_process_group()
