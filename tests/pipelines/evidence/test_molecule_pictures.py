"""Pictures of molecules made ready for programs, what is written beside them, and mol blocks read again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from docai.pipelines.evidence.imago import are_enough, prepare, without_warned
from docai.pipelines.evidence.molecule_answers import (
    MoleculeAnswer,
    answer_of_blocks,
    count_oddities,
    mend,
)
from docai.pipelines.evidence.molecule_label_repair import repair_label
from docai.pipelines.evidence.molecule_picture import (
    MoleculePicture,
    at_stroke,
    gray_of,
    part_picture,
    stroke_width,
)
from docai.pipelines.evidence.molecule_salts import read_texts, with_salts
from docai.pipelines.evidence.molecule_stems import count_iodines, count_stems
from docai.pipelines.external import ppocr


def _drawn(smiles: str, *, size: tuple[int, int] = (900, 500), width: int = 3) -> Image.Image:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(*size)
    canvas.drawOptions().useBWAtomPalette()
    canvas.drawOptions().bondLineWidth = width
    canvas.drawOptions().fixedBondLength = 50
    canvas.DrawMolecule(Chem.MolFromSmiles(smiles))
    canvas.FinishDrawing()
    return Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")


def _with_text(image: Image.Image, text: str, at: tuple[int, int]) -> Image.Image:
    ImageDraw.Draw(image).text(at, text, fill=0, font=ImageFont.load_default(28))
    return image


def _block(smiles: str) -> str:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    mol = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(mol)
    return str(Chem.MolToMolBlock(mol))


def test_a_caption_is_no_part_of_the_structure() -> None:
    plain = part_picture(_drawn("CC(=O)Nc1ccc(O)cc1"))
    captioned = part_picture(_with_text(_drawn("CC(=O)Nc1ccc(O)cc1"), "Compound (12)", (40, 440)))
    assert [len(one.texts) for one in (plain, captioned)] == [0, 1]
    assert (plain.ink == captioned.ink).mean() > 0.99


def test_labels_belong_to_the_structure() -> None:
    image = _drawn("OC(=O)c1ccc(Cl)cc1[N+](=O)[O-]")
    picture = part_picture(image)
    assert not picture.texts
    ink = np.asarray(image.convert("L")) < 128
    assert (picture.ink > 0).sum() == pytest.approx(ink.sum(), rel=0.1)


def test_white_on_black_is_read_as_black_on_white() -> None:
    image = _drawn("CC(=O)Nc1ccc(O)cc1")
    black = ImageOps.expand(ImageOps.invert(image), 20, "white")
    plain, inverted = part_picture(image), part_picture(black)
    assert inverted.stroke == pytest.approx(plain.stroke, abs=0.5)
    assert inverted.ink.shape == pytest.approx(plain.ink.shape, abs=2)


def test_a_picture_without_lines_is_kept_whole() -> None:
    picture = part_picture(_with_text(Image.new("RGB", (300, 200), "white"), "HCl", (100, 80)))
    assert picture.ink.shape == (200, 300)
    assert picture.ink.any()


@pytest.mark.parametrize("color", ["white", "black", "gray"])
def test_a_picture_of_one_color_is_prepared_without_an_error(color: str) -> None:
    picture = part_picture(Image.new("RGB", (300, 200), color))
    if picture.stroke:
        assert prepare(picture, 3.0, False) is not None
    assert count_stems(picture) == 0


def _answers(*given: tuple[str | None, int]) -> list[MoleculeAnswer]:
    return [MoleculeAnswer(smiles, "", 0.99, -float(n_warnings)) for smiles, n_warnings in given]


def test_imago_is_asked_again_where_it_warns() -> None:
    assert are_enough(_answers(("CCO", 0), ("CCO", 0), ("CCO", 0)))
    assert not are_enough(_answers(("CCO", 0), ("CCO", 0)))
    assert not are_enough(_answers(("CCO", 0), ("CCO", 1), ("CCO", 0)))
    warned = _answers(("C1CCCCC1", 3), ("C1CCCCC1", 3), ("C1CCCCC1", 3))
    assert not are_enough(warned)
    again = _answers(("c1ccccc1", 0), ("c1ccccc1", 0), ("c1ccccc1", 0))
    assert are_enough([*warned, *again])
    assert not are_enough([*warned, *again[:2]])


def test_answers_with_warnings_count_only_where_there_are_no_others() -> None:
    warned = _answers(("C1CCCCC1", 3), ("C1CCCCC1", 3))
    assert without_warned(warned) == warned
    clean = _answers(("c1ccccc1", 0), ("c1ccccc1", 0))
    assert without_warned([*warned, *clean]) == clean
    assert len(without_warned([*warned, *_answers((None, 0), ("CC", 0))])) == 4


@pytest.mark.parametrize(
    ("smiles", "count"), [("Ic1ccccc1", 1), ("Cc1ccccc1", 0), ("Clc1ccc(I)cc1", 1), ("OCCl", 0)]
)
def test_letters_that_look_like_bonds_are_counted(smiles: str, count: int) -> None:
    assert count_stems(part_picture(_drawn(smiles))) == count


def test_iodine_is_counted_in_smiles() -> None:
    assert [count_iodines(text) for text in ("Ic1ccc(I)cc1", "C[In]", "[Ir]", "CI", "[I-]")] == [
        2,
        0,
        0,
        1,
        1,
    ]


def test_strokes_are_brought_to_a_width() -> None:
    picture = part_picture(_drawn("CCc1ccccc1", width=9))
    for width in (3.0, 4.0):
        ink = at_stroke(picture.ink, picture.stroke, width)
        assert set(np.unique(ink)) == {0, 255}
        assert stroke_width(ink) == pytest.approx(width, abs=1.2)


def test_a_mol_block_is_read_as_a_drawing() -> None:
    assert answer_of_blocks([_block("C[C@H](O)C(=O)O")], "as it is").smiles == "C[C@H](O)C(=O)O"


def test_labels_in_the_place_of_elements_are_groups() -> None:
    block = _block("[Xe]c1ccccc1").replace("Xe ", "CF3", 1)
    assert answer_of_blocks([block], "as it is").smiles == "FC(F)(F)c1ccccc1"


def test_a_label_that_cannot_be_read_is_a_dummy_atom() -> None:
    block = _block("[Xe]c1ccccc1").replace("Xe ", "Q7x", 1)
    answer = answer_of_blocks([block], "as it is")
    assert answer.smiles == "*c1ccccc1"
    assert answer.plausibility < 0.5


def test_smudges_beside_a_structure_are_left_out() -> None:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    mol = Chem.MolFromSmiles("c1ccccc1CC.CC.C")
    rdDepictor.Compute2DCoords(mol)
    assert answer_of_blocks([Chem.MolToMolBlock(mol)], "as it is").smiles == "CCc1ccccc1"


@pytest.mark.parametrize("text", ["", "no mol block", "\n\n\n  1  0  0  0  0999 V2000\nM  END\n"])
def test_what_is_no_mol_block_is_no_structure(text: str) -> None:
    assert answer_of_blocks([text], "as it is").smiles is None


@pytest.mark.parametrize(
    ("misread", "meant"), [("CFs", "CF3"), ("H9CO", "H3CO"), ("OCH3", "OCH3"), ("Boc", "Boc"), ("Q7x", "Q7x")]
)
def test_labels_are_repaired_where_one_looks_alike(misread: str, meant: str) -> None:
    assert repair_label(misread) == meant


def test_what_drawings_mean_and_programs_miss() -> None:
    assert mend("CC(=O)O[Na]") == "CC(=O)[O-].[Na+]"
    assert mend("CS(C)(C)C") == "C[Si](C)(C)C"
    assert mend("CS(C)(=O)=O") == "CS(C)(=O)=O"


def test_oddities_are_counted() -> None:
    assert count_oddities("CC(=O)Nc1ccc(O)cc1") == 0
    assert count_oddities("C[N+](C)(C)C.[Cl-]") == 0
    assert count_oddities("*C=C=C") == 2
    assert count_oddities("C1=CC=CCC1") > 0
    assert count_oddities("CC(C)(C)N.OC(=O)c1ccccc1") == 0
    assert count_oddities("CC1CCCCC1.O=Cc1ccccc1") == 1, "two parts that make no salt"


@pytest.mark.parametrize(
    ("texts", "smiles"),
    [
        (["HCl"], "CCN.Cl"),
        (["· 2 HCl"], "CCN.Cl.Cl"),
        (["H2SO4"], "CCN.O=S(=O)(O)O"),
        (["(12)"], "CCN"),
        (["Chiral"], "CCN"),
        (["Compound 3"], "CCN"),
    ],
)
def test_acids_beside_a_structure_belong_to_it(texts: list[str], smiles: str) -> None:
    assert with_salts("CCN", texts) == smiles


def test_ions_beside_a_structure_balance_its_charge() -> None:
    assert with_salts("C[N+](C)(C)C", ["I"]) == "C[N+](C)(C)C.[I-]"
    assert with_salts("C[N+](C)(C)C", ["-1"]) == "C[N+](C)(C)C.[I-]", "the raised sign read first"
    assert with_salts("C[N+](C)(C)C", ["-Br"]) == "C[N+](C)(C)C.[Br-]"
    assert with_salts("CC(=O)[O-]", ["+Na"]) == "CC(=O)[O-].[Na+]"
    assert with_salts("CC(=O)[O-]", ["-1"]) == "CC(=O)[O-]"
    assert with_salts("CC(=O)[O-]", ["Mg²⁺"]) == "CC(=O)[O-].CC(=O)[O-].[Mg+2]"
    assert with_salts("CCO", ["I"]) == "CCO"


@pytest.mark.skipif(ppocr.missing() is not None, reason="rapidocr is not installed")
def test_what_is_written_beside_a_structure_is_read() -> None:
    image = _with_text(_drawn("CCN(CC)CCOC(=O)c1ccc(N)cc1"), "HCl", (840, 240))
    assert read_texts(part_picture(image)) == ("HCl",)


def test_noise_is_parted_without_an_error() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (400, 600, 3), np.uint8)
    assert isinstance(part_picture(Image.fromarray(noise)), MoleculePicture)


@pytest.mark.parametrize("paper", ["white", "black"])
def test_light_colors_are_ink(paper: str) -> None:
    image = Image.new("RGB", (200, 100), paper)
    ImageDraw.Draw(image).line((20, 50, 120, 50), fill="black" if paper == "white" else "white", width=4)
    ImageDraw.Draw(image).line(
        (120, 50, 180, 50), fill=(204, 204, 0) if paper == "white" else "blue", width=4
    )
    gray = gray_of(image)
    ink = gray < 128 if paper == "white" else gray > 128
    assert ink[50, 21:179].all()
    assert ink.sum() == pytest.approx(160 * 4, rel=0.1)
    assert (gray_of(image.convert("L")) == np.asarray(image.convert("L"))).all()
