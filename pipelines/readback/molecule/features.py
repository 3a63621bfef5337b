"""A molecule drawn again, held against a structure drawing by its graph, whatever the layout.

The crop's strokes and letters are read as a graph of places and bonds (:mod:`.structure`), the molecule's
atoms are laid onto it (:mod:`.matching`), and what is left over on either side is counted (:mod:`.laid`).
The crop is looked at with several thresholds, for faint letters and for show-through, and the molecule may
be drawn with labels for groups (:mod:`.drawings`): the pair that leaves least over counts.
"""

from __future__ import annotations

import math

import numpy as np

from docai.contents import MoleculeContent
from docai.pipelines.readback.base import Features, Gray, NotComparable
from docai.pipelines.readback.ink import without_frame
from docai.pipelines.readback.molecule.alignment import Laid, laid
from docai.pipelines.readback.molecule.graph import Structure, Traces, read_structure, trace
from docai.pipelines.readback.molecule.rendering import Drawing, drawings_of

SHARES = (0.45, 0.3, 0.65)
"""Of the print's contrast; ink is what has more."""

LONGER = (1.4, 1.9, 2.6, 3.6)
"""Bond by typical stroke where that is a letter's: in drawings with large letters, or many."""

SHORTER = (0.35, 0.55)
"""Bond by typical stroke where that is two or three in line, as at a triple bond."""

IN_LINE = 0.2
"""Share of a small drawing's strokes that are longer or shorter than bonds where it may have such."""

MOST_PAIRS = 16
"""Of a view of the crop and a drawing of the molecule, the likeliest first, that are laid onto each other."""

_FAR = 3
"""Difference of two counts beyond which it does not matter how far they are apart."""

Views = tuple[Structure, ...]


def observe_molecule(gray: Gray) -> Views:
    """The crop as several thresholds show it, see :mod:`.structure`.

    Raises:
        NotComparable: it is blank.
    """
    paper = without_frame(gray)
    traces: list[Traces] = []
    blank = NotComparable("the picture is blank")
    for share in SHARES:
        try:
            traces.append(trace(paper, share))
        except NotComparable as error:
            blank = error
    if not traces:
        raise blank
    views = [read_structure(one) for one in traces]
    in_line = views[0].n_places <= 6 and views[0].odd > IN_LINE
    scales = LONGER if views[0].n_pieces >= 5 else SHORTER if in_line else ()
    views += [read_structure(traces[0], scale) for scale in scales]
    return tuple(views)


def _apart(seen: Structure, drawn: Drawing) -> int:
    return (
        abs(seen.n_places - drawn.n_atoms)
        + abs(seen.n_bonds - drawn.n_bonds)
        + abs(seen.n_labels - drawn.n_labels)
    )


def best_laid(views: Views, content: MoleculeContent) -> Laid:
    """The view and the drawing that leave least over.

    Raises:
        NotComparable: see :func:`.drawings.drawings_of`.
    """
    pairs = [(view, drawing) for view in views for drawing in drawings_of(content)]
    pairs.sort(key=lambda pair: _apart(*pair))
    best: Laid | None = None
    for view, drawing in pairs[:MOST_PAIRS]:
        one = laid(view, drawing)
        if best is None or one.doubt < best.doubt:
            best = one
        if best.doubt == 0:
            break
    assert best is not None
    return best


def molecule_features(views: Views, content: MoleculeContent) -> Features:
    """Features of a molecule against strokes.

    Of the molecule laid onto the drawing (see :class:`.laid.Laid`) each count as its square root, four at
    most: one of two matters more than one of twenty, which the same counts by the size of the molecule
    (``*_share``) tell. ``margin`` and ``worst_margin``: by how much labels are like the letters they should
    be. ``whole``: 1 where nothing is left over. Then counts of the whole crop against the drawing's, as the
    log of their ratio, ``_more`` where the picture shows more and ``_less`` where it shows less;
    ``ring_sizes`` is the mean log ratio of the areas of the rings in order of size, ``*_difference`` by how
    much counts differ, up to three. ``odd``, ``spread``, ``solid`` and ``label_ink`` are of the picture
    alone (see :class:`.structure.Structure`): what is no structure drawing stands out there.

    Raises:
        NotComparable: see :func:`.drawings.drawings_of`.
    """
    found = best_laid(views, content)
    missing, extra, letters = found.labels
    more, less, aromatic = found.orders
    counts = {
        "lost_bonds": found.lost_bonds,
        "traced_bonds": found.traced_bonds,
        "extra_bonds": found.extra_bonds,
        "loose_bonds": found.loose_bonds,
        "unplaced_atoms": found.unplaced_atoms,
        "extra_places": found.extra_places,
        "missing_labels": missing,
        "extra_labels": extra,
        "loose_labels": found.loose_labels,
        "unlike_labels": found.unlike_labels,
        "odd_letters": letters,
        "extra_doubles": more,
        "missing_doubles": less,
        "odd_aromatic": aromatic,
    }
    features = {name: min(math.sqrt(count), 4.0) for name, count in counts.items()}
    size = max(1, found.drawing.n_atoms)
    for name in ("lost_bonds", "extra_bonds", "loose_bonds", "extra_places", "unplaced_atoms"):
        features[f"{name}_share"] = min(counts[name] / size, 2.0)
    margins = np.clip(found.margins, -0.4, 0.4)
    features |= {
        "margin": float(margins.mean()) if margins.size else 0.0,
        "worst_margin": float(margins.min()) if margins.size else 0.0,
        "doubt": min(math.sqrt(found.doubt), 5.0),
        "doubt_share": min(found.doubt / size, 3.0),
        "whole": float(found.doubt < 0.5),
        **_counted(found.seen, found.drawing),
    }
    return features


def _counted(seen: Structure, drawn: Drawing) -> dict[str, float]:
    """Counts that need no places: of the whole picture against the whole drawing."""
    features: dict[str, float] = {}
    pairs = {
        "atoms": (seen.n_places, drawn.n_atoms),
        "bonds": (seen.n_bonds, drawn.n_bonds),
        "length": (seen.length, drawn.n_bonds + 0.8 * drawn.n_double - 0.25 * drawn.n_labels),
        "rings": (len(seen.holes), len(drawn.ring_areas)),
        "doubles": (seen.n_doubled + 3 * seen.n_circles, drawn.n_double),
        "free_ends": (seen.n_free_ends, drawn.n_free_ends),
        "labels": (seen.n_labels, drawn.n_labels),
        "letters": (seen.n_letters, drawn.n_letters),
    }
    for name, (a, b) in pairs.items():
        ratio = math.log((max(a, 0) + 1) / (max(b, 0) + 1))
        features[f"{name}_more"], features[f"{name}_less"] = _bent(ratio), _bent(-ratio)
        if name != "length":
            features[f"{name}_difference"] = float(min(abs(a - b), _FAR))
    off = [abs(math.log(a / b)) for a, b in zip(seen.holes, drawn.ring_areas, strict=False)]
    return features | {
        "ring_sizes": min(sum(off) / len(off), 1.0) if off else 0.0,
        "odd": seen.odd,
        "spread": min(seen.spread, 1.0),
        "solid": seen.solid,
        "label_ink": seen.label_ink,
    }


def _bent(ratio: float) -> float:
    """Nothing below 0; above, steep at first: one atom of twenty must show."""
    return math.sqrt(min(ratio, 2.0)) if ratio > 1e-9 else 0.0
