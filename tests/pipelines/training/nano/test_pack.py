"""A pack: what it holds, what it may take, and a feed that draws from it without any renderer."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docai.errors import DatasetError, SettingError
from docai.pipelines.synthesis import Mark, Sample, fonts
from docai.pipelines.synthesis.score.svg import Engraving
from docai.pipelines.training.nano import pack as packing
from docai.pipelines.training.nano.feed import PackSource, RendererSource, pack_samples, unpack_samples
from docai.pipelines.training.nano.pack import PackSettings, require_pack, write_pack
from docai.pipelines.training.nano.scores import Scores


class OneEach:
    """Held-out pairs that cost nothing."""

    def heads(self) -> tuple[str, ...]:
        return RendererSource().heads()

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        raise AssertionError("a pack draws descriptions")

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        image = Image.new("RGB", (896, 896), "white")
        image.putpixel((5, 9), (20, 20, 20))
        return [Sample(head, image, f"{head}\t{seed}", (Mark(5.25, 9, "C", (0, 1)), Mark(1, 2, "é")), "k")]


def fake_scores(seed: int, index: int) -> list[tuple[float, tuple[Engraving, bytes]]]:
    """Pieces as Verovio would have draw_engraving them: a few lines and a notehead."""
    from io import BytesIO

    pieces = []
    for number in range(3):
        gray = np.full((60, 300), 255, np.uint8)
        gray[10:50:8] = 0
        gray[24:32, 100 : 110 + number] = 0
        file = BytesIO()
        Image.fromarray(gray).convert("RGB").save(file, "WEBP", lossless=True)
        kern = f"**kern\n4c{'c' * number}\n*-"
        piece = Engraving(kern, gray, (Mark(105, 28, "c", (7, 9 + number)),), 8.0, kern)
        pieces.append((number / 2, (piece, file.getvalue())))
    return pieces


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny one, made in this process, with some of the machine's fonts; all are there again afterwards.

    To cut them all down takes a minute where there are hundreds.
    """
    some = fonts.system_faces()[::40]

    def threads(workers: int) -> Executor:
        return ThreadPoolExecutor(1)

    folder = tmp_path_factory.mktemp("pack") / "pack"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fonts, "system_faces", lambda: some)
        patch.setattr(packing, "_executor", threads)
        patch.setattr(packing, "_draw_scores", fake_scores)
        patch.setattr(packing, "_CHUNK_SIZES", {"molecules.npz": 12})
        patch.setattr(packing, "_MAX_COUNTS", {"molecules.npz": 12, "scores.npz": 3})
        write_pack(folder, None, PackSettings(megabytes=20.0), lambda line: None, source=OneEach())
    yield folder
    fonts._pack_folders.clear()
    for cached in (
        fonts.faces,
        fonts.system_faces,
        fonts._faces_of_split,
        fonts._faces_by_design,
        fonts.face,
    ):
        cached.cache_clear()


def test_it_says_what_it_holds_and_can_be_drawn_from(pack: Path) -> None:
    require_pack(pack)
    manifest = json.loads((pack / "pack.json").read_text())
    assert {"docai", "fonts", "held-out.npz", "molecules.npz", "scores.npz"} <= manifest["bytes"].keys()
    assert not list(pack.rglob("*.safetensors"))
    assert (pack / "docai/models/heads.py").is_file()
    source = PackSource(pack)
    for head in source.heads():
        sample = source.draw(head, random.Random(1), 0.2)
        assert sample.head == head
        assert sample.image.size == (896, 896)
        assert sample.target
        (sample_back,) = source.held_out(head, 7, 5)
        assert (sample_back.target, sample_back.key) == (f"{head}\t1", "k")
        assert sample_back.marks == (Mark(5.25, 9, "C", (0, 1)), Mark(1, 2, "é"))
        assert sample_back.image.getpixel((5, 9)) == (20, 20, 20)


def test_its_faces_are_in_the_splits_they_were_in(pack: Path) -> None:
    PackSource(pack).draw("text", random.Random(1), 0.2)
    names = {*fonts.faces(), *(Path(name).stem for name in fonts.system_faces())}
    assert {path.stem for path in (pack / "fonts").iterdir()} == names
    assert all(fonts.covers(name, "Aé0fi") for name in fonts.faces())


def test_it_runs_where_no_renderer_is(pack: Path) -> None:
    code = """
import random, sys
from pathlib import Path
for name in ("rdkit", "indigo", "verovio", "resvg_py", "music21", "reportlab", "pymupdf", "peft", "lxml"):
    sys.modules[name] = None
from docai.pipelines.training.nano.feed import PackSource
for head in ("molecule", "score", "text", "table"):
    print(PackSource(Path(".")).draw(head, random.Random(2), 0.3).head)
import docai.cli.app, docai.pipelines.training.nano.loop, docai.pipelines.training.nano.measure
print(docai.__file__)
"""
    command = [sys.executable, "-c", code]
    # -c puts the current folder first on the path: the pack's own docai is imported.
    done = subprocess.run(command, cwd=pack, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    *heads, where = done.stdout.split()
    assert heads == ["molecule", "score", "text", "table"]
    assert Path(where).is_relative_to(pack)


def test_scores_come_back_as_they_were(pack: Path) -> None:
    scores = Scores.collect([piece for _, piece in fake_scores(0, 0)])
    again = Scores.from_arrays(scores.arrays())
    for index, (_, (piece, _)) in enumerate(fake_scores(0, 0)):
        back = again._engraving(index)
        assert (back.kern, back.marks, back.space) == (piece.kern, piece.marks, piece.space)
        assert np.array_equal(back.gray, piece.gray)


def test_half_a_pack_and_another_folder_are_refused(pack: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pack, copy)
    (copy / "molecules.npz").unlink()
    with pytest.raises(DatasetError, match=r"molecules\.npz is missing"):
        require_pack(copy)
    (copy / "pack.json").write_text('{"layout": 1, "complete": false}')
    with pytest.raises(DatasetError, match="half written"):
        require_pack(copy)
    with pytest.raises(DatasetError, match=r"pack\.json cannot be read"):
        require_pack(tmp_path)
    with pytest.raises(SettingError, match="holds something else than a pack"):
        write_pack(tmp_path, None, PackSettings(), lambda line: None, source=OneEach())


def test_a_pack_larger_than_allowed_is_refused_and_what_was_drawn_stays(pack: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pack, copy)
    before = (copy / "molecules.npz").read_bytes()
    with pytest.raises(SettingError, match=r"does not fit 1 MiB \(docai .*--megabytes"):
        write_pack(copy, None, PackSettings(megabytes=1.0), lambda line: None, source=OneEach())
    write_pack(copy, None, PackSettings(megabytes=20.0), lambda line: None, source=OneEach())
    require_pack(copy)
    assert (copy / "molecules.npz").read_bytes() == before


def test_whole_samples_are_kept_exactly() -> None:
    (sample,) = OneEach().held_out("table", 3, 1)
    (again,) = unpack_samples("table", pack_samples({"table": [sample]}))
    assert np.array_equal(np.asarray(again.image), np.asarray(sample.image))
    assert (again.target, again.marks, again.key) == (sample.target, sample.marks, sample.key)
