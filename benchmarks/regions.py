"""Measures precision and recall of region finding on seeded synthetic pages.

    python benchmarks/regions.py [--count 200] [--seed 0] [--scan | --uneven-light] [--read]

A region found matches a true one where they are of one class and their boxes overlap with an intersection
over union of at least 0.7; matches are made one to one, best first. Text is counted by the paragraph: each
paragraph, heading, caption, list item, running head and page number is one true region, so two paragraphs
found as one count as one wrong and two missed. ``order`` is the share of neighboring matched regions that
were found in the true order. Each page is measured as a PDF, or with ``--scan`` as a 200 dpi image of it,
rotated by up to one degree, noisy, and JPEG-compressed; with ``--uneven-light`` as such an image under a
lamp at one side, a soft shadow or a fold, 20 to 60 % darker at the darkest. Scans are seen straight and in
even light first, as docai does. No model is run; with ``--read`` the words of scans are read by PP-OCR first,
as docai does.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from common import script_parser

from docai import Limits
from docai.geometry import iou
from docai.options import Options
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.straight import StraightPage
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.layout.straighten import straight_page
from docai.pipelines.synthesis.pages import SyntheticPage, Truth, scanned, synthetic_page

KINDS = ("text", "table", "molecule", "score", "figure")
MIN_IOU = 0.7


def match_regions(truth: tuple[Truth, ...], regions: tuple[Region, ...]) -> list[tuple[int, int]]:
    """Pairs (true, found) of one class and IoU at least MIN_IOU, one to one, best first."""
    pairs = sorted(
        (
            (iou(true.bbox, region.bbox), t, f)
            for t, true in enumerate(truth)
            for f, region in enumerate(regions)
            if true.kind == region.kind
        ),
        reverse=True,
    )
    matches: list[tuple[int, int]] = []
    for value, t, f in pairs:
        if value >= MIN_IOU and all(t != a and f != b for a, b in matches):
            matches.append((t, f))
    return sorted(matches)


def regions_of(page: SyntheticPage, readers: ReaderPool | None = None) -> tuple[Region, ...]:
    with open_source(page.pdf, limits=Limits()) as source:
        see_words = None if readers is None else readers.eyes
        displayed = next(iter(source.pages()))
        page = straight_page(displayed)
        regions = find_regions(page, see_words=see_words).regions
        if not isinstance(page, StraightPage):
            return regions
        return tuple(replace(region, bbox=page.to_displayed(region.bbox)) for region in regions)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=200, help="pages (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the first page (default 0)")
    parser.add_argument("--scan", action="store_true", help="measure 200 dpi scans of the pages")
    parser.add_argument("--uneven-light", action="store_true", help="measure such scans in uneven light")
    parser.add_argument("--read", action="store_true", help="read the words of scans by PP-OCR first")
    parser.add_argument("--verbose", action="store_true", help="print each missed and each wrong region")
    arguments = parser.parse_args()
    n_true, n_matched, n_found = Counter[str](), Counter[str](), Counter[str]()
    in_order = pairs = 0
    seconds = 0.0
    readers = ReaderPool.choose(Options()) if arguments.read else None
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        page = synthetic_page(seed)
        if arguments.scan or arguments.uneven_light:
            page = scanned(page, uneven_light=arguments.uneven_light)
        start = time.perf_counter()
        regions = regions_of(page, readers)
        seconds += time.perf_counter() - start
        matches = match_regions(page.truth, regions)
        n_true.update(region.kind for region in page.truth)
        n_found.update(region.kind for region in regions)
        n_matched.update(page.truth[t].kind for t, _ in matches)
        order = [f for _, f in matches]
        in_order += sum(a < b for a, b in pairwise(order))
        pairs += max(0, len(order) - 1)
        if arguments.verbose:
            _print_errors(seed, page, regions, matches)
    is_scan = arguments.scan or arguments.uneven_light
    what = ("scans" if is_scan else "born-digital") + (" in uneven light" if arguments.uneven_light else "")
    print(f"{arguments.count} pages from seed {arguments.seed}, {what}")
    print(f"{'class':10} {'true':>6} {'found':>6} {'precision':>10} {'recall':>8}")
    for kind in (*KINDS, "all"):
        t, f, h = (sum(c.values()) if kind == "all" else c[kind] for c in (n_true, n_found, n_matched))
        print(f"{kind:10} {t:6} {f:6} {h / max(1, f):10.3f} {h / max(1, t):8.3f}")
    print(f"order {in_order / max(1, pairs):.3f}   seconds a page {seconds / arguments.count:.2f}")


def _print_errors(
    seed: int, page: SyntheticPage, regions: tuple[Region, ...], matches: list[tuple[int, int]]
) -> None:
    for index, truth in enumerate(page.truth):
        if all(index != t for t, _ in matches):
            print(seed, "missed", truth.kind, [round(v) for v in truth.bbox])
    for index, region in enumerate(regions):
        if all(index != f for _, f in matches):
            print(seed, "wrong", region.kind, [round(v) for v in region.bbox], region.evidence)


if __name__ == "__main__":
    main()
