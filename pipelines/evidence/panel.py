"""Which witnesses are asked, and hearing them while the model reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from docai.errors import DocaiError
from docai.issues import make_issue
from docai.options import Witnesses
from docai.pipelines.evidence.base import Case, Statement, Witness
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.scanned_table import ScannedTables
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.external.programs import WitnessError
from docai.pipelines.tables.finder import find_table
from docai.records import Evidence


class TableFinder:
    """Sees rules and the places of the PDF's own words; it needs the page, not a picture."""

    name: Final[Evidence] = "table-finder"
    head: Final = "table"
    reads_pictures: Final = False
    wants_words: Final = True

    def available(self) -> str | None:
        """Always there: PyMuPDF is one of docai's own requirements."""
        return None

    def read(self, case: Case) -> Statement:
        """The grid it sees; see :func:`~docai.pipelines.tables.finder.find_table`."""
        found = find_table(case.page, case.bbox, case.words)
        return Statement(self.name) if found is None else Statement(self.name, found, found.html)


Hearing = Callable[[], Statement]
"""Gives what a witness says of one region, when it is done."""

MOST_AT_ONCE = 4
"""Regions that are heard beside each other: each takes a processor, and the model wants some, too."""


def known_witnesses() -> tuple[Witness, ...]:
    """All there are, installed or not: for a head at most one that reads regions with words of the PDF's own,
    and one that reads those without. Scores have none."""
    return (TableFinder(), ScannedTables(), Osra(), Tesseract())


class Panel:
    """The witnesses of one run; use it in a ``with`` block.

    What needs a picture alone is read in threads of its own, and what fails is an issue of its region.
    """

    def __init__(self, witnesses: Sequence[Witness] = ()) -> None:
        self._here = [witness for witness in witnesses if witness.available() is None]
        workers = max(1, min(MOST_AT_ONCE, (os.cpu_count() or 2) // 2))
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="docai-witness")

    @classmethod
    def choose(cls, setting: Witnesses) -> Panel:
        """The panel that a setting asks for."""
        return cls(known_witnesses() if setting == "auto" else (TableFinder(),))

    def heads(self) -> frozenset[str]:
        """The heads that have a witness here."""
        return frozenset(witness.head for witness in self._here)

    def begin(self, head: str, case: Case, *, at_once: bool = False) -> Hearing | None:
        """Put a region before the witness of a head that reads such; None where there is none.

        With ``at_once`` none is asked that needs a picture: there is no time left for programs.
        Its picture is drawn here and now: pages are not to be used from other threads.
        """
        witness = next(
            (one for one in self._here if one.head == head and one.wants_words in (None, bool(case.words))),
            None,
        )
        if witness is None or (at_once and witness.reads_pictures):
            return None
        if not witness.reads_pictures:
            return lambda: hear(witness, case)
        try:
            case.picture  # noqa: B018 - drawn and kept
        except DocaiError as error:
            failed = _failed(witness, str(error))
            return lambda: failed
        return self._threads.submit(hear, witness, case).result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)


def hear(witness: Witness, case: Case) -> Statement:
    """What a witness says of a region. Its failure is an issue: it must not take the model's answer along."""
    try:
        return witness.read(case)
    except WitnessError as error:
        return _failed(witness, str(error))
    except Exception as error:
        return _failed(witness, f"{type(error).__name__}: {error}")


def _failed(witness: Witness, why: str) -> Statement:
    message = f"The witness {witness.name} failed and has nothing to say: {why}."
    return Statement(witness.name, issues=(make_issue("witness-failed", message),))
