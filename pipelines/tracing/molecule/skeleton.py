"""Thinned ink as a graph: nodes where lines end or meet, and the chains of pixels between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.ink import Mask
from docai.pipelines.tracing.molecule.thinning import NEIGHBORS

_SPUR: Final = 1.6
"""Length of a chain with a free end, in distances of its other end from the paper, up to which it is what
thinning leaves of a corner of the ink."""

_MERGED: Final = 1.1
"""Length of a chain between two nodes in stroke widths, up to which they are one."""

_MERGED_THICK: Final = 3.0
"""The same where the ink is thicker than a stroke: two lines that cross at a small angle."""

_THICK: Final = 1.2


@dataclass(slots=True, eq=False)
class Chain:
    """A line of pixels between two nodes."""

    points: NDArray[np.float64]
    """(n, 2), x and y of the middles of pixels."""
    radii: NDArray[np.float64]
    """(n,), distance of each from the paper."""
    begin: int
    end: int
    """Nodes; the same for a loop."""

    @property
    def length(self) -> float:
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum()) if len(self.points) > 1 else 0.0


@dataclass(slots=True, eq=False)
class Skeleton:
    """Nodes and chains of one drawing."""

    nodes: dict[int, tuple[float, float]] = field(default_factory=dict)
    chains: dict[int, Chain] = field(default_factory=dict)

    def incident(self) -> dict[int, list[int]]:
        """For each node its chains; a loop counts twice."""
        found: dict[int, list[int]] = {node: [] for node in self.nodes}
        for key, chain in self.chains.items():
            found[chain.begin].append(key)
            found[chain.end].append(key)
        return found


def read_skeleton(line: Mask, radii: NDArray[np.float32]) -> Skeleton:
    """The graph of thinned ink; ``radii`` are distances from the paper."""
    graph = Skeleton()
    count = cv2.filter2D(line, cv2.CV_8U, np.ones((3, 3), np.float32), borderType=cv2.BORDER_CONSTANT)
    crossing = np.asarray((line > 0) & (count > 3), np.uint8)
    n_nodes, node_of, _, centers = cv2.connectedComponentsWithStats(crossing, connectivity=8)
    graph.nodes = {k: (float(centers[k][0]), float(centers[k][1])) for k in range(1, n_nodes)}
    pixels = {(int(x), int(y)) for y, x in np.argwhere((line > 0) & (crossing == 0))}
    ends = sorted(_ends(pixels))
    next_node = n_nodes
    for start in ends + sorted(pixels):
        if start not in pixels:
            continue
        path = _walk(start, pixels)
        # A loop is walked from anywhere in it, a line from its end.
        first, last = _nodes_beside(path[0], node_of), _nodes_beside(path[-1], node_of)
        is_loop = len(path) > 3 and not first and not last and _are_beside(path[0], path[-1])
        if len(path) == 1 and len(first) > 1:
            last = first[1:]
        points = np.array(path, float)
        around = radii[points[:, 1].astype(int), points[:, 0].astype(int)].astype(float)
        places: list[int] = []
        for found, at in ((first, path[0]), (last, path[-1])):
            if found and not (places and found[0] == places[0] and len(path) == 1):
                places.append(found[0])
            elif is_loop and places:
                places.append(places[0])
            else:
                graph.nodes[next_node] = (float(at[0]), float(at[1]))
                places.append(next_node)
                next_node += 1
        if is_loop:
            points, around = np.concatenate([points, points[:1]]), np.append(around, around[0])
        graph.chains[len(graph.chains)] = Chain(points, around, places[0], places[1])
    return graph


def _ends(pixels: set[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(x, y) for x, y in pixels if sum((x + dx, y + dy) in pixels for dx, dy in NEIGHBORS) < 2]


def _walk(start: tuple[int, int], pixels: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The line of pixels from one of them; they are taken out."""
    path, at = [start], start
    pixels.discard(start)
    while True:
        x, y = at
        onward = [(x + dx, y + dy) for dx, dy in NEIGHBORS if (x + dx, y + dy) in pixels]
        if not onward:
            return path
        at = min(onward, key=lambda p: abs(p[0] - x) + abs(p[1] - y))
        pixels.discard(at)
        path.append(at)


def _nodes_beside(at: tuple[int, int], node_of: NDArray[np.int32]) -> list[int]:
    x, y = at
    height, width = node_of.shape
    found = node_of[max(y - 1, 0) : min(y + 2, height), max(x - 1, 0) : min(x + 2, width)]
    return [int(node) for node in np.unique(found) if node > 0]


def _are_beside(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 1


def simplify(graph: Skeleton, radii: NDArray[np.float32], width: float) -> None:
    """Take off spurs, join nodes that are one, and chains that go on where nothing else meets them."""
    for _ in range(4):
        changed = _drop_spurs(graph, radii, width)
        changed |= _merge_nodes(graph, width)
        changed |= _join_chains(graph)
        if not changed:
            break


def _drop_spurs(graph: Skeleton, radii: NDArray[np.float32], width: float) -> bool:
    incident = graph.incident()
    changed = False
    for node, keys in incident.items():
        if len(keys) < 3:
            continue
        x, y = graph.nodes[node]
        radius = max(float(radii[round(y), round(x)]), 0.5 * width)
        spurs = []
        for key in keys:
            chain = graph.chains.get(key)
            if chain is None or chain.begin == chain.end:
                continue
            other = chain.end if chain.begin == node else chain.begin
            if len(incident[other]) == 1 and chain.length + 1 <= _SPUR * radius:
                spurs.append((chain.length, key, other))
        # Both corners of a blunt end are spurs, but two lines remain of three that end close by.
        for _, key, other in sorted(spurs)[: len(keys) - 1]:
            del graph.chains[key]
            del graph.nodes[other]
            changed = True
    return changed


def _merge_nodes(graph: Skeleton, width: float) -> bool:
    changed = False
    incident = graph.incident()
    for key in sorted(graph.chains, key=lambda k: graph.chains[k].length):
        chain = graph.chains[key]
        a, b = chain.begin, chain.end
        if a == b or len(incident[a]) < 3 or len(incident[b]) < 3:
            continue
        span = chain.length + 2
        is_thick = float(np.median(chain.radii)) > _THICK * 0.5 * width
        if span > (_MERGED_THICK if is_thick else _MERGED) * width:
            continue
        (ax, ay), (bx, by) = graph.nodes[a], graph.nodes[b]
        graph.nodes[a] = ((ax + bx) / 2, (ay + by) / 2)
        del graph.nodes[b], graph.chains[key]
        for other in graph.chains.values():
            if other.begin == b:
                other.begin = a
            if other.end == b:
                other.end = a
        incident = graph.incident()
        changed = True
    return changed


def _join_chains(graph: Skeleton) -> bool:
    changed = False
    incident = graph.incident()
    for node in list(graph.nodes):
        keys = incident[node]
        if not keys:
            del graph.nodes[node]
            continue
        if len(keys) != 2 or keys[0] == keys[1]:
            continue
        first, second = graph.chains[keys[0]], graph.chains[keys[1]]
        a = first if first.end == node else _reversed(first)
        b = second if second.begin == node else _reversed(second)
        middle = np.array([graph.nodes[node]])
        radius = np.array([max(a.radii[-1], b.radii[0])])
        joined = Chain(
            np.concatenate([a.points, middle, b.points]),
            np.concatenate([a.radii, radius, b.radii]),
            a.begin,
            b.end,
        )
        del graph.chains[keys[1]], graph.nodes[node]
        graph.chains[keys[0]] = joined
        for other in {joined.begin, joined.end}:
            incident[other] = [keys[0] if key == keys[1] else key for key in incident[other]]
        changed = True
    return changed


def _reversed(chain: Chain) -> Chain:
    return Chain(chain.points[::-1], chain.radii[::-1], chain.end, chain.begin)
