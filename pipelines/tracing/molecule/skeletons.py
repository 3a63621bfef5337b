"""The graph of the middles of a part's strokes."""

from __future__ import annotations

import cv2
import numpy as np

from docai.pipelines.tracing.molecule.parts import Part
from docai.pipelines.tracing.molecule.skeleton import Skeleton, read_skeleton, simplify
from docai.pipelines.tracing.molecule.thinning import thin


def skeleton_of(part: Part, width: float) -> Skeleton:
    """The graph of the middles of a part's strokes, pixels of the ink; ``width`` is of the usual stroke."""
    framed = np.pad(part.mask, 1)
    radii = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5), np.float32)
    graph = read_skeleton(thin(framed), radii)
    simplify(graph, radii, width)
    # The middle of a pixel, and the frame.
    shift = np.array([part.x - 0.5, part.y - 0.5])
    for chain in graph.chains.values():
        chain.points = chain.points + shift
    graph.nodes = {node: (x + shift[0], y + shift[1]) for node, (x, y) in graph.nodes.items()}
    return graph
