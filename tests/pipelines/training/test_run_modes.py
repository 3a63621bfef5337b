"""What a run can do beside a plain adapter: all weights, smoothing, held-out pairs, less memory."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PaliGemmaForConditionalGeneration

from docai.errors import DeviceError, MissingDependencyError, SettingError
from docai.models.checkpoints import open_checkpoint
from docai.models.heads import HEADS, Head
from docai.models.loading import load_processor
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training import model as memory
from docai.pipelines.training import prepare
from docai.pipelines.training.best_weights import Measured
from docai.pipelines.training.callbacks import HeldOut
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.metrics import metric_for, read_pairs_with
from docai.pipelines.training.model import (
    Weights,
    build_model,
    bytes_needed,
    four_bit_config,
    measure_weights,
    require_memory,
    smoothed_loss,
)
from docai.pipelines.training.pairs import Collator, ListedPairs, read_pairs
from docai.pipelines.training.settings import AdapterSettings
from docai.records import RecordBase
from tests.models.tiny import build_tiny

from .conftest import write_pairs_folder

pytestmark = pytest.mark.slow(seconds=7)

CPU = torch.device("cpu")
FAST = AdapterSettings(
    steps=8,
    batch=4,
    accumulate=1,
    learning_rate=1e-2,
    label_smoothing=0.0,
    rank=4,
    seed=1,
    device="cpu",
    held_out=0,
    report_steps=1,
)


def quiet(line: str) -> None:
    """Reports nothing."""


def trained_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def losses(lines: list[str]) -> list[float]:
    return [float(line.split("loss ")[1].split()[0]) for line in lines if "loss " in line]


def test_a_full_fine_tune_is_a_checkpoint_of_its_own(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    before = (tiny_base / "model.safetensors").read_bytes()
    folder = tmp_path / "run"
    settings = replace(FAST, steps=2, full=True)
    train_adapter(molecule, tiny_base, folder, settings, data=[pairs_folder], report=quiet)
    assert (tiny_base / "model.safetensors").read_bytes() == before, (
        "links to the base are not written through"
    )
    manifest = json.loads((folder / "docai.json").read_text())
    assert manifest["heads"] == {"molecule": {"adapter": None, "max_tokens": 256}}
    assert not (folder / "adapters").exists()
    assert PaliGemmaEngine.load(folder, device="cpu").heads() == {"molecule"}
    old, new = trained_weights(tiny_base), trained_weights(folder)
    assert old.keys() == new.keys()
    still = [name for name in old if torch.equal(old[name], new[name])]
    # Its gradient is zero: a bias added to every key changes no attention.
    assert all(name.endswith("k_proj.bias") for name in still), still
    stated = json.loads((folder / "config.json").read_text())["text_config"]
    assert stated["final_logit_softcapping"] is None


def test_a_full_fine_tune_resumes_like_one_never_interrupted(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    settings = replace(FAST, steps=5, full=True, label_smoothing=0.1, accumulate=2, batch=2)
    train_adapter(molecule, tiny_base, tmp_path / "whole", settings, data=[pairs_folder], report=quiet)

    def interrupt(line: str) -> None:
        if line.startswith("step 2 "):
            os.kill(os.getpid(), signal.SIGINT)

    parts = tmp_path / "parts"
    run = train_adapter(molecule, tiny_base, parts, settings, data=[pairs_folder], report=interrupt)
    assert run.interrupted
    run = train_adapter(molecule, tiny_base, parts, settings, data=[pairs_folder], report=quiet)
    assert (run.step, run.interrupted) == (5, False)
    whole = trained_weights(tmp_path / "whole")
    for name, tensor in trained_weights(parts).items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-6)


def test_other_heads_do_not_outlive_a_full_fine_tune(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    text = replace(molecule, name="text", prompt="spot text")
    base, settings = tmp_path / "text", replace(FAST, steps=1)
    train_adapter(text, tiny_base, base, settings, data=[pairs_folder], report=quiet)
    folder = tmp_path / "run"
    train_adapter(molecule, base, folder, replace(settings, full=True), data=[pairs_folder], report=quiet)
    assert PaliGemmaEngine.load(folder, device="cpu").heads() == {"molecule"}


def test_smoothing_is_that_of_the_next_token(tiny_base: Path, pairs_folder: Path, molecule: Head) -> None:
    model = PaliGemmaForConditionalGeneration.from_pretrained(tiny_base)
    processor = load_processor(open_checkpoint(tiny_base))
    batch = Collator(processor, molecule)([pair.draw(56) for pair in read_pairs(pairs_folder)])
    outputs = model(**batch)
    labels = batch["labels"]
    assert smoothed_loss(0.0)(outputs, labels).item() == pytest.approx(outputs.loss.item(), rel=1e-5)

    chances = outputs.logits[:, :-1].log_softmax(dim=-1)
    asked = labels[:, 1:] != -100
    truth = chances[asked].gather(1, labels[:, 1:][asked][:, None]).squeeze(1)
    expected = -(0.9 * truth + 0.1 * chances[asked].mean(dim=-1)).mean()
    assert smoothed_loss(0.1)(outputs, labels).item() == pytest.approx(expected.item(), rel=1e-5)
    n_tokens = int(asked.sum())
    halved = smoothed_loss(0.1)(outputs, labels, num_items_in_batch=2 * n_tokens)
    assert halved.item() == pytest.approx(expected.item() / 2, rel=1e-5), "a mean over the whole step"


def test_accumulated_batches_are_one_batch(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    for smoothing in (0.0, 0.1):
        whole, parts = [], []
        settings = replace(FAST, steps=2, label_smoothing=smoothing)
        for batch, lines in ((4, whole), (1, parts)):
            folder = tmp_path / f"{batch}-{smoothing}"
            variant = replace(settings, batch=batch, accumulate=4 // batch)
            train_adapter(molecule, tiny_base, folder, variant, data=[pairs_folder], report=lines.append)
        assert len(losses(whole)) == 2, "the second is that of weights moved by the first"
        assert losses(parts) == pytest.approx(losses(whole), rel=2e-3)


@pytest.mark.parametrize("full", [False, True])
def test_computing_activations_twice_changes_nothing(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path, full: bool
) -> None:
    curves = []
    for checkpointing in (False, True):
        lines: list[str] = []
        settings = replace(FAST, steps=2, full=full, checkpointing=checkpointing)
        folder = tmp_path / str(checkpointing)
        train_adapter(molecule, tiny_base, folder, settings, data=[pairs_folder], report=lines.append)
        curves.append(losses(lines))
        model = build_model(open_checkpoint(tiny_base), settings, CPU)
        assert (
            any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
            == checkpointing
        )
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert curves[0][-1] < curves[0][0]


def test_held_out_pairs_are_measured_and_not_trained_on(
    molecule: Head, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "_HELD_OUT_SHARE", 1.0)
    data = write_pairs_folder(tmp_path / "data", ("C", "CC", "CCC", "N", "NC", "O"))
    lines: list[str] = []
    settings = replace(FAST, steps=5, held_out=2, measure_steps=2, max_tokens=8)
    run = train_adapter(molecule, tiny_base, tmp_path / "run", settings, data=[data], report=lines.append)
    measured = [line for line in lines if "held out (" in line]
    assert [line.split()[1] for line in measured] == ["2", "4", "5"]
    assert run.best is not None
    assert run.best.metric == "exact SMILES"
    about = json.loads((tmp_path / "run/training.json").read_text())
    assert (about["result"]["n_train"], about["result"]["n_held_out"]) == (4, 2)
    assert about["result"]["held_out"]["step"] == run.best.step
    assert about["settings"]["learning_rate"] == 1e-2


@pytest.mark.parametrize("full", [False, True])
def test_the_checkpoint_has_the_best_weights_and_not_the_last(
    molecule: Head, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    monkeypatch.setattr(prepare, "_HELD_OUT_SHARE", 1.0)
    seen: dict[int, torch.Tensor] = {}

    def measure(self: HeldOut, model: torch.nn.Module, step: int) -> Measured:
        learning = {name: value for name, value in model.named_parameters() if value.requires_grad}
        name = next(name for name in learning if "layers.1.mlp.up_proj" in name and "lora_A" not in name)
        seen[step] = learning[name].detach().clone()
        return Measured(step, "stub", {1: 0.1, 2: 0.9, 3: 0.5, 4: 0.9}[step], 0.0)

    monkeypatch.setattr(HeldOut, "measure", measure)
    data = write_pairs_folder(tmp_path / "data", ("C", "CC", "CCC", "N", "NC", "O"))
    folder = tmp_path / "run"
    settings = replace(FAST, steps=4, held_out=2, measure_steps=1, full=full)
    for _ in range(2):
        # A finished run that is called again ends with the same.
        run = train_adapter(molecule, tiny_base, folder, settings, data=[data], report=quiet)
        assert run.best is not None
        assert run.best.step == 2, "the first of two that are as good"
        path = folder / ("model.safetensors" if full else "adapters/molecule/adapter_model.safetensors")
        written = {
            name: value
            for name, value in load_file(path).items()
            if "layers.1.mlp.up_proj" in name and "lora_A" not in name and "vision" not in name
        }
        (value,) = written.values()
        assert torch.equal(value, seen[2])
        assert not torch.equal(value, seen[4])


def test_too_much_unusable_data_stops_the_run_before_a_model_is_loaded(
    molecule: Head, tiny_base: Path, tmp_path: Path
) -> None:
    data = write_pairs_folder(tmp_path / "data", ("CCO", "C1CC", "CCN", "N"))
    folder = tmp_path / "run"
    with pytest.raises(SettingError, match=r"1 of 4 pairs cannot be used \(25%\), more than the 20%"):
        train_adapter(molecule, tiny_base, folder, FAST, data=[data], report=quiet)
    (line,) = (folder / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["reason"] == "parser"
    settings = replace(FAST, steps=1, max_rejected=0.25)
    run = train_adapter(molecule, tiny_base, folder, settings, data=[data], report=quiet)
    assert run.n_rejected == 1, "more may be allowed in the same folder"


def test_sources_of_several_kinds_are_joined(molecule: Head, tiny_base: Path, tmp_path: Path) -> None:
    own = write_pairs_folder(tmp_path / "own", ("CCO", "CCN"))
    shutil.copy(own / "0.png", tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("file_path,SMILES\na.png,CCF\nlost.png,C\n")
    lines: list[str] = []
    settings = replace(FAST, steps=1, max_rejected=0.3)
    data = [own, f"molscribe:{tmp_path / 'list.csv'}"]
    run = train_adapter(molecule, tiny_base, tmp_path / "run", settings, data=data, report=lines.append)
    assert lines[:2] == ["3 of 4 pairs can be used", "not used, skipped: 1"]
    assert run.n_rejected == 1


def test_answers_to_pairs_are_those_of_the_engine(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    from docai.models.engine import Request

    folder = tmp_path / "run"
    train_adapter(molecule, tiny_base, folder, replace(FAST, steps=4), data=[pairs_folder], report=quiet)
    head = replace(molecule, max_tokens=9)
    checkpoint = open_checkpoint(folder)
    pairs = ListedPairs(read_pairs(pairs_folder), 56)
    engine = PaliGemmaEngine.load(folder, device="cpu")
    expected = [answer.text for answer in engine.generate([Request(head, pairs[i].image) for i in range(4)])]
    bare = build_model(checkpoint, FAST, CPU)
    from peft import set_peft_model_state_dict

    from docai.models.adapters import read_weights

    set_peft_model_state_dict(bare, read_weights(folder / "adapters/molecule"), adapter_name="default")
    bare.train()
    answers = read_pairs_with(bare, load_processor(checkpoint), head, pairs, max_tokens=9, batch=3)
    assert [answer for answer, _ in answers] == expected
    assert [target for _, target in answers] == [pair.target for pair in read_pairs(pairs_folder)]
    assert bare.training


@pytest.mark.parametrize("name", HEADS)
def test_a_heads_metric_knows_right_from_wrong(name: str) -> None:
    target, equivalent, broken = {
        "table": ("<table><tr><td>a</td></tr></table>", "<table><tr><td>b</td></tr></table>", "<<"),
        "molecule": ("OCC", "CCN", "C1CC"),
        "score": ("**kern\n4c\n*-", "**kern\n4d\n*-", "4c"),
        "text": ("<loc0000><loc0000><loc0100><loc0100> a", "<loc0500><loc0000><loc0600><loc0100> a", "a"),
    }[name]
    metric = metric_for(HEADS[name])
    parser = HEADS[name].parser
    right, wrong = metric.value(parser, [(target, target)]), metric.value(parser, [(equivalent, target)])
    assert right == (1.0 if metric.higher_is_better else 0.0)
    assert metric.is_better(right, wrong)
    assert not metric.is_better(wrong, right)
    assert metric.is_better(right, metric.value(parser, [(broken, target)]))
    assert metric.is_better(wrong, None)
    if name == "molecule":
        assert metric.value(parser, [("CCO", target)]) == 1.0, "written otherwise, and the same"


def test_a_head_of_the_callers_own_is_judged_by_exact_match(molecule: Head) -> None:
    metric = metric_for(replace(molecule, name="caption", record=RecordBase))
    assert metric.name == "exact"
    assert metric.value(molecule.parser, [("a", "a"), ("a", "b")]) == 0.5


def test_four_bits_without_a_gpu_or_bitsandbytes_say_what_to_do(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "bitsandbytes" else find(name, *rest)
    )
    settings = replace(FAST, four_bit=True)
    with pytest.raises(DeviceError, match="needs a CUDA device"):
        train_adapter(molecule, tiny_base, tmp_path / "run", settings, data=[pairs_folder], report=quiet)
    with pytest.raises(MissingDependencyError, match=r"pip install 'docai\[train\]'"):
        four_bit_config(torch.device("cuda"))
    assert not (tmp_path / "run").exists()


def test_a_base_that_is_too_large_is_refused_with_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = build_tiny(tmp_path / "base")
    weights = measure_weights(base)
    model = PaliGemmaForConditionalGeneration.from_pretrained(base)
    assert weights.total == sum(weight.numel() for weight in model.parameters())
    require_memory(base, CPU, requested="auto", full=True, four_bit=False)

    # The 3B model: 26 layers, 2304 wide, 8 heads of 256, 4 of keys, 9216 inside.
    per_layer = [(2048, 2304), (1024, 2304), (1024, 2304), (2304, 2048), *3 * [(9216, 2304)]]
    large = Weights(
        3_032_000_000,
        26 * sum(rows * columns for rows, columns in per_layer),
        26 * sum(rows + columns for rows, columns in per_layer),
    )
    monkeypatch.setattr(memory, "measure_weights", lambda folder: large)
    with pytest.raises(
        DeviceError,
        match=r"3\.0B weights\. .* 45 GiB for a full .* 6\.0 GiB for an adapter, or 3\.2 GiB with --four-bit",
    ):
        require_memory(base, CPU, requested="auto", full=False, four_bit=False)
    monkeypatch.setattr(memory, "_memory_of", lambda device: 16 << 30)
    require_memory(base, CPU, requested="cpu", full=False, four_bit=False)
    with pytest.raises(DeviceError, match=r"at least 45\.2 GiB besides the crops; cpu has 16\.0 GiB"):
        require_memory(base, CPU, requested="cpu", full=True, four_bit=False)
    with pytest.raises(DeviceError, match=r"by 2 processes takes at least 23\.2 GiB"):
        require_memory(base, CPU, requested="cpu", full=False, four_bit=False, processes=2)


def test_the_memory_of_an_adapter_is_counted_with_its_rank(molecule: Head, tiny_base: Path) -> None:
    model = build_model(open_checkpoint(tiny_base), replace(FAST, rank=4), CPU)
    n_trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    weights = measure_weights(tiny_base)
    # The projector's adapter is not counted, one matrix beside the layers' many.
    assert 0.9 * n_trained < 4 * weights.sides <= n_trained
    plain = bytes_needed(weights, full=False, four_bit=False, on_gpu=False, rank=4)
    assert plain == 4 * weights.total + 16 * 4 * weights.sides
