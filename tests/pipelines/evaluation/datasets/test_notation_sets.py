"""Molecules and music: MolScribe's CSV, molfiles beside pictures, GrandStaff, scanned scores."""

import pytest

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset
from docai.pipelines.evaluation.datasets.scores import kern_spines

PICTURE = b"not looked at here"


def read(spec: str) -> tuple[dict[str, Sample], dict[str, str]]:
    cases = list(open_dataset(spec))
    samples = {case.id: case for case in cases if isinstance(case, Sample)}
    return samples, {case.id: case.reason for case in cases if isinstance(case, Skipped)}


def texts(samples: dict[str, Sample]) -> dict[str, str]:
    return {name: sample.truth[0].text for name, sample in samples.items()}


def molblock(smiles: str) -> str:
    from rdkit import Chem
    from rdkit.Chem.AllChem import Compute2DCoords

    molecule = Chem.MolFromSmiles(smiles)
    Compute2DCoords(molecule)
    return str(Chem.MolToMolBlock(molecule))


def phenyl_group() -> str:
    """Chlorobenzene whose ring is an S-group ``Ph``, as ChemDraw writes an abbreviation."""
    block = molblock("Clc1ccccc1")
    group = [
        "M  STY  1   1 SUP",
        "M  SAL   1  6   2   3   4   5   6   7",
        "M  SBL   1  1   1",
        "M  SMT   1 Ph",
    ]
    return block.replace("M  END", "\n".join([*group, "M  END"]))


def test_molscribe_csv(tmp_path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "images" / f"{name}.png").write_bytes(PICTURE)
    rows = [
        "\ufeffimage_id,file_path,SMILES,node_coords",
        'one,images/a.png,OCC,"[[0.1, 0.2], [0.3, 0.4]]"',
        ",images/b.png,[Ph]C[R1],",
        "three,images/c.png,,",
        "four,images/d.png,CC,",
        "five,images/a.png",
        "",
        "one,images/c.png,C,",
        "six,/etc/hostname,C,",
    ]
    (tmp_path / "set.csv").write_bytes("\r\n".join(rows).encode())
    samples, skipped = read(f"molscribe:{tmp_path}")
    assert texts(samples) == {"one": "CCO", "b": "[Ph]C[R1]"}
    assert samples["one"].source == tmp_path / "images" / "a.png"
    assert skipped == {
        "three": "The line has no SMILES.",
        "four": "The file that its truth is of is missing.",
        "line 6": "The line has another number of columns.",
        "one": "Its id stands for an earlier case already.",
        "six": "The file that its truth is of is missing.",
    }


def test_molscribes_list_without_pictures_is_named(tmp_path) -> None:
    (tmp_path / "pubchem.csv").write_text("pubchem_cid,SMILES\n1,C\n")
    with pytest.raises(DatasetError, match="PubChem list has no pictures"):
        open_dataset(f"molscribe:{tmp_path}")


def test_long_columns_of_coordinates_are_read(tmp_path) -> None:
    (tmp_path / "set.csv").write_text(f'file_path,SMILES,node_coords\na.png,C,"{"1" * 200_000}"\n')
    assert texts(read(f"molscribe:{tmp_path}")[0]) == {"a": "C"}


def test_molfiles_of_all_kinds(tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    truths = {
        "sub/US1.MOL": phenyl_group(),
        "stereo.mol": molblock("C[C@H](N)O"),
        "cistrans.mol": molblock("C/C=C/C"),
        "salt.sdf": molblock("[Na+].[Cl-]") + "> <id>\n1\n\n$$$$\n",
        "usan.smi": "OCC ethanol\n",
        "two.sdf": molblock("C") + "$$$$\n" + molblock("CC") + "$$$$\n",
        "broken.mol": "nothing\n\n\n  2  1  0\n",
        "empty.smi": "\n",
        "bad.smi": "C(C)(C)(C)(C)C\n",
        "windows.mol": molblock("CCN").replace("\n", "\r\n"),
    }
    for name, text in truths.items():
        (tmp_path / name).write_bytes(text.encode())
    for name in ("sub/US1.TIF", *(f"{n.split('.')[0]}.png" for n in truths if "/" not in n), "lone.tif"):
        (tmp_path / name).write_bytes(PICTURE)
    samples, skipped = read(f"molfiles:{tmp_path}")
    assert texts(samples) == {
        "cistrans": "C/C=C/C",
        "salt": "[Cl-].[Na+]",
        "stereo": "C[C@H](N)O",
        "sub/US1": "Clc1ccccc1",
        "usan": "CCO",
        "windows": "CCN",
    }
    assert samples["sub/US1"].source == tmp_path / "sub" / "US1.TIF"
    assert skipped == {
        "bad": "RDKit cannot read its truth.",
        "broken": "RDKit cannot read its truth.",
        "empty": "RDKit cannot read its truth.",
        "lone": "The picture has no .mol, .sdf or .smi beside it.",
        "two": "Its truth holds several records.",
    }


def test_grandstaff_rather_takes_bekern(tmp_path) -> None:
    folder = tmp_path / "mozart" / "sonata"
    folder.mkdir(parents=True)
    (folder / "original_m-0-5.krn").write_text("**kern\t**kern\n4c\t(4eL\n*-\t*-\n")
    (folder / "original_m-0-5.bekrn").write_text("**bekern\t**bekern\n4@c\t4@e@#·L\n*-\t*-\n")
    (folder / "maj2_m-0-5.krn").write_text("**kern\t**kern\r\n4c\t(4eL\r\n*-\t*-\r\n")
    (folder / "old_m-0-5.bekrn").write_text("**ekern_1.0\t**ekern_1.0\n4@c\t4@e\n*-\t*-\n")
    (folder / "none_m-0-5.krn").write_text("!!!RDF**kern: > = above\nnothing\n")
    (folder / "lost_m-0-5.krn").write_text("**kern\n*-\n")
    for stem in ("original", "maj2", "old", "none"):
        (folder / f"{stem}_m-0-5.jpg").write_bytes(PICTURE)
    (folder / "original_m-0-5_distorted.jpg").write_bytes(PICTURE)
    samples, skipped = read(f"grandstaff:{tmp_path}")
    assert texts(samples) == {
        "mozart/sonata/maj2_m-0-5": "**kern\t**kern\n4c\t(4eL\n*-\t*-",
        "mozart/sonata/old_m-0-5": "**kern\t**kern\n4c\t4e\n*-\t*-",
        "mozart/sonata/original_m-0-5": "**kern\t**kern\n4c\t4e#L\n*-\t*-",
    }
    assert samples["mozart/sonata/original_m-0-5"].source == folder / "original_m-0-5.jpg"
    assert skipped == {
        "mozart/sonata/lost_m-0-5": "The file that its truth is of is missing.",
        "mozart/sonata/none_m-0-5": "Its truth has no **kern spine.",
    }
    distorted, _ = read(f"grandstaff-distorted:{tmp_path}")
    (sample,) = distorted.values()
    assert sample.source == folder / "original_m-0-5_distorted.jpg"


HUMDRUM = """!!!COM: Someone
**kern\t**kern\t**dynam
*clefF4\t*clefG2\t*
*\t*\t*X
=1\t=1\t=1
!\t!LO:N:a\t!
2C\t4e\tp
.\t.\tf
*^\t*\t*
2D\t2F\t4g\t.
!!LO:LB:g=original
*v\t*v\t*\t*
*\t*x\t*x
.\tf\t4a
*\t*x\t*x
*-\t*-\t*-
!!!ENC: Someone"""


def test_kern_spines_are_followed_through_splits_joins_and_exchanges() -> None:
    assert kern_spines(HUMDRUM).split("\n") == [
        "**kern\t**kern",
        "*clefF4\t*clefG2",
        "=1\t=1",
        "2C\t4e",
        "*^\t*",
        "2D\t2F\t4g",
        "*v\t*v\t*",
        "*\t*x",
        ".\t4a",
        "*\t*x",
        "*-\t*-",
    ]


def test_pages_of_scores(tmp_path) -> None:
    (tmp_path / "a.krn").write_text(HUMDRUM)
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "torn.krn").write_text("**kern\t**kern\n4c\n*-\t*-\n")
    (tmp_path / "torn.pdf").write_bytes(b"%PDF")
    (tmp_path / "lost.krn").write_text("**kern\n*-\n")
    (tmp_path / "lone.pdf").write_bytes(b"%PDF")
    samples, skipped = read(f"kern-pages:{tmp_path}")
    assert samples["a"].unit == "page"
    assert samples["a"].source == tmp_path / "a.pdf"
    assert samples["a"].truth[0].text.startswith("**kern\t**kern\n*clefF4")
    assert skipped == {
        "lone": "The page has no .krn beside it.",
        "lost": "The file that its truth is of is missing.",
        "torn": "A line of its truth does not fit the spines.",
    }


@pytest.mark.parametrize(("head", "name"), [("molecule", "molscribe"), ("score", "grandstaff")])
def test_what_docai_draws_is_read_back(tmp_path, head: str, name: str) -> None:
    import json

    pytest.importorskip("verovio", reason="drawing needs docai[synth]")
    from docai.pipelines.synthesis.write import write_pairs

    write_pairs(head, 2, 5, tmp_path)
    samples, skipped = read(f"{name}:{tmp_path}")
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert not skipped
    for sample, pair in zip(samples.values(), pairs, strict=True):
        assert sample.source == tmp_path / pair["image"]
        assert sample.truth[0].text == pair["target"]
