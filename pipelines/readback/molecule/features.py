"""Features of a molecule compared with a picture: its graph against the drawing's, whatever the layout.

The crop's strokes and letters are read as a graph of places and bonds (:mod:`.graph`, from :mod:`.strokes`),
at several ink thresholds, for faint letters and for show-through. The molecule gives the graphs of the ways
in which it may be drawn, with atoms or with labels for groups (:mod:`.rendering`). For the likeliest pairs of
the two, atoms are matched to places (:mod:`.matching`), letters are compared (:mod:`.letters`), and what is
left over on either side is counted (:mod:`.alignment`): the pair that leaves least over counts.
"""

from __future__ import annotations

import math

import numpy as np

from docai.contents import MoleculeContent
from docai.pipelines.readback.ink import Gray, crop_white_frame
from docai.pipelines.readback.molecule.alignment import Alignment, align
from docai.pipelines.readback.molecule.graph import Structure, TracedInk, read_structure, trace_ink
from docai.pipelines.readback.molecule.rendering import ExpectedDrawing, expected_drawings
from docai.pipelines.readback.similarity import Features, NotComparable

INK_THRESHOLDS = (0.45, 0.3, 0.65)
"""Shares of the print's contrast; ink is what has more."""

LONGER_BOND_SCALES = (1.4, 1.9, 2.6, 3.6)
"""Bond over typical stroke where the typical stroke may be a letter's: large letters, or many."""

SHORTER_BOND_SCALES = (0.35, 0.55)
"""Bond over typical stroke where that may be two or three bonds in line, as at a triple bond."""

IN_LINE_SHARE = 0.2
"""Share of a small drawing's strokes that are no bonds from which its bonds may be in line."""

MAX_PAIRS = 16
"""Pairs of a structure and an expected drawing, the likeliest first, that are aligned."""

_MAX_DIFFERENCE = 3
"""Difference of two counts beyond which it does not matter how large it is."""

Structures = tuple[Structure, ...]


def observe_molecule(gray: Gray) -> Structures:
    """The crop's structure drawing at several ink thresholds and bond lengths, see :mod:`.graph`.

    Raises:
        NotComparable: it is blank.
    """
    picture = crop_white_frame(gray)
    traced: list[TracedInk] = []
    blank = NotComparable("the picture is blank")
    for threshold in INK_THRESHOLDS:
        try:
            traced.append(trace_ink(picture, threshold))
        except NotComparable as error:
            blank = error
    if not traced:
        raise blank
    structures = [read_structure(ink) for ink in traced]
    first = structures[0]
    may_be_in_line = first.n_places <= 6 and first.odd_strokes > IN_LINE_SHARE
    scales = LONGER_BOND_SCALES if first.n_pieces >= 5 else SHORTER_BOND_SCALES if may_be_in_line else ()
    structures += [read_structure(traced[0], scale) for scale in scales]
    return tuple(structures)


def best_alignment(structures: Structures, content: MoleculeContent) -> Alignment:
    """The structure and the expected drawing that leave least over.

    Raises:
        NotComparable: see :func:`.rendering.expected_drawings`.
    """
    drawings = expected_drawings(content)
    pairs = [(structure, drawing) for structure in structures for drawing in drawings]
    pairs.sort(key=lambda pair: _count_difference(*pair))
    best: Alignment | None = None
    for structure, drawing in pairs[:MAX_PAIRS]:
        alignment = align(structure, drawing)
        if best is None or alignment.mismatch < best.mismatch:
            best = alignment
        if best.mismatch == 0:
            break
    assert best is not None
    return best


def _count_difference(structure: Structure, drawing: ExpectedDrawing) -> int:
    return (
        abs(structure.n_places - drawing.n_atoms)
        + abs(structure.n_bonds - drawing.n_bonds)
        + abs(structure.n_labels - drawing.n_labels)
    )


def molecule_features(structures: Structures, content: MoleculeContent) -> Features:
    """Features of a molecule compared with strokes.

    Counts of the best alignment (see :class:`.alignment.Alignment`) as their square roots, four at most. Of
    two atoms one matters more than of twenty: the same counts over the number of atoms are ``*_share``.
    ``margin`` and ``min_margin``: how much better labels fit the letters that they should be than others.
    ``complete``: 1 where nothing is left over.

    Then counts of the whole crop against the expected drawing's, as the log of their ratio, ``_more`` where
    the picture shows more and ``_less`` where it shows less, and as ``*_difference``, up to three;
    ``ring_sizes`` is the mean log ratio of the areas of the rings in order of size. ``odd_strokes``,
    ``bond_spread``, ``filled_ink`` and ``label_ink`` are of the picture alone, see
    :class:`.graph.Structure`: they are extreme in what is no structure drawing.

    Raises:
        NotComparable: see :func:`.rendering.expected_drawings`.
    """
    alignment = best_alignment(structures, content)
    missing_labels, extra_labels, letter_difference = alignment.label_differences
    extra_doubles, missing_doubles, aromatic_difference = alignment.order_differences
    counts = {
        "lost_bonds": alignment.lost_bonds,
        "inked_bonds": alignment.inked_bonds,
        "extra_bonds": alignment.extra_bonds,
        "loose_bonds": alignment.loose_bonds,
        "unplaced_atoms": alignment.unplaced_atoms,
        "extra_places": alignment.extra_places,
        "missing_labels": missing_labels,
        "extra_labels": extra_labels,
        "loose_labels": alignment.loose_labels,
        "unlike_labels": alignment.unlike_labels,
        "letter_difference": letter_difference,
        "extra_doubles": extra_doubles,
        "missing_doubles": missing_doubles,
        "aromatic_difference": aromatic_difference,
    }
    features = {name: min(math.sqrt(count), 4.0) for name, count in counts.items()}
    n_atoms = max(1, alignment.drawing.n_atoms)
    for name in ("lost_bonds", "extra_bonds", "loose_bonds", "extra_places", "unplaced_atoms"):
        features[f"{name}_share"] = min(counts[name] / n_atoms, 2.0)
    margins = np.clip(alignment.margins, -0.4, 0.4)
    return features | {
        "margin": float(margins.mean()) if margins.size else 0.0,
        "min_margin": float(margins.min()) if margins.size else 0.0,
        "mismatch": min(math.sqrt(alignment.mismatch), 5.0),
        "mismatch_share": min(alignment.mismatch / n_atoms, 3.0),
        "complete": float(alignment.mismatch < 0.5),
        **_count_features(alignment.structure, alignment.drawing),
    }


def _count_features(structure: Structure, drawing: ExpectedDrawing) -> Features:
    """Counts that need no alignment: of the whole picture against the whole drawing."""
    features: dict[str, float] = {}
    pairs = {
        "atoms": (structure.n_places, drawing.n_atoms),
        "bonds": (structure.n_bonds, drawing.n_bonds),
        "length": (structure.length, drawing.n_bonds + 0.8 * drawing.n_double - 0.25 * drawing.n_labels),
        "rings": (len(structure.ring_areas), len(drawing.ring_areas)),
        "doubles": (structure.n_double + 3 * structure.n_circles, drawing.n_double),
        "free_ends": (structure.n_free_ends, drawing.n_free_ends),
        "labels": (structure.n_labels, drawing.n_labels),
        "letters": (structure.n_letters, drawing.n_letters),
    }
    for name, (observed, expected) in pairs.items():
        log_ratio = math.log((max(observed, 0) + 1) / (max(expected, 0) + 1))
        features[f"{name}_more"], features[f"{name}_less"] = _excess(log_ratio), _excess(-log_ratio)
        if name != "length":
            features[f"{name}_difference"] = float(min(abs(observed - expected), _MAX_DIFFERENCE))
    areas = zip(structure.ring_areas, drawing.ring_areas, strict=False)
    area_ratios = [abs(math.log(observed / expected)) for observed, expected in areas]
    return features | {
        "ring_sizes": min(sum(area_ratios) / len(area_ratios), 1.0) if area_ratios else 0.0,
        "odd_strokes": structure.odd_strokes,
        "bond_spread": min(structure.bond_spread, 1.0),
        "filled_ink": structure.filled_ink,
        "label_ink": structure.label_ink,
    }


def _excess(log_ratio: float) -> float:
    """0 below 0; above, steep at first, so that one atom of twenty shows."""
    return math.sqrt(min(log_ratio, 2.0)) if log_ratio > 1e-9 else 0.0
