"""What staves that were read surely tell about when the notes of a measure sound, by where they stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from docai.pipelines.drawings.score.events import Quarters

# Staff spaces.
SAME_COLUMN = 0.35
"""Events nearer than this stand at one place."""
NEXT_COLUMN = 0.9
"""Events farther than this may follow each other."""
WIDE_COLUMN = 1.9
"""As far as a head moves aside for one of the other voice."""
DOTTED_COLUMN = 2.8
"""As far as it does for one with dots."""
_OFF_GRID_COST = 3.0
"""Of an onset that contradicts those of other staves."""


class TimeMap:
    """Onsets of the measure by x, as staves tell that were read surely."""

    def __init__(self, points: Sequence[tuple[float, Quarters]], space: float) -> None:
        points = sorted(points)
        self._xs = [x for x, _ in points]
        self.onsets = [onset for _, onset in points]
        self._space = space
        # Latest onset of the points before each, and earliest of those from each on.
        self._latest = [Fraction(-1), *accumulate(self.onsets, max)]
        self._earliest = [*list(accumulate(reversed(self.onsets), min))[::-1], None]

    def _between(self, low: float, high: float) -> list[Quarters]:
        return self.onsets[bisect_left(self._xs, low) : bisect_right(self._xs, high)]

    def at(self, x: float) -> list[Quarters]:
        """Onsets of events at about this x."""
        reach = NEXT_COLUMN * self._space
        return list(dict.fromkeys(self._between(x - reach, x + reach)))[:2]

    def cost(self, x: float, onset: Quarters) -> float:
        """What it costs that an event at this x starts then."""
        same = SAME_COLUMN * self._space
        is_off = any(known != onset for known in self._between(x - same, x + same))
        for spaces, may_be_equal in ((WIDE_COLUMN, True), (DOTTED_COLUMN, False)):
            before = self._latest[bisect_left(self._xs, x - spaces * self._space)]
            after = self._earliest[bisect_right(self._xs, x + spaces * self._space)]
            is_off = is_off or before > onset or (after is not None and after < onset)
            is_off = is_off or (not may_be_equal and onset in (before, after))
        return _OFF_GRID_COST if is_off else 0.0
