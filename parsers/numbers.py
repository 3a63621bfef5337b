"""Numbers as they are written in table cells.

Recognized are digits with thousands separators (``1,234``, ``1 234``, ``1'234``, ``1.234,5``), any kind of
sign, ``(1,234)`` for a negative amount, ``12.5 %``, currency signs and codes on either side, a unit after the
number, powers of ten (``1.2e-3``, ``1.2 × 10−3``), and footnote marks that cannot be digits (``12.5*``,
``12.5†``, ``12.5ᵃ``). Text, not numbers, are ranges (``1–2``), bounds (``<0.05``), values with a spread
(``12.3 (4.5)``, ``12.3 ± 4.5``), dates, times, fractions, ordinals, digits with a leading zero, and anything
with more than 15 digits, which is a code and would not fit a float. A footnote number that lost its raised
position (``12.5`` and ``1`` written as ``12.51``) cannot be told from a digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Convention = Literal["point", "comma"]
"""The decimal mark: a point as in ``1,234.5`` or a comma as in ``1.234,5``."""

UnitKind = Literal["none", "percent", "currency", "unit"]

_MAX_NUMERAL_CHARS = 48
_MAX_DIGITS = 15
_ASCII_SIGNS = str.maketrans(dict.fromkeys("−‐‑‒–—﹣－", "-") | dict.fromkeys("’ʼ", "'"))

# "ND" is not among them: "not detected" is a result.
_MISSING_MARK = re.compile(r"[-*.…·:/]{1,4}|n\.?\s?/?\s?a\.?|nan|null|not available", re.IGNORECASE)

_CURRENCY = (
    r"(?:US|CA|AU|NZ|HK|[CARS])?\$|[€£¥₹₩₽₺₫₪฿₴₦₱]|"
    r"(?:USD|EUR|GBP|JPY|CHF|CNY|RMB|INR|CAD|AUD|NZD|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|KRW|BRL|MXN|ZAR|TRY)"
)
_UNIT = rf"%|‰|{_CURRENCY}|[A-Za-zµμΩÅ°][A-Za-zµμΩÅ°·./^²³⁻¹0-9%-]{{0,11}}"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s?(?P<money>{_CURRENCY})?\s?(?P<sign2>[-+]?)(?P<open>\(?)\s?(?P<sign3>[-+]?)\s?"
    rf"(?P<money2>{_CURRENCY})?\s?(?P<body>[0-9.](?:[0-9.,' ]*[0-9])?)"
    r"(?:[eE](?P<e>[-+]?[0-9]{1,3})|\s?[×x·]\s?10(?:\^\(?(?P<power>[-+]?[0-9]{1,3})\)?|(?P<low>-[0-9]{1,3})"
    r"|(?P<raised>⁻?[⁰¹²³⁴-⁹]{1,3})))?"
    rf"(?P<gap>\s?)(?P<suffix>{_UNIT})?(?P<close>\)?)(?P<gap2>\s?)(?P<suffix2>{_UNIT})?"
)
_INTEGER_PART = r"(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?P<t>[{0}])[0-9]{{3}}(?:(?P=t)[0-9]{{3}})*)"
_BODY_PATTERNS: dict[Convention, re.Pattern[str]] = {
    "point": re.compile(_INTEGER_PART.format(", '") + r"?(?:\.[0-9]+)?"),
    "comma": re.compile(_INTEGER_PART.format(". '") + r"(?:,[0-9]+)?"),
}
DECIMAL_MARKS: dict[Convention, str] = {"point": ".", "comma": ","}
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

# Only after a digit, a percent sign or a bracket: the 2 of m² belongs to the unit.
_FOOTNOTE = re.compile(
    r"(?<=[0-9%)])\s?(?:[*†‡§¶#]{1,4}|[⁰¹²³⁴-⁹]{1,2}|[ᵃ-ᶻ]{1,2}|\[[A-Za-z0-9]\]|(?<!\s)\([a-z]\))\Z"
)
_POWER_OF_TEN = re.compile(r"10[⁰¹²³⁴-⁹]+\Z")
# Units that may follow the digits without a space; any other word needs one: "12a" and "3D" are labels.
_ATTACHED_UNIT_NAMES = """
g kg mg µg μg ng pg t m km cm mm µm μm nm s ms µs μs ns min h hr hrs Hz kHz MHz GHz V mV kV W mW kW MW GW
mA J kJ MJ kcal cal mol mmol µmol μmol mM µM μM nM pM Pa kPa MPa GPa bar mbar l L ml mL µl μl µL μL dL dB
eV keV MeV ppm ppb bp kb Mb KB kB MB GB TB KiB MiB GiB px pt dpi ‰ ° °C °F Å x pp rpm mph psi m² m2 km² km2
cm² cm2 mm² mm2 m³ m3 cm³ cm3 km/h m/s g/L mg/L µg/L mg/dL mg/kg g/cm3 kg/m2 ha
"""
_ATTACHED_UNITS = frozenset(_ATTACHED_UNIT_NAMES.split())
_NOT_UNITS = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?|[ap]\.?m\.?|st|nd|rd|th|to|and|or|of|vs\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Numeral:
    """The number in one cell, as far as the cell alone shows it."""

    body: str
    """Digits and separators as written."""
    conventions: frozenset[Convention]
    """Notations that the digits allow: both for ``1,234``, only the comma for ``0,5``."""
    is_negative: bool
    in_parentheses: bool
    exponent: int | None
    unit: str
    unit_kind: UnitKind

    @property
    def has_minus(self) -> bool:
        return self.is_negative and not self.in_parentheses

    @property
    def is_year(self) -> bool:
        return self.body.isdecimal() and 1900 <= int(self.body) <= 2100 and self.is_bare

    @property
    def is_ambiguous(self) -> bool:
        """Whether the digits leave open what ``.`` or ``,`` separates, thousands or decimals: ``1.234``."""
        return len(self.conventions) > 1 and not self.body.isdecimal()

    @property
    def is_bare(self) -> bool:
        """Whether it consists of digits and separators alone."""
        plain = not self.is_negative and not self.in_parentheses
        return plain and self.exponent is None and self.unit_kind == "none"

    def value(self, convention: Convention) -> int | float:
        """The value; an int if it is written without decimals and power of ten."""
        mark = DECIMAL_MARKS[convention]
        whole, _, decimals = self.body.partition(mark)
        digits = re.sub(r"[., ']", "", whole) or "0"
        sign = "-" if self.is_negative else ""
        if not decimals and self.exponent is None:
            return int(sign + digits)
        return float(f"{sign}{digits}.{decimals or 0}e{self.exponent or 0}")


def is_missing(text: str) -> bool:
    """Whether a cell is empty or marks a missing value: dashes, dots, ``n/a`` and the like."""
    text = text.strip()
    return not text or (len(text) <= 16 and _MISSING_MARK.fullmatch(text.translate(_ASCII_SIGNS)) is not None)


def read_numeral(text: str) -> Numeral | None:
    """The number that the whole text is, or None. The module's docstring lists what is recognized."""
    text = text.strip()
    if not text or len(text) > _MAX_NUMERAL_CHARS or not any(char in "0123456789" for char in text):
        return None
    text = text.translate(_ASCII_SIGNS)
    return _match_numeral(text) or _read_with_footnote(text)


def _read_with_footnote(text: str) -> Numeral | None:
    if _POWER_OF_TEN.search(text):
        return None
    for _ in range(3):
        bare = _FOOTNOTE.sub("", text)
        if bare == text:
            return None
        if numeral := _match_numeral(bare):
            return numeral
        text = bare
    return None


def _match_numeral(text: str) -> Numeral | None:
    match = _NUMBER.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = [sign for sign in match.group("sign", "sign2", "sign3") if sign]
    in_parentheses = bool(match["open"])
    if len(signs) > 1 or (signs and in_parentheses):
        return None
    body = match["body"]
    conventions = frozenset(name for name, pattern in _BODY_PATTERNS.items() if pattern.fullmatch(body))
    if not conventions or sum(char.isdecimal() for char in body) > _MAX_DIGITS:
        return None
    units = [unit for unit in match.group("money", "money2", "suffix", "suffix2") if unit]
    if len(units) > 1:
        return None
    unit = units[0] if units else ""
    kind = _unit_kind(unit)
    gap = match["gap"] or match["gap2"] or match["close"]
    if kind == "unit" and (_NOT_UNITS.fullmatch(unit) or not (gap or unit in _ATTACHED_UNITS)):
        return None
    return Numeral(
        body=body,
        conventions=conventions,
        is_negative=in_parentheses or "-" in signs,
        in_parentheses=in_parentheses,
        exponent=_exponent(match),
        unit=unit,
        unit_kind=kind,
    )


def _unit_kind(unit: str) -> UnitKind:
    if not unit:
        return "none"
    if unit == "%":
        return "percent"
    return "currency" if re.fullmatch(_CURRENCY, unit) else "unit"


def _exponent(match: re.Match[str]) -> int | None:
    written = match["e"] or match["power"] or match["low"] or match["raised"]
    return int(written.translate(_SUPERSCRIPTS)) if written else None
