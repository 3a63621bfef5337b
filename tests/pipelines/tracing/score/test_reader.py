"""Music is read from its picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.drawings.score.content import PieceState
from docai.pipelines.tracing.score.reader import DOUBTFUL, Finder, read_picture, see_picture
from docai.pipelines.tracing.score.straighten import (
    COARSE_SPACE_PX,
    MAX_SPACE_PX,
    SPACE_PX,
    StraightPicture,
    straighten,
)
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol

SPACE = 14
TOP, LEFT, RIGHT = 100, 60, 900


def at(step: float) -> float:
    """Row of a place in half spaces above the bottom line."""
    return TOP + 4 * SPACE - step * SPACE / 2


class Sheet:
    """A staff to draw on, which remembers the symbols."""

    def __init__(self) -> None:
        self.picture = np.full((300, 960), 255, np.uint8)
        self.symbols: list[tuple[str, float, float, float, float]] = []
        for line in range(5):
            y = TOP + line * SPACE
            self.picture[y : y + 2, LEFT:RIGHT] = 0
        self.picture[TOP : TOP + 4 * SPACE + 2, RIGHT - 2 : RIGHT] = 0
        self.symbol("gClef", 70, at(2) - 4.4 * SPACE, 2.6 * SPACE, 7.0 * SPACE)

    def symbol(self, name: str, x: float, y: float, width: float, height: float) -> None:
        self.symbols.append((name, x, y, x + width, y + height))

    def head(self, x: int, step: int) -> None:
        y = at(step) + 1
        cv2.ellipse(self.picture, (x, round(y)), (9, 6), -20, 0, 360, 0, -1)
        self.symbol("noteheadBlack", x - 9, y - SPACE / 2, 18, SPACE)

    def stem(self, x: int, step: int, end: int) -> None:
        y0, y1 = sorted((round(at(step)), round(at(end))))
        self.picture[y0:y1, x - 1 : x + 1] = 0

    def barline(self, x: int) -> None:
        self.picture[TOP : TOP + 4 * SPACE, x : x + 2] = 0

    def beam(self, x0: int, step0: float, x1: int, step1: float) -> None:
        corners = [(x0, at(step0)), (x1, at(step1)), (x1, at(step1) + 7), (x0, at(step0) + 7)]
        cv2.fillPoly(self.picture, [np.round(corners).astype(np.int32)], 0)

    def finder(self, picture: NDArray[np.uint8]) -> Finder:
        """Sees the symbols where they are in the straightened picture of either scale, without mistakes."""
        seen = [straighten(picture, max_space) for max_space in (MAX_SPACE_PX, COARSE_SPACE_PX)]
        known = [(straight.gray, self._found(straight)) for straight in seen if straight is not None]

        def find(gray: NDArray[np.uint8], _space: float) -> list[PictureSymbol]:
            return next(found for shown, found in known if np.array_equal(shown, gray))

        return find

    def _found(self, straight: StraightPicture) -> list[PictureSymbol]:
        columns, rows = straight.columns, straight.rows

        def place(x: float, y: float) -> tuple[float, float]:
            away = (columns[::2, ::2] - x) ** 2 + (rows[::2, ::2] - y) ** 2
            row, column = np.unravel_index(int(away.argmin()), away.shape)
            return 2.0 * float(column), 2.0 * float(row)

        found = []
        for name, x0, y0, x1, y1 in self.symbols:
            x, y = place((x0 + x1) / 2, (y0 + y1) / 2)
            half_w, half_h = (x1 - x0) / 2 * SPACE_PX / SPACE, (y1 - y0) / 2 * SPACE_PX / SPACE
            found.append(PictureSymbol(name, (x - half_w, y - half_h, x + half_w, y + half_h), 1.0, 1.0))
        return found


@pytest.fixture
def sheet() -> Sheet:
    """A measure of four eighths, two quarters and a barline."""
    sheet = Sheet()
    for number, step in enumerate((0, 1, 2, 3)):
        x = 200 + 60 * number
        sheet.head(x, step)
        sheet.stem(x + 8, step, 8 if number < 2 else 9)
    sheet.beam(207, 8, 269, 8)
    sheet.beam(327, 9, 389, 9)
    sheet.head(460, 6)
    sheet.stem(452, 6, -1)
    sheet.head(540, 7)
    sheet.stem(532, 7, 0)
    sheet.barline(600)
    sheet.head(680, -2)
    sheet.picture[round(at(-2)) : round(at(-2)) + 2, 664:696] = 0
    sheet.stem(688, -2, 5)
    return sheet


def notes(kern: str) -> list[str]:
    return [line for line in kern.split("\n") if line and line[0] not in "*!="]


def read(picture: NDArray[np.uint8], sheet: Sheet) -> list[str]:
    (system,) = read_picture(picture, PieceState(), sheet.finder(picture))
    return notes(system.content.kern)


EXPECTED = ["8eL", "8fJ", "8gL", "8aJ", "4dd", "4ee", "4c"]


def test_stems_beams_barlines_and_ledger_lines_make_notes(sheet: Sheet) -> None:
    assert read(sheet.picture, sheet) == EXPECTED


def test_a_note_over_the_staff_without_ledger_lines_is_of_a_tempo_mark(sheet: Sheet) -> None:
    sheet.head(300, 12)
    sheet.stem(308, 12, 18)
    assert read(sheet.picture, sheet) == EXPECTED


def test_a_half_note_without_a_stem_is_a_whole_note(sheet: Sheet) -> None:
    sheet.barline(740)
    y = round(at(4)) + 1
    cv2.ellipse(sheet.picture, (790, y), (9, 6), -20, 0, 360, 0, 3)
    sheet.symbol("noteheadHalf", 781, y - SPACE / 2, 18, SPACE)
    assert read(sheet.picture, sheet) == [*EXPECTED, "1b"]


def test_a_picture_askew_reads_the_same(sheet: Sheet) -> None:
    turn = cv2.getRotationMatrix2D((480, 150), 1.0, 1.0)
    askew = cv2.warpAffine(sheet.picture, turn, (960, 300), borderValue=255, flags=cv2.INTER_AREA)
    points = np.array([[(x0 + x1) / 2, (y0 + y1) / 2, 1] for _, x0, y0, x1, y1 in sheet.symbols]) @ turn.T
    sheet.symbols = [
        (name, x - (x1 - x0) / 2, y - (y1 - y0) / 2, x + (x1 - x0) / 2, y + (y1 - y0) / 2)
        for (name, x0, y0, x1, y1), (x, y) in zip(sheet.symbols, points, strict=True)
    ]
    assert read(np.asarray(askew, np.uint8), sheet) == EXPECTED


def test_gray_paper_and_grain_change_nothing(sheet: Sheet) -> None:
    noise = np.random.default_rng(1).normal(0, 6, sheet.picture.shape)
    dirty = np.clip(sheet.picture * 0.7 + 30 + noise, 0, 255).astype(np.uint8)
    assert read(dirty, sheet) == EXPECTED


def test_a_head_seen_on_a_beam_is_none(sheet: Sheet) -> None:
    y = at(8) + 3
    sheet.symbol("noteheadBlack", 229, y - SPACE / 2, 18, SPACE)
    assert read(sheet.picture, sheet) == EXPECTED


def test_a_slur_is_found(sheet: Sheet) -> None:
    cv2.ellipse(sheet.picture, (500, round(at(10))), (45, 14), 0, 180, 360, 0, 3)
    (system,) = read_picture(sheet.picture, PieceState(), sheet.finder(sheet.picture))
    assert "(4dd" in system.content.kern
    assert "4ee)" in system.content.kern


def test_the_box_of_a_system_is_where_it_is_in_the_picture(sheet: Sheet) -> None:
    (system,) = read_picture(sheet.picture, PieceState(), sheet.finder(sheet.picture))
    x0, y0, x1, y1 = system.bbox
    assert abs(x0 - LEFT) < SPACE
    assert abs(x1 - RIGHT) < SPACE
    assert y0 <= TOP + 2
    assert y1 >= TOP + 4 * SPACE - 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (400, 300), (40, 3000)])
def test_pictures_without_music_have_no_systems(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    for picture in (np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8), rng.integers(0, 256, shape)):
        assert read_picture(np.asarray(picture, np.uint8), finder=lambda _gray, _space: []) == []


def test_strokes_of_an_empty_staff_are_its_barline(sheet: Sheet) -> None:
    empty = straighten(Sheet().picture)
    assert empty is not None
    drawn = see_picture(empty, []).sheet
    assert len(drawn.uprights) == 1
    assert drawn.slabs == []


def test_an_8_below_a_treble_clef_is_an_octave(sheet: Sheet) -> None:
    assert "*clefG2" in read_picture(sheet.picture, finder=sheet.finder(sheet.picture))[0].content.kern
    x, y = round(70 + 1.3 * SPACE), TOP + 4 * SPACE
    for middle in (1.95, 2.4):
        cv2.circle(sheet.picture, (x, round(y + middle * SPACE)), 3, 0, 2)
    assert "*clefGv2" in read_picture(sheet.picture, finder=sheet.finder(sheet.picture))[0].content.kern


@pytest.mark.parametrize(("middle", "clef"), [(-0.3, "*clefG2"), (1.3, "*clefG^2")])
def test_an_8_above_a_treble_clef_is_an_octave_where_it_is_centered_on_it(
    sheet: Sheet, middle: float, clef: str
) -> None:
    """Over the begin of the staff it is the number of the measure."""
    top = at(2) - 5.6 * SPACE
    sheet.symbol("tuplet8", 70 + (middle - 0.5) * SPACE, top, SPACE, 1.3 * SPACE)
    assert clef in read_picture(sheet.picture, finder=sheet.finder(sheet.picture))[0].content.kern.split("\n")


def whole(sheet: Sheet, step: int, name: str = "noteheadWhole", height: float = 1.0) -> None:
    """A whole note after the last barline, or what else its ink was taken for."""
    cv2.ellipse(sheet.picture, (790, round(at(step))), (10, 6), 0, 0, 360, 0, 4)
    if name:
        sheet.symbol(name, 780, at(step) + (1 - height) * SPACE / 2 - SPACE / 2, 20, height * SPACE)


@pytest.mark.parametrize("also", [False, True])
def test_whole_notes_a_third_apart_that_look_like_an_8_are_notes(sheet: Sheet, also: bool) -> None:
    """Whether one of the two was seen as a note, too, or not."""
    whole(sheet, 5)
    whole(sheet, 0, "noteheadWhole" if also else "")
    whole(sheet, 2, "")
    sheet.symbol("timeSig8", 780, at(3), 20, 2 * SPACE)
    (system,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    assert notes(system.content.kern)[-1] == "1e 1g 1cc"


def test_a_digit_on_the_staff_that_is_of_no_meter_is_told(sheet: Sheet) -> None:
    plain = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))[0]
    sheet.symbol("timeSig8", 780, at(4), 20, 2 * SPACE)
    (system,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    assert notes(system.content.kern) == notes(plain.content.kern)
    assert "score-drawing-unexplained" in {issue.code for issue in system.issues}
    assert system.confidence < plain.confidence


@pytest.mark.parametrize(("name", "step"), [("unpitchedPercussionClef1", -3), ("timeSig4", -2.5)])
def test_letters_beside_a_staff_are_neither_clef_nor_meter(sheet: Sheet, name: str, step: float) -> None:
    sheet.symbol(name, 430, at(step) - SPACE, 20, 2 * SPACE)
    assert read(sheet.picture, sheet) == EXPECTED


def test_a_staff_without_a_clef_is_doubtful(sheet: Sheet) -> None:
    (sure,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    sheet.symbols = [symbol for symbol in sheet.symbols if symbol[0] != "gClef"]
    (doubtful,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    assert doubtful.confidence < 0.5 * sure.confidence
    assert any("clef" in issue.message for issue in doubtful.issues)


def test_of_a_doubtful_picture_the_reading_at_the_coarse_scale_counts_where_it_is_surer(
    sheet: Sheet,
) -> None:
    finder = sheet.finder(sheet.picture)
    seen: list[NDArray[np.uint8]] = []

    def blind_at_first(gray: NDArray[np.uint8], space: float) -> list[PictureSymbol]:
        seen.append(gray)
        return [] if len(seen) == 1 else finder(gray, space)

    state = PieceState()
    (system,) = read_picture(sheet.picture, state, blind_at_first)
    assert notes(system.content.kern) == EXPECTED
    assert len(seen) == 2
    sure = PieceState()
    read_picture(sheet.picture, sure, finder)
    assert state == sure


def test_a_sure_picture_is_read_once(sheet: Sheet) -> None:
    finder = sheet.finder(sheet.picture)
    seen: list[NDArray[np.uint8]] = []

    def counting(gray: NDArray[np.uint8], space: float) -> list[PictureSymbol]:
        seen.append(gray)
        return finder(gray, space)

    (system,) = read_picture(sheet.picture, PieceState(), counting)
    assert system.confidence >= DOUBTFUL
    assert len(seen) == 1


def test_ink_that_nothing_explains_lowers_the_confidence(sheet: Sheet) -> None:
    (sure,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    cv2.circle(sheet.picture, (630, round(at(4))), SPACE, 0, 4)
    (doubtful,) = read_picture(sheet.picture, finder=sheet.finder(sheet.picture))
    assert doubtful.confidence < sure.confidence


def joined_staves(bracket: bool) -> NDArray[np.uint8]:
    """Three staves that a line joins, with a bracket close to it and something dark beside it."""
    picture = np.full((620, 960), 255, np.uint8)
    for top in (100, 260, 420):
        for line in range(5):
            picture[top + line * SPACE : top + line * SPACE + 2, LEFT:RIGHT] = 0
        picture[top : top + 4 * SPACE + 2, RIGHT - 2 : RIGHT] = 0
    picture[100 : 420 + 4 * SPACE + 2, LEFT : LEFT + 3] = 0
    if bracket:
        picture[92 : 420 + 4 * SPACE + 10, LEFT - 12 : LEFT - 5] = 0
        picture[260 : 260 + 4 * SPACE, LEFT + 8 : LEFT + 16] = 0
    return picture


@pytest.mark.parametrize("bracket", [False, True])
def test_the_line_at_the_left_joins_staves(bracket: bool) -> None:
    straight = straighten(joined_staves(bracket))
    assert straight is not None
    seen = see_picture(straight, [])
    long = [upright for upright in seen.sheet.uprights if upright.y1 - upright.y0 > 100]
    assert any(abs(upright.x - seen.staves[0].x0 * 5 / SPACE_PX) < 2 for upright in long)


def test_six_lines_with_numbers_on_them_are_tablature() -> None:
    picture = np.full((500, 960), 255, np.uint8)
    for line in range(5):
        picture[100 + line * SPACE : 102 + line * SPACE, LEFT:RIGHT] = 0
    for line in range(6):
        y = 260 + 20 * line
        picture[y : y + 2, LEFT:RIGHT] = 0
    for x in range(LEFT + 80, RIGHT - 60, 60):
        picture[250:272, x : x + 16] = 255
        cv2.putText(picture, "0", (x, 268), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)
    straight = straighten(picture)
    assert straight is not None
    assert len(straight.staves) == 1
