"""Text samples: words are where the boxes say, in letters, sizes and faces that their split may have."""

from __future__ import annotations

import importlib.util
import random
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docai.models.heads import HEADS
from docai.parsers.text import parse_text
from docai.pipelines.synthesis import fonts, samples
from docai.pipelines.synthesis import words as text_words
from docai.pipelines.synthesis.base import Plan, Split, UndrawableError
from docai.pipelines.synthesis.noise import MILD
from docai.pipelines.synthesis.text import generator as text
from docai.pipelines.synthesis.text.generator import compose, coverage, describe, generate, place_pieces
from docai.pipelines.synthesis.text.ground import paint_ground, pick_ink, tint
from docai.pipelines.synthesis.text.layout import LEGIBLE_X_HEIGHT, Content, Piece
from docai.pipelines.training.nano.model import LETTERS

_LOC = re.compile(r"<loc\d{4}>")


def placed(difficulty: float, count: int, split: Split = "train") -> Iterator[list[Piece]]:
    """The pieces of so many samples, before ink and noise."""
    seed = 0
    while count:
        seed += 1
        rng = random.Random(seed)
        plan = compose(rng, difficulty)
        try:
            pieces = place_pieces(plan.content, rng, difficulty, split)
        except UndrawableError:
            continue
        yield pieces
        count -= 1


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The machine's fonts are those in an empty folder."""

    def forget() -> None:
        for cached in (fonts.system_faces, fonts._faces_of_split, fonts._faces_by_design):
            cached.cache_clear()

    monkeypatch.setattr(fonts, "_FOLDERS", (tmp_path / "fonts", tmp_path / "not there"))
    (tmp_path / "fonts").mkdir()
    forget()
    yield tmp_path / "fonts"
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("difficulty", [0.0, 0.35, 1.0])
def test_boxes_hold_all_ink_of_their_words_and_little_else(difficulty: float) -> None:
    for pieces in placed(difficulty, 14):
        for piece in pieces:
            target, marks = describe([piece])
            shades = coverage(piece)
            ink, rest = shades < 215, shades < 128
            for word in (word for line in parse_text(target).content.lines for word in line.words):
                assert word.bbox is not None
                x0, y0, x1, y1 = (round(share * 896) for share in word.bbox)
                inside = np.argwhere(ink[y0 : y1 + 1, x0 : x1 + 1])
                assert len(inside), word.text
                slack = 2 if difficulty <= MILD else 6
                assert (inside.min(axis=0) <= slack).all(), word.text
                assert inside[:, 0].max() >= y1 - y0 - slack, word.text
                assert inside[:, 1].max() >= x1 - x0 - slack, word.text
                rest[y0 - 2 : y1 + 3, x0 - 2 : x1 + 3] = False
            if not piece.rules:
                assert not rest.any()
            assert all(0 < mark.x < 896 and 0 < mark.y < 896 for mark in marks)


@pytest.mark.parametrize("difficulty", [0.2, 1.0])
def test_each_character_is_marked_inside_the_box_of_its_word(difficulty: float) -> None:
    for sample in islice(samples("text", 4, difficulty=difficulty), 12):
        words = [word for line in parse_text(sample.target).content.lines for word in line.words]
        marks = iter(sample.marks)
        for word in words:
            assert word.bbox is not None
            x0, y0, x1, y1 = (share * 896 for share in word.bbox)
            for character in word.text:
                mark = next(marks)
                assert mark.label == character
                assert x0 - 2 <= mark.x <= x1 + 2
                assert y0 - 2 <= mark.y <= y1 + 2
        assert next(marks, None) is None


def test_words_have_only_letters_that_the_tokenizer_has() -> None:
    rng = random.Random(3)
    words = [text_words.document_word(rng, 1.0, "train") for _ in range(6000)]
    words += [text_words.sign_word(rng, 1.0, "train") for _ in range(2000)]
    used = set("".join(words))
    assert used <= set(LETTERS) - set("\t\n ")
    assert {"é", "ß", "ø", "λ", "Ω", "€", "±", "≤", "“", "–", "•", "§"} <= used
    assert used >= set(map(chr, range(0x21, 0x7F)))


def test_words_survive_the_parser_as_they_are() -> None:
    rng = random.Random(9)
    words = [text_words.document_word(rng, 1.0, "train") for _ in range(4000)]
    target = " ; ".join(f"<loc0001><loc0002><loc0011><loc0012> {word}" for word in words)
    parsed = parse_text(target)
    assert not parsed.issues
    assert [word.text for word in parsed.content.lines[0].words] == words


def test_easy_samples_are_lines_and_hard_ones_have_every_form() -> None:
    easy = {compose(random.Random(seed), MILD).content.form for seed in range(150)}
    hard = {compose(random.Random(seed), 1.0).content.form for seed in range(150)}
    assert easy == {"lines"}
    assert hard == {"lines", "page", "scene"}
    columns = {compose(random.Random(seed), 1.0).content.n_columns for seed in range(150)}
    assert columns == {1, 2, 3}


def test_pages_fit_the_number_of_tokens_of_the_head() -> None:
    longest = 0
    for seed in range(400):
        words = compose(random.Random(seed), 1.0).content.text.split()
        longest = max(longest, sum(len(word) + 6 for word in words))
    assert 1200 < longest < HEADS["text"].max_tokens


def test_print_is_never_smaller_than_can_be_read() -> None:
    heights = [piece.face.x_height for pieces in placed(1.0, 60) for piece in pieces]
    assert LEGIBLE_X_HEIGHT - 1 <= min(heights) < 14


def test_too_much_text_for_the_square_is_refused() -> None:
    crowd = Content("lines", (tuple(("word",) * 60 for _ in range(4)),))
    with pytest.raises(UndrawableError):
        place_pieces(crowd, random.Random(1), 1.0, "train")


def test_lines_stand_on_their_side_and_sheets_lie_askew() -> None:
    matrices = [pieces[0].matrix for pieces in placed(1.0, 120)]
    assert any(abs(matrix[0, 0]) < 0.1 < abs(matrix[1, 0]) for matrix in matrices)
    assert any(abs(matrix[2, 0]) > 1e-6 for matrix in matrices)
    assert all(np.array_equal(pieces[0].matrix[:2, :2], np.eye(2)) for pieces in placed(MILD, 20))


def test_the_splits_share_no_design_of_fonts() -> None:
    used = {
        split: {fonts.design(piece.face.name) for pieces in placed(1.0, 60, split) for piece in pieces}
        for split in ("train", "held-out")
    }
    assert used["train"]
    assert used["held-out"]
    assert not used["train"] & used["held-out"]


def test_a_sample_is_drawn_in_faces_of_the_split_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Split] = []

    def spy(content: Content, rng: random.Random, difficulty: float, split: Split) -> list[Piece]:
        seen.append(split)
        return place_pieces(content, rng, difficulty, split)

    monkeypatch.setattr(text, "place_pieces", spy)
    for seed in range(40):
        plan = Plan(f"word{seed}", Content("lines", ((("word",),),)))
        text.draw(plan, random.Random(seed), 0.0)
        assert seen[-1] == text.split_of_content(plan)
    assert set(seen) == {"train", "held-out"}


def test_color_and_texture_come_late() -> None:
    def is_gray(image: Image.Image) -> bool:
        red, green, blue = (np.asarray(band) for band in image.split())
        return bool((red == green).all() and (green == blue).all())

    assert all(is_gray(sample.image) for sample in islice(samples("text", 2, difficulty=MILD), 15))
    assert not all(is_gray(sample.image) for sample in islice(samples("text", 2, difficulty=1.0), 15))


@pytest.mark.parametrize("photo", [True, False])
def test_ink_stands_out_from_all_of_its_ground(photo: bool) -> None:
    for seed in range(80):
        rng = random.Random(seed)
        ground = paint_ground(rng, 60, 200, rng.uniform(0.4, 1), photo=photo)
        ink = np.asarray(Image.new("RGB", (1, 1), pick_ink(rng, ground, 1.0)).convert("L"))[0, 0]
        levels = np.asarray(Image.fromarray(ground.pixels).convert("L")).astype(int)
        assert ground.pixels.shape[:2] == (60, 200)
        assert np.abs(levels - int(ink)).min() >= 55


def test_a_tint_has_the_level_that_was_asked_for() -> None:
    for level in (0, 40, 128, 230, 255):
        color = tint(random.Random(level), level)
        assert abs(int(np.asarray(Image.new("RGB", (1, 1), color).convert("L"))[0, 0]) - level) <= 3


def test_without_fonts_of_the_machine_the_packages_are_enough(no_system_fonts: Path) -> None:
    assert fonts.system_faces() == ()
    for seed in range(12):
        assert generate(random.Random(seed), 1.0).target


def test_without_pymupdf_the_other_packages_faces_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pymupdf" else find_spec(name)
    )
    fonts.faces.cache_clear()
    fonts._faces_of_split.cache_clear()
    try:
        assert not set(fonts.faces()) & set(fonts.BASE14)
        assert {fonts.pick(random.Random(seed), upright=True) for seed in range(40)} <= set(fonts.faces())
    finally:
        fonts.faces.cache_clear()
        fonts._faces_of_split.cache_clear()


def test_broken_and_useless_font_files_are_passed_over(no_system_fonts: Path) -> None:
    (no_system_fonts / "Aardvark-Regular.ttf").write_bytes(b"not a font")
    (no_system_fonts / "NotoSansArabic-Regular.ttf").write_bytes(b"not a font")
    (no_system_fonts / "Symbola.otf").write_bytes(b"not a font")
    assert fonts.system_faces() == (str(no_system_fonts / "Aardvark-Regular.ttf"),)
    assert not fonts.covers(fonts.system_faces()[0], "a")
    for seed in range(25):
        assert generate(random.Random(seed), 1.0).target


def test_system_faces_are_sorted_by_name_and_named_once(no_system_fonts: Path) -> None:
    for name in ("b/Beta-Bold.ttf", "a/Zeta.otf", "c/Beta-Bold.ttf", "a/readme.txt"):
        path = no_system_fonts / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert [Path(face).name for face in fonts.system_faces()] == ["Beta-Bold.ttf", "Zeta.otf"]
    assert Path(fonts.system_faces()[0]).parent.name == "b"


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (("helv", "hebo", "/x/NimbusSans-Bold.otf", "/x/texgyreheros-regular.otf"), True),
        (("DejaVuSans", "Vera", "VeraBI", "/x/DejaVuSansCondensed-Bold.ttf"), True),
        (("/x/lmroman10-regular.otf", "/x/lmroman12-bold.otf"), True),
        (("/x/OpenSans-Bold.ttf", "/x/OpenSans-Italic.ttf"), True),
        (("DejaVuSans", "DejaVuSerif"), False),
        (("helv", "tiro"), False),
        (("DejaVuSans", "DejaVuSansMono"), False),
    ],
)
def test_clones_and_styles_are_one_design(names: tuple[str, ...], same: bool) -> None:
    assert (len({fonts.design(name) for name in names}) == 1) == same


def test_a_face_covers_what_it_has_glyphs_for() -> None:
    assert fonts.covers("DejaVuSans", "Aéλ≤ ")
    assert not fonts.covers("DejaVuSans", "A\ue123")
    assert fonts.covers("helv", "") is True


def test_faces_without_small_letters_cover_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_capitals(self: fonts.Face, text: str) -> tuple[float, float, float, float]:
        return 0, 0, 10, 40

    caches = (fonts.face, fonts._has_small_letters)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(fonts.Face, "ink", all_capitals)
    assert not fonts.covers("DejaVuSans", "a")
    for cached in caches:
        cached.cache_clear()


def test_training_never_picks_a_held_out_face() -> None:
    rng = random.Random(1)
    for upright in (True, False):
        for system in (True, False):
            train = {fonts.pick(rng, upright=upright, system=system) for _ in range(300)}
            held_out = {fonts.pick(rng, upright=upright, system=system, split="held-out") for _ in range(60)}
            assert not any(map(fonts.is_held_out, train))
            assert all(map(fonts.is_held_out, held_out))


def test_the_answer_of_a_page_is_read_back_line_by_line() -> None:
    for sample in islice(samples("text", 6, difficulty=1.0), 12):
        parsed = parse_text(sample.target)
        assert not parsed.issues
        assert "\n".join(line.text for line in parsed.content.lines) == sample.key
        assert len(_LOC.findall(sample.target)) == 4 * len(sample.key.split())
