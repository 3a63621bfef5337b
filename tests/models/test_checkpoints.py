from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from docai.errors import CheckpointError, HeadNotAvailableError, UnknownModelError
from docai.models import checkpoints
from docai.models.checkpoints import embedded_models, find_checkpoint, open_checkpoint


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_folder, tmp_path / "copy")
    return tmp_path / "copy"


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_folder(tiny_folder: Path) -> None:
    for name in (tiny_folder, str(tiny_folder)):
        checkpoint = find_checkpoint(name)
        assert checkpoint.id == "tiny@0"
        assert set(checkpoint.heads) == {"table", "text"}
        assert checkpoint.require_head("table").max_tokens == 24
        assert (checkpoint.image_size, checkpoint.patch_size, checkpoint.n_image_tokens) == (56, 14, 16)


def test_a_folder_without_heads(copy: Path) -> None:
    (copy / "docai.json").unlink()
    checkpoint = open_checkpoint(copy)
    assert checkpoint.name == "copy"
    assert not checkpoint.heads
    with pytest.raises(HeadNotAvailableError, match=f"docai train table --base {copy} -o DIR"):
        checkpoint.require_head("table")


def test_the_revision_follows_the_content(copy: Path) -> None:
    (copy / "docai.json").unlink()
    before = open_checkpoint(copy).revision
    assert open_checkpoint(copy).revision == before
    edit(copy / "config.json", lambda config: config["text_config"].update(rms_norm_eps=1e-5))
    assert open_checkpoint(copy).revision != before


def test_an_embedded_model(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "embedded_models", lambda: {"pico": tiny_folder})
    assert find_checkpoint("pico").folder == tiny_folder


def test_embedded_models_are_folders_of_the_package() -> None:
    for name, folder in embedded_models().items():
        assert folder.name == name
        assert (folder / "docai.json").is_file()
        assert find_checkpoint(name).name == name


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "/nowhere/at/all", "a/b/c", "", Path("org/name")])
def test_an_unknown_model(name: str | Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> None:
    monkeypatch.setattr(checkpoints, "embedded_models", lambda: {"pico": tiny_folder})
    with pytest.raises(UnknownModelError, match=r"embedded model \(pico\)"):
        find_checkpoint(name)


def test_a_hub_model_needs_a_revision() -> None:
    with pytest.raises(UnknownModelError, match="google/paligemma2-3b-pt-896@<commit or tag>"):
        find_checkpoint("google/paligemma2-3b-pt-896")


def test_a_hub_model_that_is_here(copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (copy / "docai.json").unlink()
    commit = copy.rename(tmp_path / "0123abcd")
    calls: list[dict[str, Any]] = []

    def snapshot(repository: str, **options: Any) -> str:
        calls.append({"repository": repository, **options})
        return str(commit)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert find_checkpoint("org/name@v1").id == "org/name@0123abcd"
    find_checkpoint("org/name@v1", download=True)
    assert [call["local_files_only"] for call in calls] == [True, False]
    assert {(call["repository"], call["revision"]) for call in calls} == {("org/name", "v1")}


def test_a_hub_model_that_is_not_here_is_not_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    def no_network(*args: object, **kwargs: object) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(UnknownModelError, match="process --download"):
        find_checkpoint("docai-tests/there-is-no-such-model@0000")


def test_a_download_without_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(repository: str, **options: Any) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(UnknownModelError, match="check the network"):
        find_checkpoint("org/name@v1", download=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(model_type="llava"), "'llava', expected 'paligemma'"),
        (lambda c: c["text_config"].update(model_type="gemma"), "'gemma', expected 'gemma2'"),
        (lambda c: c["text_config"].pop("model_type"), "'gemma', expected 'gemma2'"),
        (lambda c: c["vision_config"].update(model_type="clip_vision_model"), "image tower"),
        (lambda c: c.update(projection_dim=99), "99 dimensions, but its decoder 32"),
        (lambda c: c["vision_config"].update(image_size=57), "57 px is not a multiple of its patch size"),
        (lambda c: c.pop("text_config"), "not a PaliGemma 2"),
    ],
)
def test_what_is_not_a_paligemma_2(copy: Path, change: Callable[[Any], object], message: str) -> None:
    edit(copy / "config.json", change)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(copy)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "processor_config.json"]
)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        open_checkpoint(copy)


def test_a_missing_shard_is_named(copy: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (copy / "model.safetensors").rename(copy / "model-1.safetensors")
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"model-2\.safetensors"):
        open_checkpoint(copy)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "not a JSON object"),
        ('{"name": "x"}', "revision"),
        (
            '{"name": "x", "revision": "1", "heads": {"table": {"max_tokens": 0}}}',
            r"heads\.table\.max_tokens",
        ),
        ('{"name": "x", "revision": "1", "heads": {"table": {"adapter": "gone"}}}', "'gone'"),
        (
            '{"name": "x", "revision": "1", "heads": {"table": {"calibration": {"cell": {"score": "product", '
            '"method": "isotonic", "x": [1], "y": [2], "n": 9}}}}}',
            r"calibration\.cell: .*between 0 and 1",
        ),
    ],
)
def test_a_bad_manifest_says_where(copy: Path, manifest: str, message: str) -> None:
    (copy / "docai.json").write_text(manifest)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(copy)


def test_what_log_probabilities_are_worth_is_read_where_it_is_there(copy: Path) -> None:
    assert all(entry.calibration is None for entry in open_checkpoint(copy).heads.values())
    entry = {"score": "product", "method": "isotonic", "x": [1], "y": [0.5], "n": 9, "later": "unknown"}
    manifest = {
        "name": "x",
        "revision": "1",
        "heads": {"table": {"calibration": {"record": entry}, "later": 1}, "text": {}},
    }
    (copy / "docai.json").write_text(json.dumps(manifest))
    heads = open_checkpoint(copy).heads
    assert heads["table"].calibration is not None
    assert heads["table"].calibration["record"].apply([-3.0]) == 0.5
    assert heads["text"].calibration is None


def test_finding_a_checkpoint_loads_no_torch(tiny_folder: Path) -> None:
    code = (
        "import sys; from docai.models.checkpoints import find_checkpoint; "
        "import docai.models.engine, docai.models.scripted, docai.models.guards, docai.models.attention; "
        f"find_checkpoint({str(tiny_folder)!r}); "
        "sys.exit(sum(name in sys.modules for name in ('torch', 'transformers', 'peft', 'rdkit', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
