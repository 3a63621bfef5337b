from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from docai import Pipeline
from docai.errors import (
    CheckpointError,
    DeviceError,
    GenerationError,
    HeadNotAvailableError,
    MissingDependencyError,
    SettingError,
)
from docai.models import loading, paligemma
from docai.models.calibration import CalibrationMap
from docai.models.checkpoints import find_checkpoint
from docai.models.engine import Generation, Request, crop_size
from docai.models.heads import HEADS, Decoding
from docai.models.inputs import encode_prompts
from docai.models.loading import choose_device, choose_quantization
from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_tiny, noise, tiny_head


def png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def close(one: Generation, other: Generation) -> bool:
    return (
        replace(one, logprobs=()) == replace(other, logprobs=())
        and len(one.logprobs) == len(other.logprobs)
        and np.allclose(one.logprobs, other.logprobs, atol=1e-4)
    )


def test_every_answer_is_complete(tiny_engine: PaliGemmaEngine) -> None:
    head = tiny_head()
    (answer,) = tiny_engine.generate([Request(head, noise())])
    assert answer.finish_reason == "length"
    assert answer.n_tokens == len(answer.logprobs) == head.max_tokens
    assert "".join(answer.tokens) == answer.text
    assert all(logprob <= 0 for logprob in answer.logprobs)
    assert answer.checkpoint == "tiny@0"
    assert answer.prompt == head.prompt
    assert tiny_engine.heads() == {"table", "text"}
    assert (tiny_engine.name, tiny_engine.device) == ("tiny@0", "cpu")


def test_answers_carry_what_their_log_probabilities_are_worth(tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    manifest = json.loads((copy / "docai.json").read_text())
    chosen = {"score": "minimum", "method": "logistic", "slope": 0.5, "n": 70}
    manifest["heads"]["text"]["calibration"] = {"word": chosen}
    (copy / "docai.json").write_text(json.dumps(manifest))
    engine = PaliGemmaEngine.load(copy, device="cpu")
    table, text = engine.generate([Request(tiny_head(head), noise()) for head in ("table", "text")])
    assert table.calibration is None
    assert text.calibration == {"word": CalibrationMap.model_validate(chosen)}


def test_answers_keep_the_order_of_the_requests(tiny_engine: PaliGemmaEngine) -> None:
    requests = [Request(tiny_head("text" if i % 3 else "table"), noise(i)) for i in range(9)]
    together = tiny_engine.generate(requests)
    alone = [tiny_engine.generate([request])[0] for request in requests]
    assert len({answer.text for answer in alone}) > 5
    assert all(close(one, other) for one, other in zip(together, alone, strict=True))
    assert tiny_engine.generate([]) == []


def test_the_smallest_budget_counts(tiny_engine: PaliGemmaEngine) -> None:
    requests = [
        Request(tiny_head("table"), noise(0)),
        Request(tiny_head("table"), noise(0), max_tokens=5),
        Request(tiny_head("table", max_tokens=7), noise(0)),
        Request(tiny_head("text"), noise(0)),
        Request(tiny_head("table"), noise(0), max_tokens=1000),
    ]
    assert [answer.n_tokens for answer in tiny_engine.generate(requests)] == [24, 5, 7, 12, 24]


def test_an_answer_ends_before_its_end_token(tiny_folder: Path, tmp_path: Path) -> None:
    """The end token is put where a random model writes: one row of the batch ends early, one does not."""
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu")
    requests = [Request(tiny_head(), noise(i)) for i in range(3)]
    before = engine.generate(requests)
    (token,) = engine._processor.tokenizer(before[1].tokens[4], add_special_tokens=False).input_ids
    folder = tmp_path / "ends"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = [1, token]
    (folder / "config.json").write_text(json.dumps(config))

    after = PaliGemmaEngine.load(folder, device="cpu").generate(requests)
    assert after[1].finish_reason == "stop"
    for one, other in zip(before, after, strict=True):
        stop = one.tokens.index(before[1].tokens[4]) if before[1].tokens[4] in one.tokens else one.n_tokens
        assert other.tokens == one.tokens[:stop], "neither the end token nor padding is part of the answer"
        assert other.logprobs == pytest.approx(one.logprobs[:stop], abs=1e-4)
    assert {answer.finish_reason for answer in after} == {"stop", "length"}


def test_a_loop_stops_and_leaves_the_rest_of_the_batch_alone(tiny_folder: Path) -> None:
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu")
    # Whatever this random model writes, one token twice in a row is soon among it.
    nervous = Decoding(max_repeats=2, max_period=1)
    requests = [Request(tiny_head(decoding=nervous), noise(i)) for i in range(4)]
    plain = engine.generate([Request(tiny_head(), noise(i)) for i in range(4)])
    found = engine.generate(requests)
    assert "loop" in {answer.finish_reason for answer in found}
    for one, other in zip(found, plain, strict=True):
        assert one.tokens == other.tokens[: one.n_tokens]
        if one.finish_reason == "loop":
            assert one.tokens[-1] == one.tokens[-2], "the loop stays in the raw text"
            assert one.n_tokens < other.n_tokens or other.tokens[-1] == other.tokens[-2]


def test_heads_with_adapters_of_their_own_do_not_leak(
    tiny_folder: Path, tiny_adapters: dict[str, Path]
) -> None:
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters=tiny_adapters)
    score = tiny_head("score", max_tokens=9, decoding=Decoding(max_repeats=2, max_period=1))
    molecule = tiny_head("molecule", decoding=Decoding(num_beams=3))
    heads = [tiny_head("table"), score, molecule, tiny_head("text"), score, molecule, tiny_head("table")]
    requests = [Request(head, noise(i // 4)) for i, head in enumerate(heads)]
    together = engine.generate(requests)
    # Each adapter in an engine that has no other one.
    fresh = {
        name: PaliGemmaEngine.load(tiny_folder, device="cpu", adapters={name: folder})
        for name, folder in tiny_adapters.items()
    }
    bare = PaliGemmaEngine.load(tiny_folder, device="cpu")
    for request, found in zip(requests, together, strict=True):
        assert close(engine.generate([request])[0], found)
        (alone,) = fresh.get(request.head.name, bare).generate([request])
        assert replace(alone, logprobs=()) == replace(found, logprobs=())
    ids = {request.head.name: answer.checkpoint for request, answer in zip(requests, together, strict=True)}
    assert ids["table"] == ids["text"] == "tiny@0"
    assert ids["score"].startswith("tiny@0+score@")
    assert len(set(ids.values())) == 3


def test_adapters_change_the_answer(tiny_folder: Path, tiny_adapters: dict[str, Path]) -> None:
    adapters = {"table": tiny_adapters["score"], "text": tiny_adapters["molecule"]}
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters=adapters)
    base = PaliGemmaEngine.load(tiny_folder, device="cpu")
    texts = {
        e.generate([Request(tiny_head(name, prompt="same"), noise())])[0].text
        for e in (engine, base)
        for name in ("table", "text")
    }
    assert len(texts) >= 3


def test_beams_find_a_likelier_answer_and_carry_the_models_own_log_probabilities(
    tiny_engine: PaliGemmaEngine,
) -> None:
    greedy, wide = (tiny_head(max_tokens=6, decoding=Decoding(num_beams=n)) for n in (1, 8))
    images = [noise(i) for i in range(4)]
    one = tiny_engine.generate([Request(greedy, image) for image in images])
    many = tiny_engine.generate([Request(wide, image) for image in images])
    assert sum(sum(answer.logprobs) for answer in many) > sum(sum(answer.logprobs) for answer in one)
    for a, b in zip(one, many, strict=True):
        if a.tokens == b.tokens:
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
        elif a.tokens[0] == b.tokens[0]:
            assert a.logprobs[0] == pytest.approx(b.logprobs[0], abs=1e-4)


def test_pixels_reach_the_model_as_they_are(tiny_engine: PaliGemmaEngine) -> None:
    image = noise(3)
    inputs = encode_prompts(tiny_engine._processor, ["x"], [image], like=tiny_engine._model)
    found = inputs["pixel_values"][0].numpy()
    expected = (np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("image", [Image.new("RGB", (57, 56)), Image.new("L", (56, 56))])
def test_a_crop_of_another_shape_is_refused(tiny_engine: PaliGemmaEngine, image: Image.Image) -> None:
    with pytest.raises(GenerationError, match="56 x 56 px"):
        tiny_engine.generate([Request(tiny_head(), image)])


def test_the_resolution_is_that_of_the_weights(tiny_engine: PaliGemmaEngine) -> None:
    assert tiny_engine.side == crop_size(tiny_engine, HEADS["table"]) == 56
    head = tiny_head(resolution=896)
    (found,) = tiny_engine.generate([Request(head, noise())])
    (expected,) = tiny_engine.generate([Request(tiny_head(), noise())])
    # What was read with others before differs in the last bits.
    assert found.tokens == expected.tokens
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    with pytest.raises(GenerationError, match="RGB crops of 56 x 56 px"):
        tiny_engine.generate([Request(head, noise(size=896))])


def test_a_base_without_heads_is_refused_before_it_is_loaded(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = shutil.copytree(tiny_folder, tmp_path / "base")
    (base / "docai.json").unlink()
    monkeypatch.setattr(paligemma, "load_base", lambda *args: pytest.fail("it was loaded"))
    with pytest.raises(HeadNotAvailableError, match=f"--base {base} -o") as caught:
        PaliGemmaEngine.load(base, device="cpu")
    with pytest.raises(HeadNotAvailableError, match=f"--base {base} -o"):
        Pipeline(model=str(base)).process(png(noise()))
    # What the message proposes is a base.
    proposed = str(caught.value).split("--base ")[1].split(" -o")[0]
    assert find_checkpoint(proposed).folder == base


def test_weights_quantized_by_what_is_not_installed(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "quantized")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "hqq"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingDependencyError, match="quantized by hqq"):
        PaliGemmaEngine.load(folder, device="cpu")


def test_a_head_without_weights_names_the_command(tiny_engine: PaliGemmaEngine) -> None:
    with pytest.raises(HeadNotAvailableError, match="docai train score --base"):
        tiny_engine.generate([Request(tiny_head("score"), noise())])


def test_max_tokens_below_one_is_refused(tiny_engine: PaliGemmaEngine) -> None:
    with pytest.raises(GenerationError, match="at least 1"):
        tiny_engine.generate([Request(tiny_head(), noise(), max_tokens=0)])


def test_settings_in_the_files_do_not_decide_the_answer(
    tiny_engine: PaliGemmaEngine, tiny_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "model")
    settings = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 3.0, "max_new_tokens": 2}
    settings |= {"no_repeat_ngram_size": 2, "suppress_tokens": list(range(200, 900))}
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps(settings))
    requests = [Request(tiny_head(), noise(i)) for i in range(2)]
    found = PaliGemmaEngine.load(tmp_path / "model", device="cpu").generate(requests)
    assert all(close(a, b) for a, b in zip(found, tiny_engine.generate(requests), strict=True))


def test_bfloat16_runs_on_a_cpu(tiny_folder: Path) -> None:
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", dtype="bfloat16")
    assert engine.generate([Request(tiny_head(), noise())])[0].n_tokens == 24


def test_loading_is_silent(tiny_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    PaliGemmaEngine.load(tiny_folder, device="cpu").generate([Request(tiny_head(), noise())])
    assert capfd.readouterr() == ("", "")


def test_weights_that_do_not_fill_the_model_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_folder, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    key = next(name for name in weights if "q_proj" in name)
    weights.pop(key)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="q_proj"):
        PaliGemmaEngine.load(tmp_path / "model", device="cpu")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        PaliGemmaEngine.load(tmp_path / "model", device="cpu")


def test_names_of_all_versions_are_read_and_unknown_ones_refused(
    tiny_folder: Path, tmp_path: Path, tiny_engine: PaliGemmaEngine
) -> None:
    """Google's files say ``language_model.model.…``, those of some versions ``model.language_model.…``."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    path = folder / "model.safetensors"
    weights = load_file(path)
    rooms = {"language_model.model.": "model.language_model.", "vision_tower.": "model.vision_tower."}
    rooms["multi_modal_projector."] = "model.multi_modal_projector."
    others = {}
    for name, tensor in weights.items():
        room = next((one for one in rooms if name.startswith(one)), None)
        others[name if room is None else rooms[room] + name.removeprefix(room)] = tensor
    assert not others.keys() & weights.keys()
    save_file(others, path, metadata={"format": "pt"})
    request = Request(tiny_head(), noise(), 5)
    read = PaliGemmaEngine.load(folder, device="cpu").generate([request])[0]
    expected = tiny_engine.generate([request])[0]
    assert read.tokens == expected.tokens
    assert read.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    extra = {"language_model.model.layers.0.extra.weight": next(iter(weights.values())).clone()}
    save_file(weights | extra, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 tensors are .*layers\.0\.extra"):
        PaliGemmaEngine.load(folder, device="cpu")


def test_a_shard_that_ends_too_soon_is_an_error(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for shard, own in shards.items():
        save_file({name: weights[name] for name in own}, folder / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: shard for shard, own in shards.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert PaliGemmaEngine.load(folder, device="cpu").heads() == {"table", "text"}
    path = folder / "model-2.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"cannot be loaded: .*Copy the checkpoint again"):
        PaliGemmaEngine.load(folder, device="cpu")


def test_processor_of_another_resolution_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    other = build_tiny(tmp_path / "other", image_size=112, heads={})
    shutil.copytree(tiny_folder, tmp_path / "model")
    shutil.copy(other / "processor_config.json", tmp_path / "model")
    with pytest.raises(CheckpointError, match="448 and 896 checkpoints are different weights"):
        PaliGemmaEngine.load(tmp_path / "model", device="cpu")


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    for wanted in ("tpu9", "mps", "cpu:x"):
        with pytest.raises(DeviceError):
            choose_device(wanted)


def test_four_bits_need_a_card_and_its_library(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="4 bits need a CUDA device"):
        PaliGemmaEngine.load(tiny_folder, device="cpu", quantization="nf4")
    with pytest.raises(SettingError, match="use nf4"):
        PaliGemmaEngine.load(tiny_folder, device="cpu", quantization="int3")  # type: ignore[arg-type]
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="bitsandbytes"):
        choose_quantization("nf4", torch.device("cuda", 0))


def test_absent_cuda_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="use cpu"):
        choose_device("cuda")


def test_a_cuda_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 0)
    with pytest.raises(DeviceError, match="cuda:3"):
        choose_device("cuda:3")


@pytest.mark.parametrize("size", [448, 224])
def test_a_checkpoint_of_another_resolution_reads_a_whole_document(tmp_path: Path, size: int) -> None:
    heads = {head: {"max_tokens": 12} for head in HEADS}
    model = build_tiny(tmp_path / "tiny", image_size=size, patch_size=size // 4, heads=heads)
    pipeline = Pipeline(model=str(model), retry="auto", witnesses="off", readback="off", effort="best")
    page = Image.new("RGB", (1000, 600), "white")
    page.paste(noise(size=300), (100, 100))
    document = pipeline.process(png(page), regions={1: [("table", (100, 100, 400, 400))]})
    (record,) = document.records
    assert record.raw
    assert not [issue for issue in record.issues if issue.code == "model-failed"]
    # Boxes are on the page, whatever the size of the crop.
    assert record.bbox == pytest.approx((100, 100, 400, 400), abs=1)
    assert record.checkpoint == "tiny@0"
