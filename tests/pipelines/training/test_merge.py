"""``docai models merge``: the merged checkpoint reads as base and adapter do, and a server can load it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration

from docai.cli import main
from docai.errors import AdapterError, CheckpointError, SettingError, UnknownHeadError, UnknownModelError
from docai.models.checkpoints import open_checkpoint
from docai.models.engine import Request
from docai.models.heads import Head
from docai.models.inputs import encode_prompts
from docai.models.loading import load_processor
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.merge import merge_adapter
from docai.pipelines.training.settings import AdapterSettings
from tests.models.tiny import build_adapter, build_tiny, noise

SETTINGS = AdapterSettings(
    steps=6, batch=4, accumulate=1, learning_rate=5e-2, seed=1, device="cpu", held_out=0, causal_prompt=True
)


@pytest.fixture(scope="module")
def run(
    tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of `docai train` on a base as Google's are: soft caps on, no docai.json."""
    folder = tmp_path_factory.mktemp("merge") / "run"
    train_adapter(molecule, tiny_base, folder, SETTINGS, data=[pairs_folder], report=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def merged(tiny_base: Path, run: Path) -> Path:
    return merge_adapter(tiny_base, run, run.with_name("merged")).folder


def copy_of(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_merged_model_gives_the_logits_of_the_adapter(run: Path, merged: Path, molecule: Head) -> None:
    requests = [Request(replace(molecule, max_tokens=16), noise(seed)) for seed in range(4)]
    by_adapter = PaliGemmaEngine.load(run, device="cpu").generate(requests)
    by_merged = PaliGemmaEngine.load(merged, device="cpu").generate(requests)
    for one, other in zip(by_adapter, by_merged, strict=True):
        assert one.text == other.text
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert by_merged[0].checkpoint == open_checkpoint(merged).id


def test_a_server_needs_nothing_of_docai_to_load_it(run: Path, merged: Path, molecule: Head) -> None:
    """By stock transformers, with what the files say: no adapter, full attention, caps as trained."""
    config = json.loads((merged / "config.json").read_text())["text_config"]
    assert set(config["layer_types"]) == {"full_attention"}
    assert config["sliding_window"] > 8192
    assert (config["attn_logit_softcapping"], config["final_logit_softcapping"]) == (None, None)
    assert not list(merged.glob("**/adapter_*"))
    assert not list(merged.glob("**/*.bin"))
    stock = PaliGemmaForConditionalGeneration.from_pretrained(merged, attn_implementation="eager")
    processor = load_processor(open_checkpoint(merged))
    inputs = encode_prompts(processor, [molecule.prompt], [noise()], like=stock, causal_prompt=True)
    with torch.inference_mode():
        expected = stock(**inputs).logits[0, -1].log_softmax(-1).max()
    (found,) = PaliGemmaEngine.load(run, device="cpu").generate([Request(molecule, noise(), 1)])
    assert found.logprobs[0] == pytest.approx(float(expected), abs=1e-4)


def test_tensors_have_the_names_of_googles_files(merged: Path) -> None:
    """As in model.safetensors.index.json of google/paligemma2-3b-pt-896, which vLLM's mapper knows."""
    rooms = ("language_model.model.", "vision_tower.vision_model.", "multi_modal_projector.linear.")
    names = load_file(merged / "model.safetensors").keys()
    assert {next(room for room in rooms if name.startswith(room)) for name in names} == set(rooms)
    assert "language_model.model.layers.0.self_attn.q_proj.weight" in names
    assert "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight" in names
    _, report = PaliGemmaForConditionalGeneration.from_pretrained(merged, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))


def test_docai_json_says_where_it_came_from(tiny_base: Path, run: Path, merged: Path) -> None:
    manifest = json.loads((merged / "docai.json").read_text())
    adapter = json.loads((run / "docai.json").read_text())["revision"]
    assert manifest["base"] == open_checkpoint(tiny_base).id
    assert manifest["merged"] == {"head": "molecule", "adapter": adapter}
    assert manifest["heads"] == {"molecule": {"adapter": None, "max_tokens": 256, "causal_prompt": True}}
    assert (merged / "tokenizer.json").read_bytes() == (tiny_base / "tokenizer.json").read_bytes()
    assert (merged / "generation_config.json").read_bytes() == (
        tiny_base / "generation_config.json"
    ).read_bytes()
    # What the base's configuration does not state is not stated here, but for what engines differ in.
    config, base = (json.loads((folder / "config.json").read_text()) for folder in (merged, tiny_base))
    stated = {"layer_types", "sliding_window", "attn_logit_softcapping", "final_logit_softcapping"}
    assert config | {"text_config": None} == base | {"text_config": None}
    assert config["text_config"].keys() == base["text_config"].keys() | stated
    names = [path.name for path in merged.iterdir()]
    assert "training.json" not in names
    assert "state" not in names


def test_the_folder_of_the_run_is_a_base_too(run: Path, merged: Path, tmp_path: Path) -> None:
    again = merge_adapter(run, run, tmp_path / "again").folder
    assert load_file(again / "model.safetensors").keys() == load_file(merged / "model.safetensors").keys()
    assert open_checkpoint(again).revision == open_checkpoint(merged).revision


def test_the_number_format_is_that_of_the_base(
    tiny_base: Path, run: Path, merged: Path, tmp_path: Path
) -> None:
    base = copy_of(tiny_base, tmp_path / "half")
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(base / "model.safetensors").items()}
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    adapter = copy_of(run / "adapters/molecule", tmp_path / "adapter")
    half = merge_adapter(base, adapter, tmp_path / "merged", head="molecule").folder
    for folder, wanted in ((half, torch.bfloat16), (merged, torch.float32)):
        assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {wanted}
    # The sum is rounded once: of the base as it is stored and the adapter in float32.
    lora = load_file(adapter / "adapter_model.safetensors")
    config = json.loads((adapter / "adapter_config.json").read_text())
    prefix = "base_model.model.model.language_model.layers.0.mlp.up_proj"
    change = lora[f"{prefix}.lora_B.weight"] @ lora[f"{prefix}.lora_A.weight"]
    change = change * config["lora_alpha"] / config["r"]
    (name,) = (name for name in tensors if name.endswith("language_model.model.layers.0.mlp.up_proj.weight"))
    expected = (tensors[name].float() + change).bfloat16()
    assert torch.equal(load_file(half / "model.safetensors")[name], expected)
    assert not torch.equal(expected, tensors[name])


def test_a_peft_folder_of_others_is_merged_where_its_head_is_named(tmp_path: Path) -> None:
    base = build_tiny(tmp_path / "base")
    adapter = build_adapter(base, tmp_path / "adapter")
    with pytest.raises(SettingError, match="--head"):
        merge_adapter(base, adapter, tmp_path / "merged")
    merged = merge_adapter(base, adapter, tmp_path / "merged", head="table")
    assert merged.head == "table"
    assert open_checkpoint(merged.folder).heads.keys() == {"table"}


def test_one_of_several_heads_has_to_be_named(run: Path, tmp_path: Path) -> None:
    two = copy_of(run, tmp_path / "two")
    shutil.copytree(two / "adapters/molecule", two / "adapters/table")
    heads = json.loads((two / "docai.json").read_text())["heads"]
    change_json(two / "docai.json", heads=heads | {"table": {"adapter": "adapters/table", "max_tokens": 9}})
    with pytest.raises(SettingError, match="adapters of molecule, table: name one with --head"):
        merge_adapter(two, two, tmp_path / "merged")
    merged = merge_adapter(two, two, tmp_path / "merged", head="table").folder
    assert {name: entry.max_tokens for name, entry in open_checkpoint(merged).heads.items()} == {"table": 9}


def test_an_adapter_of_another_base_is_refused(tiny_base: Path, run: Path, tmp_path: Path) -> None:
    """All shapes agree: only what the folders say of themselves tells them apart."""
    other = build_tiny(tmp_path / "other", seed=7, text={"num_hidden_layers": 2}, scale=0.1)
    with pytest.raises(AdapterError, match="trained on other weights"):
        merge_adapter(other, run, tmp_path / "merged")
    without_base = copy_of(run, tmp_path / "light")
    (without_base / "model.safetensors").unlink()
    with pytest.raises(AdapterError, match="was trained on tiny@"):
        merge_adapter(other, without_base, tmp_path / "merged")
    assert merge_adapter(tiny_base, without_base, tmp_path / "right").head == "molecule"
    bare = copy_of(run / "adapters/molecule", tmp_path / "bare")
    change_json(bare / "adapter_config.json", base_model_name_or_path="google/paligemma2-3b-pt-448")
    with pytest.raises(AdapterError, match="was trained on google/paligemma2-3b-pt-448"):
        merge_adapter(
            copy_of(tiny_base, tmp_path / "paligemma2-3b-pt-896"), bare, tmp_path / "merged", head="molecule"
        )
    assert not (tmp_path / "merged").exists()


def test_an_adapter_of_other_shapes_is_refused(run: Path, tmp_path: Path) -> None:
    wide = build_tiny(tmp_path / "wide", text={"num_hidden_layers": 2, "intermediate_size": 96})
    bare = copy_of(run / "adapters/molecule", tmp_path / "bare")
    with pytest.raises(AdapterError, match="does not fit"):
        merge_adapter(wide, bare, tmp_path / "merged", head="molecule")


def test_an_adapter_that_does_nothing_is_refused(run: Path, tiny_base: Path, tmp_path: Path) -> None:
    idle = copy_of(run, tmp_path / "idle")
    path = idle / "adapters/molecule/adapter_model.safetensors"
    zeros = {key: tensor * (0 if "lora_B" in key else 1) for key, tensor in load_file(path).items()}
    save_file(zeros, path, metadata={"format": "pt"})
    with pytest.raises(AdapterError, match="does nothing"):
        merge_adapter(tiny_base, idle, tmp_path / "merged")


def test_weights_that_are_no_numbers_are_refused(run: Path, tiny_base: Path, tmp_path: Path) -> None:
    broken = copy_of(run, tmp_path / "broken")
    path = broken / "adapters/molecule/adapter_model.safetensors"
    save_file(
        {key: torch.full_like(tensor, torch.inf) for key, tensor in load_file(path).items()},
        path,
        metadata={"format": "pt"},
    )
    with pytest.raises(AdapterError, match="cannot be merged"):
        merge_adapter(tiny_base, broken, tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*")), "nothing half written is left"


def test_nothing_that_exists_is_touched(run: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(SettingError, match="exists already"):
        merge_adapter(tiny_base, run, tmp_path / "mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingError, match="cannot be written"):
        merge_adapter(tiny_base, run, tmp_path / "file" / "merged")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_is_missing_is_said(run: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no folder"):
        merge_adapter(tiny_base, tmp_path / "nowhere", tmp_path / "merged")
    with pytest.raises(UnknownModelError):
        merge_adapter(tmp_path / "nowhere", run, tmp_path / "merged")
    with pytest.raises(UnknownHeadError):
        merge_adapter(tiny_base, run, tmp_path / "merged", head="tabel")
    with pytest.raises(AdapterError, match="no adapter for the head 'table'"):
        merge_adapter(tiny_base, run, tmp_path / "merged", head="table")
    quantized = copy_of(tiny_base, tmp_path / "quantized")
    change_json(quantized / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(CheckpointError, match="quantized"):
        merge_adapter(quantized, run, tmp_path / "merged")
    torn = copy_of(run, tmp_path / "torn")
    (torn / "docai.json").write_text("{")
    with pytest.raises(AdapterError, match="cannot be read"):
        merge_adapter(tiny_base, torn, tmp_path / "merged")


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["models", *map(str, words)])
    return int(left.value.code or 0), " ".join(capsys.readouterr().err.split())


def test_the_command_line(
    run: Path, tiny_base: Path, merged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = command(capsys, "merge", tiny_base, run, "-o", tmp_path / "merged")
    assert (code, open_checkpoint(tmp_path / "merged").id in err) == (0, True)
    assert open_checkpoint(tmp_path / "merged").revision == open_checkpoint(merged).revision
    for words, message in (
        (("merge", tiny_base, run), "merge BASE ADAPTER -o DIR"),
        (("merge", tiny_base, "-o", tmp_path / "x"), "merge BASE ADAPTER -o DIR"),
        (("merge", tiny_base, run, "-o", tmp_path / "x", "--wheel", "w"), "--wheel is for"),
        (("fetch", "slanet", "--head", "table"), "--head are for"),
        (("merge", tiny_base, run, "-o", tmp_path / "merged"), "exists already"),
    ):
        code, err = command(capsys, *words)
        assert (code, message in err) == (2, True), err
