"""How entries of bibliographies look: authors with initials, a year, where it was published.

By what the styles of references have in common (APA, Chicago, Vancouver, IEEE, ACS, BibTeX's own): none of
the parts is in all of them, and running text has one or two by the way.
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"\s*(?:\[\w[\w+.,:&\s-]{0,14}\]|\(\d{1,3}\)|\d{1,3}\.)\s*(?=\W?[^\W\d_])")
"""``[12]``, ``[Abc+99]``, ``12.``, ``(12)``."""

_YEAR: Final = re.compile(r"(?<!\d)(?:1[6-9]|20)\d\d[a-z]?(?![\d–-])")

_INITIALS: Final = re.compile(r"(?<![^\W_])[^\W\d_a-z]\.(?:[\s-]?[^\W\d_a-z]\.)*(?=[\s,;:&)]|$)")
"""``A.``, ``A. B.``, ``J.-P.``."""

_BARE_INITIALS: Final = re.compile(r"\b[A-Z][a-z]+ [A-Z]{1,3}(?=[,.;]| and)")
"""``Smith AB,`` as Vancouver has it."""

_NAME_FIRST: Final = re.compile(
    r"\s*(?:\W{0,2}[^\W\d_][\w’'-]+,\s+[^\W\d_]|(?:[^\W\d_]\.[\s-]?)+\s*[^\W\d_][\w’'-]+)"
)
"""``Smith, J``, ``Smith, John``, ``J. Smith`` at the start."""

_PLACE: Final = re.compile(
    r"""
      \b(?:vol|no|pp|eds?|nr|bd|hrsg|Jg)\.?\s*\(?\d | \bp\.\s?\d
    | \b\d{1,4}\s*\(\d{1,4}\)                                 # 12 (3)
    | \b\d{1,4}\s*[,:]\s*(?:[A-Z]?\d{1,6}|e\d+)\b             # 12, 345
    | \b\d{2,5}\s?[–-]{1,2}\s?\d{2,5}\b                       # 123–145
    | \barXiv\b | \bdoi\b | https?:// | \bISBN\b | \bpreprint\b
    | \bIn:?\s+(?:Proc|Advances|International|[A-Z][\w-]+\s+(?:Conference|Workshop))
    | \b(?:Proc|Phys|Rev|Lett|Ann|Trans|Math|Chem|Soc|Sci|Astrophys|Biol|Med|Mech|Int|Acad|Natl|Comput|Appl)\.
    | \b(?:Journal|Annals|Proceedings|Transactions|Review|Press|Publishers?|Verlag|Springer|Elsevier|Wiley
        |IEEE|University|Universit\w+|Thesis|Dissertation|Technical\sReport|Zeitschrift|Revue|Rivista|Revista)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)

WORDS_OF_ENTRY: Final = 45
"""Words of a long entry: a text with fewer years or authors for its length is no list of them."""

ENTRY: Final = 0.6
"""Score from which a text by itself looks like entries of a bibliography."""


def citation_score(text: str) -> float:
    """From 0, running text, to 1: as much of an entry as can be there, at the density of entries."""
    n_words = len(text.split())
    if n_words < 4:
        return 0.0
    n_entries = max(1.0, n_words / WORDS_OF_ENTRY)
    n_initials = len(_INITIALS.findall(text)) + len(_BARE_INITIALS.findall(text))
    parts = (
        (0.25, len(_YEAR.findall(text)) / n_entries),
        (0.25, n_initials / (2 * n_entries)),
        (0.25, len(_PLACE.findall(text)) / n_entries),
        (0.15, float(_NAME_FIRST.match(_LABEL.sub("", text, count=1)) is not None)),
        (0.10, float(has_entry_label(text))),
    )
    return sum(weight * min(1.0, value) for weight, value in parts)


def has_entry_label(text: str) -> bool:
    """Whether it begins as a numbered entry does: ``[12]``, ``[Abc99]``, ``12.``."""
    return _LABEL.match(text) is not None
