"""Style of SVG: inherited properties, simple style sheets, colors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from docai.pipelines.synthesis.vector.svg_paths import numbers

INHERITED: Final = {
    "fill": "black",
    "stroke": "none",
    "stroke-width": "1",
    "stroke-dasharray": "none",
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "fill-rule": "nonzero",
    "fill-opacity": "1",
    "stroke-opacity": "1",
    "font-size": "16",
    "font-family": "serif",
    "font-weight": "normal",
    "font-style": "normal",
    "text-anchor": "start",
    "color": "black",
    "visibility": "visible",
}
"""Property → value where nothing else is said."""
_NAMED: Final = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
}
_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")


def read_rules(sheet: str) -> Iterable[tuple[str, str, dict[str, str]]]:
    """Tag and class of each selector's last part, and what it sets."""
    for selectors, body in _RULE.findall(sheet):
        for selector in selectors.split(","):
            words = selector.split()
            if words:
                tag, _, name = words[-1].partition(".")
                yield tag, name, declarations(body)


def declarations(text: str) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    return {name.strip(): value.strip() for name, value in pairs}


def color_of(text: str, style: Mapping[str, str], opacity: str) -> tuple[float, float, float] | None:
    """Color over white paper; None for no paint."""
    text = text.strip()
    if text.lower() == "currentcolor":
        text = style["color"]
    if text in ("none", "transparent", "") or text.startswith("url"):
        return None
    if text.startswith("#"):
        digits = text[1:] if len(text) > 4 else "".join(2 * digit for digit in text[1:])
        parts: Iterable[float] = [int(digits[i : i + 2], 16) for i in (0, 2, 4)]
    elif text.startswith("rgb"):
        parts = [value * (2.55 if "%" in text else 1) for value in numbers(text)[:3]]
    else:
        parts = _NAMED.get(text.lower(), (0, 0, 0))
    alpha = float(opacity) * float(style.get("opacity", "1"))
    if alpha <= 0:
        return None
    red, green, blue = (1 - alpha * (1 - value / 255) for value in parts)
    return red, green, blue
