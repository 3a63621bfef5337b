"""What documents do to their worker, by their names: functions in place of those of a worker."""

from __future__ import annotations

import os
import signal
import time

from docai.pipelines.batch import worker
from docai.pipelines.batch.worker import Job, Opened, open_document, read_page


def fault_at_opening(job: Job) -> Opened:
    """``poison…`` ends the process."""
    if job.path.name.startswith("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    return open_document(job)


def fault_at_page(number: int) -> int:
    """At page two ``crash…`` ends the process and ``hang…`` holds it; each page of ``slow…`` takes longer."""
    assert worker._open is not None
    name = worker._open.job.path.name
    if number == 2 and name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2 and name.startswith("hang"):
        time.sleep(600)
    if name.startswith("slow"):
        time.sleep(0.5)
    return read_page(number)


def die() -> None:
    """Ends the process that calls it."""
    os.kill(os.getpid(), signal.SIGKILL)
