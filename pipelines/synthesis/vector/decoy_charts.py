"""Charts by Matplotlib, as vectors: rings, letters of elements, hatches and grids that are no molecule."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from typing import Any, Final

WIDTH: Final = 420.0
HEIGHT: Final = 320.0
"""Points of the page of a decoy."""

ELEMENT_WORDS: Final = ("R1", "C2", "R3", "L1", "C1", "V", "I", "U1", "B", "S", "F", "N", "P", "O")


def _with_pyplot(draw: Callable[[Any, random.Random], None]) -> Callable[[random.Random], bytes]:
    """What is drawn with Matplotlib's axes."""

    def made(rng: random.Random) -> bytes:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        FigureCanvasPdf(figure)
        draw(figure, rng)
        out = io.BytesIO()
        figure.savefig(out, format="pdf", metadata={"CreationDate": None})
        return out.getvalue()

    return made


def _walk(rng: random.Random, length: int) -> list[float]:
    values = [0.0]
    for _ in range(length - 1):
        values.append(values[-1] + rng.gauss(0, 1))
    return values


def _line_chart(figure: Any, rng: random.Random) -> None:
    axes = figure.subplots()
    length = rng.randint(4, 40)
    for _ in range(rng.randint(1, 5)):
        style = rng.choice(("-", "--", "o-", "s--", ":"))
        axes.plot(range(length), _walk(rng, length), style, label=rng.choice(ELEMENT_WORDS))
    axes.legend()
    if rng.random() < 0.6:
        axes.grid(visible=True)
    axes.set_xlabel(rng.choice(("t / s", "N", "H (T)")))
    axes.set_ylabel(rng.choice(("C", "U / V", "counts")))


def _bar_chart(figure: Any, rng: random.Random) -> None:
    axes = figure.subplots()
    n_bars = rng.randint(3, 9)
    labels = rng.sample(ELEMENT_WORDS, n_bars)
    draw = axes.barh if rng.random() < 0.5 else axes.bar
    draw(labels, [rng.uniform(1, 9) for _ in labels], hatch=rng.choice(("", "//", "xx", "-")), fill=False)
    axes.grid(visible=rng.random() < 0.5)


def _polar_chart(figure: Any, rng: random.Random) -> None:
    axes = figure.add_subplot(projection="polar")
    n_corners = rng.choice((5, 6, 6, 8))
    angles = [2 * math.pi * index / n_corners for index in range(n_corners + 1)]
    for _ in range(2):
        radii = [rng.uniform(1, 5) for _ in range(n_corners)]
        axes.plot(angles, [*radii, radii[0]])
    axes.set_xticks(angles[:-1], rng.sample(ELEMENT_WORDS, n_corners))


def _pie_chart(figure: Any, rng: random.Random) -> None:
    shares = [rng.uniform(1, 5) for _ in range(rng.randint(3, 7))]
    figure.subplots().pie(shares, labels=rng.sample(ELEMENT_WORDS, len(shares)))


def _hexagon_bins(figure: Any, rng: random.Random) -> None:
    points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(400)]
    x, y = zip(*points, strict=True)
    figure.subplots().hexbin(x, y, gridsize=rng.randint(6, 14), edgecolors="black")


def _contours(figure: Any, rng: random.Random) -> None:
    import numpy as np

    x, y = np.meshgrid(np.linspace(-3, 3, 40), np.linspace(-3, 3, 40))
    a, b = rng.uniform(0.5, 2), rng.uniform(0.5, 2)
    axes = figure.subplots()
    axes.clabel(axes.contour(x, y, np.sin(a * x) * np.cos(b * y), colors="black", linewidths=0.7))


def _spectrum(figure: Any, rng: random.Random) -> None:
    axes = figure.subplots()
    places = sorted(rng.uniform(0, 10) for _ in range(25))
    axes.vlines(places, 0, [rng.expovariate(1) for _ in places], linewidth=0.8)
    for place in places[::5]:
        axes.text(place, 2.5, f"{place:.1f}", rotation=90)
    axes.invert_xaxis()


def _tree_of_lines(figure: Any, rng: random.Random) -> None:
    """A dendrogram."""
    axes = figure.subplots()
    nodes = [(float(index), 0.0) for index in range(rng.randint(5, 12))]
    for index, (x, _) in enumerate(nodes):
        axes.text(x, -0.3, rng.choice(ELEMENT_WORDS) + str(index))
    height = 0.0
    while len(nodes) > 1:
        at = rng.randrange(len(nodes) - 1)
        (x0, y0), (x1, y1) = nodes[at : at + 2]
        height += rng.uniform(0.2, 1)
        axes.plot([x0, x0, x1, x1], [y0, height, height, y1], "k-", linewidth=1)
        nodes[at : at + 2] = [((x0 + x1) / 2, height)]
    axes.axis("off")


CHARTS: Final = {
    "line chart": _with_pyplot(_line_chart),
    "bar chart": _with_pyplot(_bar_chart),
    "polar chart": _with_pyplot(_polar_chart),
    "pie chart": _with_pyplot(_pie_chart),
    "hexagon bins": _with_pyplot(_hexagon_bins),
    "contours": _with_pyplot(_contours),
    "spectrum": _with_pyplot(_spectrum),
    "dendrogram": _with_pyplot(_tree_of_lines),
}
"""Name of a kind of chart → what draws it."""
