"""Many answers at a time: which crop is in which slot, and when each answer ends.

Each step writes one token of every answer that is being written, whatever head or grammar it has. An answer
that ends frees its slot, and the next crop that waits is read into it: short answers do not wait for long
ones. What an ended answer has read stays in its slot until the slot is needed, so that asking again about the
same picture reads nothing twice.

A failure is the answer to its crop. Where memory runs out, half of the slots are given up, and the crops
that were in them are read again; what had ended is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence

import torch

from docai.errors import GenerationError
from docai.models.drafts import Drafter
from docai.models.generation import Answer, SpecialTokens, StopReason
from docai.models.jobs import Job, Outcome, Pending, Row, is_out_of_memory, no_room
from docai.models.loops import LoopDetector
from docai.models.slots import Chosen, SlotDecoder

Select = Callable[[str | None], None]
"""Activates the adapter of that name; None: the base alone."""


class Scheduler:
    """Writes the answers of jobs, in the slots of one decoder. Not for several threads at once.

    Args:
        decoder: with the slots.
        special_tokens: those of the model.
        n_slots: most answers at a time.
        context: positions of the longest sequence.
        n_image: image tokens of a crop.
        select: activates the adapter of a job, so that answers with different adapters are not written
            together. None: the decoder has none, or has them side by side.
        n_prefill: most crops with equal prompts that are read at a time.
        n_behind: steps that the host is behind the device: it looks at a token while the device computes the
            next ones. Answers with a grammar or a draft need 0, which they get.
        draft_rows: most answers that are being written for drafts to be tried, see
            :mod:`docai.models.drafts`; 0: none are.
    """

    def __init__(
        self,
        decoder: SlotDecoder,
        special_tokens: SpecialTokens,
        *,
        n_slots: int,
        context: int,
        n_image: int,
        select: Select | None = None,
        n_prefill: int = 1,
        n_behind: int = 0,
        draft_rows: int = 0,
    ) -> None:
        self.n_slots = n_slots
        """Halved when memory runs out."""
        self.is_held = False
        """No more crops are read, until what is being written has ended."""
        self._decoder = decoder
        self._special_tokens = special_tokens
        self._ends = frozenset(special_tokens.ends)
        self._context = context
        self._n_image = n_image
        self._select = select
        self._selected: str | None = None
        self._n_prefill = n_prefill
        self._n_behind = n_behind
        self._draft_rows = draft_rows
        self._most = n_slots
        self._waiting: deque[Job] = deque()
        self._rows: list[Row | None] = []
        self._pending: deque[Pending] = deque()
        self._done: list[Outcome] = []
        self._n_ended = 0
        self.n_steps = self.n_prefilled = self.n_tokens = self.n_drafted = self.n_right = 0
        """So far: steps, crops read, tokens of all steps; tokens of drafts, and how many were right."""

    def submit(self, job: Job) -> None:
        """Have a job wait for a slot. Any thread may call this at any time."""
        self._waiting.append(job)

    def cancel(self, jobs: Collection[Job]) -> None:
        """Forget jobs, wherever they are."""
        unwanted = set(jobs)
        self._waiting = deque(job for job in self._waiting if job not in unwanted)
        self._rows = [None if row is not None and row.job in unwanted else row for row in self._rows]
        self._pending.clear()
        self._done = [outcome for outcome in self._done if outcome[0] not in unwanted]
        for row in self._live():
            # Tokens that were on their way are lost with the others of their step.
            self._rows[self._rows.index(row)] = None
            self._waiting.appendleft(row.job)

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing is being written."""
        return not (self._waiting or self.is_writing)

    @property
    def is_writing(self) -> bool:
        """An answer is being written, or is to be returned."""
        return bool(self._done or self._live())

    def step(self) -> list[Outcome]:
        """Read waiting crops into free slots, write one token of each answer, and return what ended."""
        with torch.inference_mode():
            try:
                self._admit()
                self._write()
            except Exception as error:
                self._recover(error)
        if not (self._waiting or self._live()):
            self._most = self.n_slots
        done, self._done = self._done, []
        return done

    def release(self) -> None:
        """Give the memory of the slots back, while nothing is being written."""
        self._rows = []
        self._pending.clear()
        self._decoder.release()

    def _live(self) -> list[Row]:
        return [row for row in self._rows if row is not None and row.reason is None]

    # Reading crops

    def _admit(self) -> None:
        """Read as many waiting crops as there are slots for."""
        while self._waiting and not self.is_held:
            live = self._live()
            room = min(self.n_slots, self._most) - len(live)
            job = self._waiting[0]
            if room < 1 or (live and self._select is not None and job.adapter != self._selected):
                return
            n_prompt = self._n_image + len(job.prompt)
            if self._context - n_prompt < 1 or job.budget < 1:
                self._waiting.popleft()
                self._done.append((job, no_room(n_prompt, self._context)))
                continue
            if job.is_late:
                self._waiting.popleft()
                self._done.append((job, Answer([], [], "deadline")))
                continue
            try:
                if not live and self._select is not None:
                    self._select(job.adapter)
                    self._selected = job.adapter
                if not self._ask_again(job):
                    self._read(self._next_group(room))
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                self._give_up(job, error)
            self._collect(self._n_behind)

    def _next_group(self, room: int) -> list[Job]:
        """Waiting jobs with the same prompt as the first, taken from the queue."""
        first = self._waiting.popleft()
        jobs = [first]
        while self._waiting and len(jobs) < min(room, self._n_prefill):
            job = self._waiting[0]
            if not _are_read_alike(job, first) or self._kept(job) is not None:
                break
            jobs.append(self._waiting.popleft())
        return jobs

    def _read(self, jobs: Sequence[Job]) -> None:
        """Read crops into free slots, and choose the first token of each answer."""
        rows: list[Row] = []
        try:
            rows += [self._row(job) for job in jobs]
            pixels = torch.stack([job.pixels() for job in jobs])
            # One more, for the step that the host may be behind.
            longest = max(row.n_prompt + self._room(row.job) for row in rows) + self._n_behind
            self._decoder.reserve(self.n_slots, longest)
            self._rows += [None] * (self._decoder.cache.n_slots - len(self._rows))
            slots = self._free_slots(len(jobs))
            for slot, row in zip(slots, rows, strict=True):
                self._rows[slot] = row
            first = jobs[0]
            logits = self._decoder.prefill(
                slots, pixels, first.prompt, first.adapter, causal_prompt=first.causal_prompt
            )
            self._take_first(slots, rows, logits)
        except Exception as error:
            self._rows = [None if row in rows else row for row in self._rows]
            self._waiting.extendleft(reversed(jobs))
            if is_out_of_memory(error) or len(jobs) == 1:
                raise
            # One of them: they are read one at a time from now on.
            self._n_prefill = 1
            return
        self.n_prefilled += len(jobs)

    def _row(self, job: Job) -> Row:
        n_prompt = self._n_image + len(job.prompt)
        matcher = None if job.constraint is None else job.constraint.matcher()
        # Where the host is behind the device, guesses cost that: only what the page says itself is worth it.
        is_guessed = self._draft_rows > 0 and (bool(job.draft) or not self._n_behind)
        drafter = Drafter(job.draft) if is_guessed else None
        return Row(job, n_prompt, LoopDetector(job.decoding), matcher, drafter, length=n_prompt)

    def _room(self, job: Job) -> int:
        """Tokens that an answer may have."""
        return min(job.budget, self._context - self._n_image - len(job.prompt))

    def _free_slots(self, count: int) -> list[int]:
        """Slots without an answer: those that hold nothing, then those whose answer ended first."""
        free = [index for index, row in enumerate(self._rows) if row is None or row.reason is not None]
        free.sort(key=lambda index: (0 if (row := self._rows[index]) is None else row.ended, index))
        return free[:count]

    def _kept(self, job: Job) -> Row | None:
        """The ended answer whose slot still holds what this job would read; None: no slot does."""
        if job.key is None:
            return None
        ended = (row for row in self._rows if row is not None and row.reason is not None)
        return next((row for row in ended if row.job.key == job.key), None)

    def _ask_again(self, job: Job) -> bool:
        """Write a job's answer from what a slot still holds. Returns whether one does."""
        before = self._kept(job)
        if before is None:
            return False
        slot, row = self._rows.index(before), self._row(job)
        self._waiting.popleft()
        self._rows[slot] = row
        self._decoder.reserve(self.n_slots, row.n_prompt + self._room(job) + self._n_behind)
        same = (job.decoding, job.constraint) == (before.job.decoding, before.job.constraint)
        if same and before.reason in ("length", "deadline") and self._room(job) > len(before.tokens):
            # The answer was cut: it goes on where it was. As a new row, since tokens after its end may still
            # be on their way.
            row.tokens, row.logprobs = before.tokens, before.logprobs
            row.loop, row.matcher, row.drafter = before.loop, before.matcher, before.drafter
            row.length += len(row.tokens) - 1
            self._decoder.resume(slot, row.length, row.tokens[-1])
            return True
        logits = self._decoder.rewind(slot, row.n_prompt)
        self._take_first([slot], [row], logits)
        return True

    def _take_first(self, slots: Sequence[int], rows: Sequence[Row], logits: torch.Tensor) -> None:
        allowed, failed = self._allowed(rows, logits)
        self._later(rows, self._decoder.choose(slots, logits, allowed))
        self._fail(failed)

    # Writing answers

    def _write(self) -> None:
        """One token of each answer that is being written."""
        live = self._live()
        tries = len(live) <= self._draft_rows and any(row.drafter is not None for row in live)
        if tries or any(row.matcher is not None for row in live):
            # The grammar, or who guesses, needs to know the last token.
            self._collect(0)
        n_rows = self._compact()
        if not n_rows:
            self._collect(0)
            return
        rows = [row for row in self._rows[:n_rows] if row is not None]
        drafts = [self._draft(row) for row in rows] if tries else []
        if any(drafts):
            logits = self._write_drafts(rows, drafts)
        else:
            logits = self._decoder.decode(n_rows, max(row.length for row in rows))
        allowed, failed = self._allowed(rows, logits)
        chosen = self._decoder.choose(slice(0, n_rows), logits, allowed)
        for row in rows:
            row.length += 1
        self.n_steps += 1
        self.n_tokens += n_rows
        self._later(rows, chosen)
        self._fail(failed)
        self._collect(self._n_behind)

    def _draft(self, row: Row) -> list[int]:
        """What the answer may go on with, so that the token after it has room, too."""
        if row.drafter is None:
            return []
        draft = row.drafter.propose(self._room(row.job) - len(row.tokens) - 1)
        if row.matcher is not None and draft:
            # What the grammar does not allow is never right.
            draft = draft[: row.matcher.validate_tokens(draft)]
        return draft

    def _write_drafts(self, rows: Sequence[Row], drafts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Write what is right of the drafts. Returns the logits of the token after that of each answer."""
        checked = self._decoder.decode_drafts(drafts, max(row.length for row in rows))
        counts: list[int] = checked.n_right.tolist()
        for row, draft, count, logprobs in zip(rows, drafts, counts, checked.logprobs.tolist(), strict=True):
            row.length += count
            if row.drafter is not None:
                row.drafter.judge(len(draft), count)
            for token, logprob in zip(draft[:count], logprobs, strict=False):
                if row.reason is None:
                    self._take(row, token, logprob)
        self.n_drafted += sum(map(len, drafts))
        self.n_right += sum(counts)
        self.n_tokens += sum(counts)
        return checked.logits

    def _compact(self) -> int:
        """Bring the answers that are being written into the first slots. Returns their number."""
        live = [index for index, row in enumerate(self._rows) if row is not None and row.reason is None]
        holes = [index for index in range(len(live)) if index not in live]
        for hole, index in zip(holes, reversed(live), strict=False):
            pair = self._rows[hole], self._rows[index]
            self._decoder.swap(hole, index, max(row.length for row in pair if row is not None))
            self._rows[hole], self._rows[index] = pair[1], pair[0]
        return len(live)

    def _allowed(
        self, rows: Sequence[Row], logits: torch.Tensor
    ) -> tuple[torch.Tensor | None, dict[Row, GenerationError]]:
        """What the grammars allow next, (rows, vocabulary), and the rows whose grammar fails."""
        matchers = [row.matcher if row.reason is None else None for row in rows]
        if not any(matcher is not None for matcher in matchers):
            return None, {}
        from docai.models.constrained import allowed_tokens

        allowed, reasons = allowed_tokens(matchers, logits)
        failed = {}
        for index, reason in reasons.items():
            name = "" if (constraint := rows[index].job.constraint) is None else constraint.name
            failed[rows[index]] = GenerationError(f"The grammar {name!r} failed: {reason}.")
        return allowed, failed

    def _fail(self, failed: dict[Row, GenerationError]) -> None:
        for row, error in failed.items():
            self._end(row, "stop")
            self._rows[self._rows.index(row)] = None
            self._done.append((row.job, error))

    def _later(self, rows: Sequence[Row], chosen: Chosen) -> None:
        """Have the host look at chosen tokens when they have arrived."""
        both = torch.stack([chosen.tokens.double(), chosen.logprobs.double()])
        event = None
        if both.is_cuda:
            both = torch.empty(both.shape, dtype=both.dtype, pin_memory=True).copy_(both, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._pending.append(Pending(rows, both, event))

    def _collect(self, n_left: int) -> None:
        """Look at tokens that have arrived, all but those of the last ``n_left`` steps."""
        while len(self._pending) > n_left:
            pending = self._pending.popleft()
            for row, token, logprob in zip(pending.rows, *pending.values(), strict=True):
                if row.reason is None:
                    self._take(row, token, logprob)

    def _take(self, row: Row, token: int, logprob: float) -> None:
        """The next token of an answer."""
        if token in self._ends:
            self._finish(row, "stop")
            return
        if row.drafter is not None:
            row.drafter.add(token)
        row.tokens.append(token)
        row.logprobs.append(logprob)
        if row.loop.add(token):
            self._finish(row, "loop")
        elif len(row.tokens) >= self._room(row.job):
            self._finish(row, "length")
        elif row.job.is_late:
            self._finish(row, "deadline")
        if row.matcher is not None and (
            token in self._special_tokens.silent or not row.matcher.consume_token(token)
        ):
            row.matcher = None

    def _finish(self, row: Row, reason: StopReason) -> None:
        self._end(row, reason)
        self._done.append((row.job, Answer(list(row.tokens), list(row.logprobs), reason)))
        if row.job.key is None:
            self._rows[self._rows.index(row)] = None

    def _end(self, row: Row, reason: StopReason) -> None:
        self._n_ended += 1
        row.reason, row.ended = reason, self._n_ended

    # Failures

    def _give_up(self, job: Job, error: Exception) -> None:
        """A job has failed with this, whether it waits or is being written."""
        self._waiting = deque(one for one in self._waiting if one is not job)
        self._rows = [None if row is not None and row.job is job else row for row in self._rows]
        # Its traceback holds on to tensors.
        error.__traceback__ = error.__context__ = None
        self._done.append((job, error))

    def _recover(self, error: Exception) -> None:
        """After a failure of no crop in particular, begin all answers again, fewer at a time.

        An answer that was alone has failed.

        Raises:
            Exception: the error itself, where nothing was being written or waits.
        """
        live = self._live()
        jobs = [row.job for row in live]
        self._pending.clear()
        self._rows = [None if row in live else row for row in self._rows]
        is_alone = len(jobs) < 2
        if is_out_of_memory(error):
            is_alone = is_alone and self.n_slots == 1
            self.n_slots = max(1, self.n_slots // 2)
            self.release()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            self._most = max(1, len(jobs) // 2)
        if is_alone:
            if not jobs and not self._waiting:
                raise error
            self._give_up(jobs.pop() if jobs else self._waiting[0], error)
        self._waiting.extendleft(reversed(jobs))


def _are_read_alike(one: Job, other: Job) -> bool:
    """Whether two crops can be read in one batch without padding."""
    return (one.prompt, one.adapter, one.causal_prompt) == (other.prompt, other.adapter, other.causal_prompt)
