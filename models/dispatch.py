"""What many callers ask of one scheduler: put to it at any time, by any thread, and waited for together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from docai.errors import GenerationError
from docai.models.generation import Answer
from docai.models.jobs import Job
from docai.models.scheduler import Scheduler
from docai.models.turns import Turns


@dataclass(eq=False)
class Ticket:
    """One crop on its way."""

    work: Job | Callable[[], Answer]
    """What is read greedily, or a search that takes the whole model for a while."""
    outcome: Answer | Exception | None = None
    """The answer, or what it failed with; None: not ready."""


class Dispatcher:
    """Brings the tickets of all callers through one scheduler.

    Args:
        scheduler: which nobody else uses.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._turns = Turns()
        # Only who takes a step touches the scheduler. This may be written to meanwhile.
        self._inbox: deque[Ticket] = deque()
        self._tickets: dict[Job, Ticket] = {}
        self._searches: deque[Ticket] = deque()

    def submit(self, tickets: Iterable[Ticket]) -> None:
        """Have crops read. Any thread may call this at any time, and never waits."""
        self._inbox.extend(tickets)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Return once ``is_done``, having answers written as long as that takes.

        Raises:
            Exception: the scheduler failed with it, and no crop in particular.
        """
        self._turns.until(is_done, self._step)

    def forget(self, tickets: Collection[Ticket]) -> None:
        """Drop what nobody waits for any more."""
        unwanted = set(tickets)
        with self._turns.alone():
            self._sort()
            jobs = [job for job, ticket in self._tickets.items() if ticket in unwanted]
            self.scheduler.cancel(jobs)
            for job in jobs:
                del self._tickets[job]
            self._searches = deque(ticket for ticket in self._searches if ticket not in unwanted)

    def close(self) -> None:
        """Drop everything, which is answered with an error, and give the memory of all slots back."""
        with self._turns.alone():
            self._sort()
            self.scheduler.cancel(list(self._tickets))
            for ticket in (*self._tickets.values(), *self._searches):
                ticket.outcome = GenerationError("The engine was closed before it had answered.")
            self._tickets.clear()
            self._searches.clear()
            self.scheduler.release()

    def _sort(self) -> None:
        """Put what has come to where it waits."""
        while self._inbox:
            ticket = self._inbox.popleft()
            if isinstance(ticket.work, Job):
                self._tickets[ticket.work] = ticket
                self.scheduler.submit(ticket.work)
            else:
                self._searches.append(ticket)

    def _step(self) -> bool:
        """Write one token of each answer, or make a whole search. Returns whether an answer is ready."""
        self._sort()
        # What is waiting waits for a search, or a long stream would never let it begin.
        self.scheduler.is_held = bool(self._searches)
        if self._searches and not self.scheduler.is_writing:
            ticket = self._searches.popleft()
            assert not isinstance(ticket.work, Job)
            try:
                ticket.outcome = ticket.work()
            except Exception as error:
                ticket.outcome = error
            return True
        if self.scheduler.is_idle:
            raise GenerationError("A request was lost. This is a bug of docai; please report it.")
        outcomes = self.scheduler.step()
        for job, outcome in outcomes:
            self._tickets.pop(job).outcome = outcome
        return bool(outcomes)
