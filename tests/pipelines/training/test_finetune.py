"""Fine-tuning of one adapter on a tiny base, from the pairs to the engine that reads with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from docai.errors import (
    AdapterError,
    CheckpointError,
    DeviceError,
    SettingError,
    UnknownModelError,
)
from docai.models.checkpoints import open_checkpoint
from docai.models.engine import Request
from docai.models.heads import Head
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training import finetune, prepare
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.model import build_model
from docai.pipelines.training.pairs import Collator, read_pairs
from docai.pipelines.training.run_folder import latest_state
from docai.pipelines.training.settings import AdapterSettings
from tests.models.tiny import build_tiny, noise

from .conftest import write_pairs_folder

STEPS = 16
FAST = AdapterSettings(
    steps=STEPS,
    batch=4,
    accumulate=1,
    learning_rate=2e-2,
    label_smoothing=0.0,
    rank=8,
    seed=1,
    device="cpu",
    difficulty=0.0,
    held_out=0,
    report_steps=1,
)
Losses = list[float]


def losses(lines: list[str]) -> Losses:
    return [float(line.split("loss ")[1].split()[0]) for line in lines if "loss " in line]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapters/molecule/adapter_model.safetensors")


def answer(engine: PaliGemmaEngine, head: Head) -> tuple[str, str]:
    (generation,) = engine.generate([Request(replace(head, max_tokens=12), noise())])
    return generation.text, generation.checkpoint


@pytest.fixture(scope="module")
def trained(
    tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A finished run and what it reported."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    lines: list[str] = []
    run = train_adapter(molecule, tiny_base, folder, FAST, data=[pairs_folder], report=lines.append)
    assert (run.step, run.interrupted, run.n_rejected) == (STEPS, False, 0)
    return folder, lines


def test_the_loss_falls(trained: tuple[Path, list[str]]) -> None:
    _, lines = trained
    assert lines[0] == "4 of 4 pairs can be used"
    values = losses(lines)
    assert len(values) == STEPS
    assert sum(values[-3:]) < 0.7 * sum(values[:3])


def test_the_folder_is_a_checkpoint_whose_adapter_changes_the_answer(
    trained: tuple[Path, list[str]], tiny_base: Path, molecule: Head
) -> None:
    folder, _ = trained
    engine = PaliGemmaEngine.load(folder, device="cpu")
    assert engine.heads() == {"molecule"}
    text, checkpoint = answer(engine, molecule)
    manifest = json.loads((folder / "docai.json").read_text())
    assert checkpoint == f"tiny-molecule@{manifest['revision']}+molecule"
    assert manifest["base"] == open_checkpoint(tiny_base).id
    assert manifest["heads"] == {"molecule": {"adapter": "adapters/molecule", "max_tokens": 256}}

    bare = json.loads(json.dumps(manifest))
    bare["heads"]["molecule"]["adapter"] = None
    plain = folder.with_name("plain")
    shutil.copytree(folder, plain)
    (plain / "docai.json").write_text(json.dumps(bare))
    assert answer(PaliGemmaEngine.load(plain, device="cpu"), molecule)[0] != text


def test_the_model_is_built_with_full_attention_and_without_soft_caps(
    trained: tuple[Path, list[str]], molecule: Head
) -> None:
    folder, _ = trained
    model = build_model(open_checkpoint(folder), FAST, torch.device("cpu"))
    text = model.get_base_model().config.text_config
    assert set(text.layer_types) == {"full_attention"}
    assert text.sliding_window > 8192
    assert (text.attn_logit_softcapping, text.final_logit_softcapping) == (None, None)
    stated = json.loads((folder / "config.json").read_text())["text_config"]
    assert stated["attn_logit_softcapping"] is stated["final_logit_softcapping"] is None

    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable
    assert all("lora_" in name and "vision_tower" not in name for name in trainable)


def test_the_loss_is_that_of_the_stock_model_with_eager_attention(
    trained: tuple[Path, list[str]], pairs_folder: Path, molecule: Head
) -> None:
    """The prefix sees itself in both directions and the answer does not see its own end, in training too."""
    from docai.models.loading import load_base, load_processor

    checkpoint = open_checkpoint(trained[0])
    pairs = read_pairs(pairs_folder)
    batch = Collator(load_processor(checkpoint), molecule)([pair.draw(56) for pair in pairs])
    fused = load_base(checkpoint, torch.float32, "fused").train()(**batch).loss
    eager = load_base(checkpoint, torch.float32, "eager").train()(**batch).loss
    assert fused.item() == pytest.approx(eager.item(), rel=1e-5)


def test_a_finished_run_is_not_trained_further(
    trained: tuple[Path, list[str]], tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    shutil.copytree(trained[0], tmp_path / "run")
    before = weights(tmp_path / "run")
    lines: list[str] = []
    run = train_adapter(molecule, tiny_base, tmp_path / "run", FAST, data=[pairs_folder], report=lines.append)
    assert run.step == STEPS
    assert any(line.startswith("resumed from") for line in lines)
    after = weights(tmp_path / "run")
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_run_that_ended_in_the_middle_of_its_pairs_takes_no_step_more(
    tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    short = replace(FAST, steps=3, batch=3)
    first = train_adapter(molecule, tiny_base, tmp_path / "run", short, data=[pairs_folder], report=str)
    before = weights(tmp_path / "run")
    again = train_adapter(molecule, tiny_base, tmp_path / "run", short, data=[pairs_folder], report=str)
    assert (first.step, again.step) == (3, 3)
    after = weights(tmp_path / "run")
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_ctrl_c_leaves_a_run_that_ends_like_one_never_interrupted(
    trained: tuple[Path, list[str]], tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    handler = signal.getsignal(signal.SIGINT)
    seen: list[str] = []

    def interrupt(line: str) -> None:
        seen.append(line)
        if line.startswith("step 6 "):
            os.kill(os.getpid(), signal.SIGINT)

    run = train_adapter(molecule, tiny_base, folder, FAST, data=[pairs_folder], report=interrupt)
    assert run.interrupted
    assert 6 <= run.step <= 7
    assert signal.getsignal(signal.SIGINT) is handler
    assert PaliGemmaEngine.load(folder, device="cpu").heads() == {"molecule"}, "usable as it stands"

    rest: list[str] = []
    run = train_adapter(molecule, tiny_base, folder, FAST, data=[pairs_folder], report=rest.append)
    assert (run.step, run.interrupted) == (STEPS, False)
    assert len(losses(rest)) == STEPS - len(losses(seen))
    whole = weights(trained[0])
    for name, tensor in weights(folder).items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-6)


def test_a_half_written_state_is_passed_over(trained: tuple[Path, list[str]], tmp_path: Path) -> None:
    shutil.copytree(trained[0] / "state", tmp_path / "state")
    (tmp_path / f"state/checkpoint-{STEPS + 1}").mkdir()
    shutil.copy(
        trained[0] / "adapters/molecule/adapter_model.safetensors", tmp_path / f"state/checkpoint-{STEPS + 1}"
    )
    state = latest_state(tmp_path)
    assert state is not None
    assert state.name == f"checkpoint-{STEPS}"


def test_states_are_saved_by_the_clock(
    tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    settings = replace(FAST, steps=3, save_minutes=0.0)
    train_adapter(
        molecule, tiny_base, tmp_path / "run", settings, data=[pairs_folder], report=lambda line: None
    )
    states = sorted(path.name for path in (tmp_path / "run/state").iterdir())
    assert states == ["checkpoint-2", "checkpoint-3"], "the last two"


def test_pairs_are_drawn_where_no_folder_is_given(tiny_base: Path, molecule: Head, tmp_path: Path) -> None:
    lines: list[str] = []
    settings = replace(FAST, steps=2, batch=2, accumulate=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "_N_DRAWN_CHECKS", 2)
        run = train_adapter(molecule, tiny_base, tmp_path / "run", settings, report=lines.append)
    assert lines[0] == "2 of 2 drawn pairs tried can be used"
    assert run.step == 2
    about = json.loads((tmp_path / "run/training.json").read_text())
    assert about["run"]["data"] == "drawn, difficulty 0"
    assert about["result"]["step"] == 2
    card = (tmp_path / "run/README.md").read_text()
    assert "`drawn, difficulty 0`" in card
    assert "held-out split" in card


def test_heads_are_added_one_after_the_other(
    trained: tuple[Path, list[str]], pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    text = replace(molecule, name="text", prompt="spot text")
    folder = tmp_path / "both"
    train_adapter(
        text, trained[0], folder, replace(FAST, steps=1), data=[pairs_folder], report=lambda line: None
    )
    both = PaliGemmaEngine.load(folder, device="cpu")
    assert both.heads() == {"molecule", "text"}
    alone = PaliGemmaEngine.load(trained[0], device="cpu")
    assert answer(both, molecule)[0] == answer(alone, molecule)[0]


def test_a_base_with_heads_keeps_its_soft_caps(pairs_folder: Path, molecule: Head, tmp_path: Path) -> None:
    text = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "num_hidden_layers": 2}
    base = build_tiny(tmp_path / "base", text=text, heads={"table": {"adapter": None}})
    train_adapter(
        molecule,
        base,
        tmp_path / "run",
        replace(FAST, steps=1),
        data=[pairs_folder],
        report=lambda line: None,
    )
    stated = json.loads((tmp_path / "run/config.json").read_text())["text_config"]
    assert stated["final_logit_softcapping"] == 30.0
    assert PaliGemmaEngine.load(tmp_path / "run", device="cpu").heads() == {"table", "molecule"}


def test_an_adapter_that_names_a_hub_base_asks_no_hub(
    trained: tuple[Path, list[str]], tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PEFT by default looks there whether the vocabulary was changed."""
    adapter = shutil.copytree(trained[0] / "adapters/molecule", tmp_path / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None, "no path of the machine it was trained on"
    named = config | {"base_model_name_or_path": "google/paligemma2-3b-pt-896"}
    (adapter / "adapter_config.json").write_text(json.dumps(named))
    monkeypatch.setattr(
        "peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *args: pytest.fail("asked the hub")
    )
    engine = PaliGemmaEngine.load(trained[0], device="cpu", adapters={"molecule": adapter})
    assert engine.heads() == {"molecule"}


def test_the_base_is_left_as_it_was(trained: tuple[Path, list[str]], tiny_base: Path) -> None:
    assert not (tiny_base / "docai.json").exists()
    stated = json.loads((tiny_base / "config.json").read_text())["text_config"]
    assert stated["attn_logit_softcapping"] == 50.0
    assert (trained[0] / "model.safetensors").read_bytes() == (tiny_base / "model.safetensors").read_bytes()


def refuse(
    error: type[Exception],
    match: str,
    head: Head,
    base: str | Path,
    folder: Path,
    *,
    settings: AdapterSettings = FAST,
    data: Sequence[str | Path] = (),
) -> None:
    """The call is refused before a model is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "build_model", lambda *args: pytest.fail("too late"))
        with pytest.raises(error, match=match):
            train_adapter(head, base, folder, settings, data=data, report=lambda line: None)


def test_a_base_that_cannot_be_trained_is_refused(molecule: Head, tiny_base: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    refuse(UnknownModelError, "no model", molecule, "no-such-model", run)
    other_base = shutil.copytree(tiny_base, tmp_path / "other")
    config = json.loads((other_base / "config.json").read_text())
    (other_base / "config.json").write_text(json.dumps(config | {"model_type": "llava"}))
    refuse(CheckpointError, "not a PaliGemma 2", molecule, other_base, run)
    config["text_config"]["max_position_embeddings"] = 30
    (other_base / "config.json").write_text(json.dumps(config))
    refuse(CheckpointError, "no room for an answer", molecule, other_base, run)
    assert not run.exists()


def test_settings_that_cannot_be_used_are_refused(molecule: Head, tiny_base: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    refuse(
        SettingError, "learning_rate is 0", molecule, tiny_base, run, settings=replace(FAST, learning_rate=0)
    )
    refuse(DeviceError, "no device 'tpu9x'", molecule, tiny_base, run, settings=replace(FAST, device="tpu9x"))
    refuse(SettingError, "no data folder", molecule, tiny_base, run, data=[tmp_path / "none"])
    assert not run.exists()


def test_a_folder_that_cannot_take_the_run_is_refused(
    trained: tuple[Path, list[str]], molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    refuse(SettingError, "cannot be written", molecule, tiny_base, tmp_path / "file/run", data=[pairs_folder])
    refuse(SettingError, "is a file", molecule, tiny_base, tmp_path / "file", data=[pairs_folder])
    refuse(SettingError, "not of a training", molecule, tiny_base, tmp_path, data=[pairs_folder])
    refuse(SettingError, "not of a training", molecule, tiny_base, tiny_base, data=[pairs_folder])
    other_settings = replace(FAST, rank=2)
    refuse(
        SettingError,
        "rank was 8 and is now 2",
        molecule,
        tiny_base,
        trained[0],
        settings=other_settings,
        data=[pairs_folder],
    )


def test_data_without_a_usable_pair_stops_clearly(molecule: Head, tiny_base: Path, tmp_path: Path) -> None:
    data = write_pairs_folder(tmp_path / "data", ("C1CC", "not a molecule"))
    refuse(SettingError, "nothing to train .*parser: 2", molecule, tiny_base, tmp_path / "run", data=[data])
    (data / "pairs.jsonl").write_text("")
    refuse(SettingError, "nothing to train", molecule, tiny_base, tmp_path / "run2", data=[data])


def test_rejected_pairs_are_written_down(molecule: Head, tiny_base: Path, tmp_path: Path) -> None:
    data = write_pairs_folder(tmp_path / "data", ("CCO", "C1CC", "CCN"))
    lines: list[str] = []
    settings = replace(FAST, steps=1, batch=1, max_rejected=0.5)
    run = train_adapter(molecule, tiny_base, tmp_path / "run", settings, data=[data], report=lines.append)
    assert run.n_rejected == 1
    assert lines[:2] == ["2 of 3 pairs can be used", "not used, parser: 1"]
    (written,) = (tmp_path / "run/rejected.jsonl").read_text().splitlines()
    assert json.loads(written)["name"] == str(data / "1.png")


def test_an_adapter_that_learned_nothing_is_not_passed_off_as_one(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    settings = replace(FAST, steps=1, learning_rate=1e-60)
    with pytest.raises(AdapterError, match="does nothing"):
        train_adapter(
            molecule, tiny_base, tmp_path / "run", settings, data=[pairs_folder], report=lambda line: None
        )
    assert not (tmp_path / "run/docai.json").exists()
