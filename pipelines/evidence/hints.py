"""Which reader would have helped: what was read badly from pictures, for want of one that is not here.

What readers there are, what they read and how to get them stands in one place,
:func:`docai.pipelines.evidence.readers.known_readers` and the ``available()`` of each: what a new reader says
there is said here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from docai.base import Content
from docai.contents import Issue
from docai.issues import make_issue
from docai.records import RecordBase, kind_of

MIN_CONFIDENCE: Final = 0.5
"""A record below is less likely right than wrong."""

_FROM_THE_PDF: Final = frozenset(("text-layer", "table-finder", "drawing"))
"""Evidence of records that no reader of pictures would have made better."""


def missing_reader_issues(
    missing: Mapping[str, frozenset[str]], records: Sequence[RecordBase]
) -> list[Issue]:
    """An issue for each missing reader that reads a kind of which something was read badly from a picture.

    Args:
        missing: why a reader cannot be used and how to get it → the kinds that nobody else reads here; see
            :meth:`docai.pipelines.evidence.readers.ReaderPool.missing`.
        records: what was read.
    """
    bad = dict.fromkeys(kind_of(type(record)) for record in records if is_read_badly(record))
    issues = []
    for why, kinds in missing.items():
        if mine := [f"{kind}s" for kind in bad if kind in kinds]:
            what = f"Some {' and '.join(mine)} in pictures were read badly"
            message = f"{what}, and a reader that would help is missing. {why}"
            issues.append(make_issue("reader-missing", message))
    return issues


def is_read_badly(record: RecordBase) -> bool:
    """A reader of pictures could have made it better: it is empty, has errors, or is likely wrong."""
    if _FROM_THE_PDF & set(record.evidence):
        return False
    if isinstance(record, Content) and record.is_empty:
        return True
    if any(issue.severity == "error" for issue in record.issues):
        return True
    return record.confidence.value is not None and record.confidence.value < MIN_CONFIDENCE
