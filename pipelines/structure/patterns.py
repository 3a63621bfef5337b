"""What the first words of a block say of its role: numbers of sections, names of captions, bullets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_SECTION_WORDS: Final = (
    "chapter|section|part|appendix|kapitel|abschnitt|teil|anhang|chapitre|partie|annexe|capítulo|sección|"
    "parte|apéndice|anexo|capitolo|sezione|appendice|hoofdstuk|bijlage"
)

_SECTION: Final = re.compile(
    rf"""
    (?P<word>(?:{_SECTION_WORDS})\s+)?
    (?:§\s*)?
    (?:
        (?P<decimal>\d{{1,2}}(?:\.\d{{1,3}}){{0,5}})(?P<dot>\.?)
      | (?P<roman>[IVXLC]{{1,7}})(?:\.|(?<=\S)(?=\s*[—–:-]\s)|(?(word)|(?!)))
      | (?P<letter>[A-Z])(?P<under>(?:\.\d{{1,2}}){{1,4}}\.?|\.|(?(word)|(?!)))
    )
    (?:(?:\s*[—–:)-])?\s+(?=\W?(?P<first>[^\W\d_])) | (?(word)\s*$|(?!)))
    """,
    re.VERBOSE | re.IGNORECASE,
)

_ROMAN: Final = re.compile(r"(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


class SectionNumber(NamedTuple):
    """The number at the start of a heading."""

    style: str
    """``decimal``, ``roman`` or ``letter``."""
    depth: int
    """1 for ``2``, ``II`` and ``A``; 2 for ``2.1`` and ``A.1``."""
    is_plain: bool
    """A whole number with nothing behind it, as lists and years have it, too."""


def section_number(text: str) -> SectionNumber | None:
    """The number that a heading begins with; None without one."""
    found = _SECTION.match(text)
    if found is None or not (found["word"] or (found["first"] or "").isupper()):
        return None
    if found["decimal"]:
        depth = found["decimal"].count(".") + 1
        return SectionNumber("decimal", depth, depth == 1 and not found["dot"] and not found["word"])
    if found["roman"] and found["roman"].isupper() and _ROMAN.fullmatch(found["roman"]):
        return SectionNumber("roman", 1, False)
    if found["letter"] and found["letter"].isupper():
        return SectionNumber("letter", 1 + len(re.findall(r"\d+", found["under"])), False)
    if found["roman"] and len(found["roman"]) == 1 and found["roman"].isupper():
        return SectionNumber("letter", 1, False)
    return None


_CAPTION_WORDS: Final[Mapping[str, str]] = {
    "table": r"tables?|tabs?\.|tabellen?|tab\.?|tableaux?|tablas?|tabelas?|tabell[ae]|cuadros?|таблица|табл\."
    r"|表|표",
    "figure": r"fig(?:ure|ura|uur)?s?\.?|abb(?:ildung)?(?:en)?\.?|ilustraci[oó]n|diagrams?|plates?"
    r"|рис(?:унок)?\.?|图|図|그림",
    "scheme": r"schemes?|schema|schéma|esquema|charts?|structures?",
    "example": r"examples?|ex\.|notenbeispiel|beispiel|exemple|ejemplo|esempio|music(?:al)? examples?",
    "listing": r"listings?|algorithm(?:us|e|o)?s?|programm?s?|quelltext|code listings?",
}
"""What captions call a thing → the words for it."""

_CAPTION: Final = re.compile(
    r"\W{0,2}(?i:(?:supplementary|extended data|supporting)\s+)?(?i:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _CAPTION_WORDS.items())
    + r")(?:\s*(?P<number>[A-Z]?\d{1,3}(?:[.–-]\d{1,3})*[a-z]?)|\s+(?P<letters>[IVXLC]{1,6}|[A-Z](?=[.:)])))"
    r"(?![^\W_])(?P<end>\s*[.:|)\]—–]|\s+[—–|-]\s|\s*$|\s*\()?"
)


class CaptionName(NamedTuple):
    """What a caption calls the thing that it names."""

    kind: str
    """``table``, ``figure``, ``scheme``, ``example`` or ``listing``."""
    number: str
    is_set_off: bool
    """A mark or the end of the line follows, as in a caption; running text goes on with a verb."""


def caption_name(text: str) -> CaptionName | None:
    """The name that a caption begins with, such as ``Table 2:``; None without one."""
    found = _CAPTION.match(text)
    if found is None:
        return None
    kind = next(name for name in _CAPTION_WORDS if found[name])
    return CaptionName(kind, (found["number"] or found["letters"]).upper(), found["end"] is not None)


_BULLET: Final = re.compile(
    r"[•‣⁃◦▪▫■□●○∙·\uf0a7\uf0b7\uf0d8]\s*\S|(?:[–—*-]|\(?(?:[a-zA-Z]|[ivx]{1,5}|\d{1,2})\)|\d{1,2}\.)\s+\S"
)

_NOTE_MARK: Final = re.compile(
    r"(?:(?P<raised>[⁰¹²³⁴-⁹ᵃ-ᶻ]{1,3})\s*|(?P<sign>[*†‡§¶‖]{1,4})\s*|\(?(?P<number>\d{1,3})\)?[.\s]\s*)(?=\W?[^\W_])"
)

_PAGE_NUMBER: Final = re.compile(
    r"\W*(?:(?:page|p\.|seite|s\.|página|pág\.|pagina)\s*)?(?:\d{1,4}(?:[-–.]\d{1,4})?|[ivxlc]{1,7}|[A-Z]-?\d{1,3})"
    r"(?:\s*(?:/|of|von|de|di|sur)\s*\d{1,4})?\W*",
    re.IGNORECASE,
)

_FORMULA_NUMBER: Final = re.compile(r"\(\s*[A-Z]?\.?\d{1,3}(?:[.-]\d{1,3})*\s*[a-z]?′?\s*\)|\[\d{1,3}\]")

_MATHEMATICAL: Final = re.compile(r"[=<>≤≥≈≠±×∑∫∂√∈]")

_WORD: Final = re.compile(r"[^\W\d_]{4}")

_BIBLIOGRAPHY: Final = re.compile(
    r"(?:references?(?: and notes| cited)?|(?:works|literature) cited|(?:selected )?bibliograph(?:y|ie)|"
    r"literatur(?:verzeichnis|angaben|hinweise)?|quellen(?:verzeichnis)?|"
    r"r[ée]f[ée]rences(?: bibliographiques)?|"
    r"referencias(?: bibliogr[áa]ficas)?|bibliograf[íi]a|refer[êe]ncias(?: bibliogr[áa]ficas)?|riferimenti"
    r"(?: bibliografici)?|literatuur(?:lijst)?|litteratur|参考文献|список литературы|литература)\W*",
    re.IGNORECASE,
)


def has_bullet(text: str) -> bool:
    """Whether it begins as an item of a list does."""
    return _BULLET.match(text) is not None


def note_mark(text: str, *, is_sure: bool = True) -> str:
    """The mark that a footnote begins with, in ordinary characters; empty without one.

    ``is_sure`` False takes a number that is not raised for one, too, as an OCR engine reads it.
    """
    found = _NOTE_MARK.match(text)
    if found is None or (found["number"] and is_sure):
        return ""
    mark = found["raised"] or found["sign"] or found["number"]
    return mark.translate(_ORDINARY)


_ORDINARY: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def is_page_number(text: str) -> bool:
    """Whether it is the number of a page and nothing else: ``12``, ``– 12 –``, ``7-45``, ``Page 3 of 9``."""
    return _PAGE_NUMBER.fullmatch(text) is not None


def is_formula_number(text: str) -> bool:
    """Whether it is the number of a formula and nothing else: ``(3)``, ``(A.12b)``."""
    return _FORMULA_NUMBER.fullmatch(text.strip()) is not None


def is_formula(text: str) -> bool:
    """Whether it has a sign of relations or sums, and no word of four letters."""
    return _MATHEMATICAL.search(text) is not None and _WORD.search(text) is None


def heads_bibliography(text: str) -> bool:
    """Whether a heading is that of a list of references; its number does not count."""
    number = _SECTION.match(text)
    return _BIBLIOGRAPHY.fullmatch(text[number.end() :] if number else text.strip()) is not None
