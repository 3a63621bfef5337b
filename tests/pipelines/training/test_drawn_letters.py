"""What letters are learned from, and the model that the package carries."""

from __future__ import annotations

import importlib.util
import string
from itertools import islice

import numpy as np
import pytest

from docai.pipelines.drawings.letter_classes import NONE, LetterModel, load_model, read_model, write_model
from docai.pipelines.drawings.letter_outlines import N_FEATURES, features
from docai.pipelines.training.drawn_letter_glyphs import Lines, font_glyphs, hershey_letters
from docai.pipelines.training.drawn_letter_samples import (
    as_outline,
    letter_samples,
    note_samples,
    shape_samples,
    vary,
)
from docai.pipelines.training.drawn_letters import extents, fit, measure

pytest.importorskip("fontTools", reason="fonts are read with fontTools, which Matplotlib needs")

Glyphs = dict[tuple[str, str], Lines]

PLAIN = string.ascii_uppercase + string.digits


@pytest.fixture(scope="module")
def model() -> LetterModel:
    return load_model()


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    return font_glyphs(["DejaVuSans"])


def test_the_model_of_the_package_reads_a_face(model: LetterModel, glyphs: Glyphs) -> None:
    outlines = {text: as_outline(contours) for (_, text), contours in glyphs.items() if text in PLAIN}
    read = model.probabilities([outline for outline in outlines.values() if outline]).argmax(axis=1)
    texts = [model.classes[index] for index in read]
    assert sum(a == b for a, b in zip(outlines, texts, strict=True)) >= 34
    assert len(outlines) == 36


@pytest.mark.skipif(importlib.util.find_spec("verovio") is None, reason="notes are Verovio's")
def test_the_model_of_the_package_takes_few_notes_and_shapes_for_letters(model: LetterModel) -> None:
    rng = np.random.default_rng(5)
    # Notes are less often none: among them are brackets, dots and bars.
    for samples, share in ((islice(note_samples(rng), 0, 1500, 5), 0.8), (shape_samples(rng, 300), 0.95)):
        none = model.probabilities([outline for outline, _ in samples])[:, model.classes.index(NONE)]
        assert (none > 0.5).mean() > share


def test_a_model_is_the_same_from_its_file(model: LetterModel) -> None:
    rows = np.random.default_rng(0).random((4, N_FEATURES), np.float32)
    again = read_model(write_model(model))
    assert again.classes == model.classes
    assert np.array_equal(again.of_features(rows), model.of_features(rows))
    assert np.allclose(model.of_features(rows).sum(axis=1), 1, atol=1e-5)


def test_edges_are_in_heights_of_a_capital(glyphs: Glyphs) -> None:
    classes = (NONE, "H", "x", "p")
    bottoms, tops, _ = extents(glyphs, classes)
    assert (bottoms[1], tops[1]) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
    assert 0.6 < tops[2] < 0.85
    assert bottoms[3] < -0.15


def test_versions_of_a_letter_differ_and_keep_their_parts(glyphs: Glyphs) -> None:
    rng = np.random.default_rng(1)
    letter = glyphs["DejaVuSans", "B"]
    outline = as_outline(vary(letter, rng))
    assert outline is not None
    assert sorted(outline.depths) == [0, 1, 1]
    assert not np.array_equal(features(outline), features(as_outline(letter) or outline))


def test_training_learns_what_it_is_shown(glyphs: Glyphs, capsys: pytest.CaptureFixture[str]) -> None:
    few = {key: value for key, value in glyphs.items() if key[1] in "HOL"}
    classes = (NONE, "H", "O", "L")
    pairs = list(letter_samples(few, np.random.default_rng(0))) * 60
    rows = np.stack([features(outline) for outline, _ in pairs]).astype(np.float16)
    labels = np.array([classes.index(text) for _, text in pairs])
    trained = LetterModel(classes, *extents(few, classes), fit(rows, labels, len(classes), 4))
    measure(trained, few)
    assert "read: 1.0000" in capsys.readouterr().out


def test_letters_of_a_pen_are_read_from_hersheys_files() -> None:
    records = [f"{code:5}  1RR" for code in range(32, 65)]
    records.append("    1  9I[RFJ[ RRFZ[ RMTWT")
    (letter,) = hershey_letters("\n".join(records))
    assert letter[0] == "A"
    assert [len(line) for line in letter[1]] == [2, 2, 2]
