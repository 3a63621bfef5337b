"""Molecules and scores that a PDF draws, from the page to its records."""

from __future__ import annotations

import pymupdf
import pytest

from docai import Pipeline, ScriptedEngine
from docai.document import Document
from docai.pipelines.synthesis.vector.molecules import rdkit_pdf
from docai.pipelines.synthesis.vector.scores import DrawnScore, draw_score
from docai.records import Molecule, Score

CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
BENZENE = "c1ccccc1"


@pytest.fixture(scope="module")
def caffeine() -> bytes:
    return rdkit_pdf(CAFFEINE, seed=3).data


@pytest.fixture(scope="module")
def piece() -> DrawnScore:
    """Of two systems or more."""
    return next(score for seed in range(100) if len((score := draw_score(seed, 0.3)).systems) > 1)


def _read(data: bytes, engine: ScriptedEngine, **options: str) -> Document:
    return Pipeline(engine=engine, witnesses="off", readback="off", **options).process(data)  # type: ignore[arg-type]


def test_a_drawn_molecule_is_read_and_no_model_asked(caffeine: bytes) -> None:
    engine = ScriptedEngine({"molecule": BENZENE})
    (molecule,) = _read(caffeine, engine).molecules
    assert molecule.smiles == CAFFEINE
    assert molecule.evidence == ["drawing"]
    assert (molecule.confidence.value or 0) >= 0.9
    assert molecule.finish_reason == "not-run"
    assert "nobody else asked" in molecule.region_evidence[-1]


def test_the_atoms_have_their_places_on_the_page(caffeine: bytes) -> None:
    (molecule,) = _read(caffeine, ScriptedEngine({"molecule": BENZENE})).molecules
    x0, y0, x1, y1 = molecule.bbox
    boxes = [atom.bbox for atom in molecule.atoms]
    assert len(boxes) == 14
    for box in boxes:
        assert box is not None
        assert x0 - 3 <= box[0] <= box[2] <= x1 + 3
        assert y0 - 3 <= box[1] <= box[3] <= y1 + 3


def test_with_verify_the_model_reads_too_and_its_other_answer_is_kept(caffeine: bytes) -> None:
    (molecule,) = _read(caffeine, ScriptedEngine({"molecule": BENZENE}), drawings="verify").molecules
    assert molecule.smiles == CAFFEINE
    assert molecule.raw == BENZENE
    assert [(one.source, one.content) for one in molecule.alternatives] == [("model", BENZENE)]
    assert "drawing-disagrees" in [issue.code for issue in molecule.issues]


def test_with_ignore_the_model_alone_reads(caffeine: bytes) -> None:
    (molecule,) = _read(caffeine, ScriptedEngine({"molecule": BENZENE}), drawings="ignore").molecules
    assert molecule.smiles == BENZENE
    assert molecule.evidence == ["model"]


def test_each_system_of_a_score_is_a_record_of_its_own(piece: DrawnScore) -> None:
    scores = _read(piece.data, ScriptedEngine({"score": "**kern\n4c\n*-\n"})).scores
    assert len(scores) == len(piece.systems)
    for score, box in zip(scores, piece.systems, strict=True):
        assert score.evidence == ["drawing"]
        assert score.is_valid
        assert score.musicxml
        assert box[1] - 20 < (score.bbox[1] + score.bbox[3]) / 2 < box[3] + 20
    assert len({score.id for score in scores}) == len(scores)


def test_the_systems_are_joined_to_one_piece(piece: DrawnScore) -> None:
    document = _read(piece.data, ScriptedEngine({"score": "**kern\n4c\n*-\n"}))
    (joined,) = document.joined_scores()
    assert len(joined.measures) == sum(len(score.measures) for score in document.scores)
    assert [event.pitch for event in joined.events] == [
        event.pitch for score in document.scores for event in score.events
    ]
    assert joined.to_midi().startswith(b"MThd")


def test_music_goes_on_in_its_meter_whoever_read_the_pages_before(piece: DrawnScore) -> None:
    """The first system shows the meter, those after it do not; each is a page of its own here."""
    with pymupdf.open() as pages, pymupdf.open(stream=piece.data) as drawn:
        for x0, y0, x1, y1 in (piece.systems[0], piece.systems[1], piece.systems[1]):
            clip = pymupdf.Rect(x0 - 3, y0 - 3, x1 + 3, y1 + 3)
            place = pymupdf.Rect(72, 72, 72 + 2 * clip.width, 72 + 2 * clip.height)
            pages.new_page().show_pdf_page(place, drawn, 0, clip=clip)
        data = pages.tobytes()
    engine = ScriptedEngine({"score": "**kern\n4c\n*-\n"})
    pipeline = Pipeline(engine=engine, witnesses="off", readback="off")
    together = pipeline.process(data).scores
    assert [score.page for score in together] == [1, 2, 3]
    assert not any(issue.code == "score-no-meter" for score in together for issue in score.issues)
    for number in (2, 3):
        (alone,) = pipeline.process(data, pages=number).scores
        assert alone == together[number - 1]
    # Without the page that shows it, nobody knows the meter.
    with pymupdf.open(stream=data) as pages:
        pages.select([1, 2])
        later = pipeline.process(pages.tobytes()).scores
    assert any(issue.code == "score-no-meter" for issue in later[0].issues)


def test_where_the_drawing_says_nothing_the_model_is_asked() -> None:
    import pymupdf

    drawn = pymupdf.open(stream=rdkit_pdf(CAFFEINE, seed=3).data, filetype="pdf")
    picture = drawn[0].get_pixmap(dpi=200)
    with pymupdf.open() as scan:
        page = scan.new_page(width=drawn[0].rect.width, height=drawn[0].rect.height)
        page.insert_image(page.rect, pixmap=picture)
        data = scan.tobytes()
    document = _read(data, ScriptedEngine({"molecule": BENZENE}))
    records = [record for record in document.records if isinstance(record, Molecule | Score)]
    assert [record.evidence for record in records] == [["model"]]
