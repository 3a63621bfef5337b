"""Read-back as part of the records, from a picture to its record."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from docai import Pipeline, ScriptedEngine
from docai.errors import SettingError
from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence import readers
from docai.pipelines.evidence.base import ReaderInput, Reading
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.readback import compare
from docai.pipelines.readback.compare import COMPARISONS, BayesRule, posterior, rule_of
from docai.pipelines.readback.score import rendering
from docai.records import Kind, RecordBase

SIZE = 896
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
KERN = "**kern\n*clefG2\n*k[]\n*M4/4\n=1\n4c\n4e\n4g\n4cc\n=2\n2dd\n2b\n==\n*-"
share = st.floats(0, 1)


def says(text: str, logprob: float | None = -0.02) -> Callable[[Request], Generation]:
    def reply(request: Request) -> Generation:
        if logprob is None:
            return Generation(text, "stop")
        return Generation(text, "stop", tokens=(text,), logprobs=(logprob,))

    return reply


def read(
    picture: Image.Image, head: str, text: str, logprob: float | None = -0.02, **more: str
) -> RecordBase:
    engine = ScriptedEngine({head: says(text, logprob)})
    return Pipeline(engine=engine, **more).read(picture, head)  # type: ignore[arg-type]


def drawing(smiles: str) -> Image.Image:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DCairo(600, 450)
    drawer.drawOptions().rotate = 37
    drawer.DrawMolecule(Chem.MolFromSmiles(smiles))
    drawer.FinishDrawing()
    return Image.open(io.BytesIO(drawer.GetDrawingText())).convert("RGB")


def logo() -> Image.Image:
    image = Image.new("RGB", (600, 500), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((150, 40, 450, 340), fill=(20, 40, 120))
    draw.ellipse((210, 100, 390, 280), fill="white")
    draw.polygon([(300, 120), (370, 250), (230, 250)], fill=(200, 30, 30))
    draw.text((160, 370), "ACME Ltd", font=ImageFont.load_default(60), fill="black")
    return image


def photograph() -> Image.Image:
    """Smooth patches under grain."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (14, 14, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (600, 500), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8))


def codes(record: RecordBase) -> list[str]:
    return [issue.code for issue in record.issues]


NO_STRUCTURES = (logo, photograph)


@pytest.mark.parametrize("smiles", [ASPIRIN, "CN1CCCC1c1cccnc1"])
def test_a_right_molecule_passes(smiles: str) -> None:
    record = read(drawing(smiles), "molecule", smiles)
    assert record.read_back is not None
    assert record.read_back.similarity is not None
    assert record.read_back.similarity > 0.5
    assert record.confidence.value is not None
    assert record.confidence.value > 0.95
    assert record.confidence.method.endswith("with read-back (Bayes' rule)")
    assert not codes(record)


@pytest.mark.parametrize("picture", NO_STRUCTURES)
@pytest.mark.parametrize("smiles", [ASPIRIN, "CCO", "CC(C)(C)c1ccc(O)cc1"])
def test_a_logo_or_photograph_read_as_a_molecule_fails(
    picture: Callable[[], Image.Image], smiles: str
) -> None:
    for logprob in (-0.5, None):
        record = read(picture(), "molecule", smiles, logprob)
        assert codes(record) == ["readback-differs"], record.read_back
        assert record.confidence.value is not None
        assert record.confidence.value < 0.05


@dataclass
class Chemist(Osra):
    """OSRA's place, without its program."""

    def available(self) -> str | None:
        return None

    def read(self, region: ReaderInput) -> Reading:
        return Reading("osra", parse_molecule(ASPIRIN).content, ASPIRIN)


@pytest.mark.parametrize("picture", NO_STRUCTURES)
def test_a_second_reader_that_reads_a_logo_fails_too(
    picture: Callable[[], Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "known_readers", lambda: (Chemist(),))
    engine = ScriptedEngine({"table": says("")})
    data = io.BytesIO()
    picture().save(data, "PNG", dpi=(72, 72))
    regions: dict[int, list[tuple[Kind, BBox]]] = {1: [("molecule", (10, 10, 590, 490))]}
    (record,) = Pipeline(engine=engine).process(data.getvalue(), regions=regions).records
    assert record.evidence == ["osra"]
    assert "readback-differs" in codes(record)
    assert record.confidence.value is not None
    assert record.confidence.value < 0.15


def test_another_molecule_than_the_drawn_one_is_less_sure() -> None:
    right = read(drawing(ASPIRIN), "molecule", ASPIRIN, -0.5).confidence.value
    wrong = read(drawing(ASPIRIN), "molecule", "CCCCCCCCCC(C)CCC#N", -0.5).confidence.value
    assert right is not None
    assert wrong is not None
    assert wrong < 0.3 < 0.6 < right


def test_off_leaves_the_record_as_it_was() -> None:
    record = read(logo(), "molecule", ASPIRIN, readback="off")
    assert record.read_back is None
    assert not codes(record)
    assert "read-back" not in record.confidence.method


def test_an_invalid_answer_stays_at_0_and_is_not_drawn() -> None:
    record = read(drawing(ASPIRIN), "molecule", "C1CC")
    assert record.read_back is None
    assert record.confidence.value == 0
    assert "readback-differs" not in codes(record)


def test_words_of_the_pdf_are_not_read_back(make_pdf: Callable[..., bytes]) -> None:
    engine = ScriptedEngine({"text": says("")})
    (record,) = Pipeline(engine=engine).process(make_pdf("Hello world")).records
    assert record.evidence == ["text-layer"]
    assert record.read_back is None


def test_a_text_in_tiles_is_read_back_tile_by_tile() -> None:
    """A column of small print, taller than one crop can show."""
    image = Image.new("RGB", (300, 1600), "white")
    draw = ImageDraw.Draw(image)
    for row in range(100):
        draw.text((10, 8 + 16 * row), "some words of small print", font=ImageFont.load_default(11), fill=0)
    asked: list[Request] = []

    def reply(request: Request) -> Generation:
        asked.append(request)
        return Generation("<loc0500><loc0480><loc0520><loc0540> nowhere", "stop")

    record = Pipeline(engine=ScriptedEngine({"text": reply})).read(image, "text")
    assert len(asked) > 1
    assert record.read_back is not None
    assert record.read_back.similarity is not None
    assert "readback-differs" in codes(record)


def test_a_score_without_its_engraver_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    record = read(logo(), "score", KERN)
    assert record.read_back is None
    assert "readback-differs" not in codes(record)


def test_a_score_on_a_picture_without_staves_is_less_sure() -> None:
    pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    pytest.importorskip("resvg_py", reason="drawings are rasterised with resvg")
    record = read(logo(), "score", KERN, -0.5)
    assert record.confidence.value is not None
    assert record.confidence.value < np.exp(-0.5)


def test_a_failure_of_reading_back_is_a_reason_and_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(content: object, crops: object) -> None:
        raise RuntimeError("no ink left")

    monkeypatch.setattr(compare, "compare_with_crops", crash)
    record = read(drawing(ASPIRIN), "molecule", ASPIRIN)
    assert record.read_back is not None
    assert record.read_back.similarity is None
    assert "no ink left" in record.read_back.reason
    assert record.confidence.value == pytest.approx(np.exp(-0.02))
    assert record.evidence == ["model"]


def test_an_engraver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    pytest.importorskip("resvg_py", reason="drawings are rasterised with resvg")
    monkeypatch.setattr(rendering, "SECONDS", 1e-3)
    record = read(logo(), "score", KERN + "\n")
    assert record.read_back is not None
    assert record.read_back.similarity is None
    assert record.read_back.reason == "Verovio does not engrave the kern"


@given(p=share, low=share, high=share, head=st.sampled_from(sorted(COMPARISONS)))
def test_more_alike_is_never_less_sure(p: float, low: float, high: float, head: Kind) -> None:
    low, high = sorted((low, high))
    rule = COMPARISONS[head].rule
    assert 0 <= posterior(p, low, rule) <= posterior(p, high, rule) + 1e-12 <= 1 + 1e-9


@given(p=share)
def test_a_similarity_that_says_nothing_changes_nothing(p: float) -> None:
    assert posterior(p, 0.5, BayesRule(false_match=0.3, false_mismatch=0.3, warn_below=0.1)) == pytest.approx(
        p
    )
    rule = COMPARISONS["table"].rule
    assert posterior(None, 0.8, rule) == posterior(0.5, 0.8, rule)
    assert posterior(0.0, 1.0, rule) == 0


def test_each_head_has_a_comparison_with_a_renderer() -> None:
    assert set(COMPARISONS) == {"table", "molecule", "score", "text"}
    assert all(comparison.renderer for comparison in COMPARISONS.values())


def test_another_setting_is_refused() -> None:
    with pytest.raises(SettingError, match="readback is 'on'"):
        Pipeline(readback="on")  # type: ignore[arg-type]


def test_the_similarity_of_a_structure_of_readers_counts_where_it_is_low_alone() -> None:
    rule = rule_of("molecule", ("imago",))
    assert posterior(0.9, 0.5, rule) == posterior(0.9, 0.99, rule) == 0.9
    assert posterior(0.9, 0.05, rule) < 0.5
    of_model = rule_of("molecule", ("model",))
    assert posterior(0.9, 0.5, of_model) < posterior(0.9, 0.99, of_model)
