"""How a model is run, as a user says it: in Python, on the command line, in settings, in a batch."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from PIL import Image

import docai
from docai.api import Pipeline
from docai.batch import describe, make_setup
from docai.errors import AdapterError, DeviceError, SettingError, UnknownHeadError
from docai.models.engine import Engine
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scripted import ScriptedEngine
from docai.models.selection import describe_model, load_engine
from docai.options import ModelOptions
from docai.settings import load_settings
from tests.conftest import Run
from tests.models.tiny import build_adapter, build_tiny, noise

HEADS = {"table": {"max_tokens": 8}, "text": {"max_tokens": 8}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), image_size=448, patch_size=112, heads=HEADS)


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_adapter(tiny, tmp_path_factory.mktemp("adapters") / "molecule")


def page() -> Image.Image:
    """What is not blank in the pixels of the checkpoint."""
    image = Image.new("RGB", (600, 600), "white")
    image.paste(noise(size=300), (100, 100))
    return image


def loaded(engine: Engine) -> PaliGemmaEngine:
    assert isinstance(engine, PaliGemmaEngine)
    return engine


def test_defaults_are_those_of_the_engine(tiny: Path) -> None:
    engine = loaded(load_engine(tiny, device="cpu"))
    assert (engine.dtype, engine._dispatcher.scheduler.n_slots) == ("float32", 8)
    assert ModelOptions().changed() == []
    assert load_settings().values.model_options == ModelOptions()


def test_a_pipeline_runs_its_model_as_it_is_told(tiny: Path, adapter: Path) -> None:
    options = ModelOptions(dtype="bfloat16", batch=3, adapters={"molecule": adapter})
    pipeline = Pipeline(
        tiny, device="cpu", model_options=options, witnesses="off", readback="off", effort="best"
    )
    engine = loaded(pipeline.engine)
    assert engine.dtype == "bfloat16"
    assert engine._dispatcher.scheduler.n_slots == 3
    record = pipeline.read(page(), "molecule")
    assert record.checkpoint is not None
    assert record.checkpoint.startswith("tiny@0+molecule@")
    # Known before any weights are read.
    assert set(describe_model(tiny, options=options).heads) == {"table", "text", "molecule"}


def test_settings_name_adapters_in_every_place(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    Path("docai.toml").write_text('dtype = "bfloat16"\nbatch = 4\n[adapters]\ntable = "runs/a"\n')
    values = load_settings().values
    assert values.model_options == ModelOptions(dtype="bfloat16", batch=4, adapters={"table": "runs/a"})
    monkeypatch.setenv("DOCAI_ADAPTERS", "table=b, score=c=d")
    monkeypatch.setenv("DOCAI_BATCH", "none")
    monkeypatch.setenv("DOCAI_QUANTIZATION", "nf4")
    options = load_settings().values.model_options
    assert options.adapters == {"table": "b", "score": "c=d"}
    assert (options.batch, options.quantization) == (None, "nf4")
    monkeypatch.setenv("DOCAI_ADAPTERS", "none")
    assert load_settings().values.model_options.adapters == {}
    given = load_settings({"adapters": ["table=runs/a,b"], "dtype": "float32"}, as_flags=True)
    assert given.values.model_options.adapters == {"table": "runs/a,b"}
    assert given.origins["adapters"] == "flag --adapter"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "float16"}, "use auto, float32 or bfloat16"),
        ({"batch": "0"}, "a number from 1"),
        ({"batch": "many"}, "a number from 1"),
        ({"adapters": ["runs/table"]}, "HEAD=FOLDER"),
        ({"adapters": "=x"}, "HEAD=FOLDER"),
        ({"quantization": "int4"}, "use none or nf4"),
    ],
)
def test_a_bad_setting_says_what_is_allowed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_settings(given, as_flags=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "float16"}, "'auto', 'float32' or 'bfloat16'"),
        ({"batch": 0}, "a number from 1"),
        ({"batch": True}, "a number from 1"),
        ({"batch": "8"}, "a number from 1"),
        ({"adapters": "table=x"}, "the folder of each head"),
        ({"adapters": {"table": None}}, "the folder of each head"),
        ({"quantization": None}, "'none' or 'nf4'"),
    ],
)
def test_a_bad_option_says_what_to_give(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ModelOptions(**given)


def test_what_cannot_be_is_refused_before_anything_is_read(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"docai\.ModelOptions"):
        Pipeline(tiny, model_options={"dtype": "float32"})  # type: ignore[arg-type]
    with pytest.raises(UnknownHeadError, match="poem"):
        Pipeline(tiny, model_options=ModelOptions(adapters={"poem": adapter}))
    with pytest.raises(SettingError, match="beside an engine"):
        Pipeline(engine=ScriptedEngine({"text": "a"}), model_options=ModelOptions(batch=2))
    with pytest.raises(AdapterError, match=r"adapter_config\.json is missing"):
        describe_model(tiny, options=ModelOptions(adapters={"table": tmp_path}))
    with pytest.raises(SettingError, match=r"on a server.*leave dtype and batch out"):
        describe_model("http://127.0.0.1:9#x", options=ModelOptions(dtype="float32", batch=2))
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="4 bits need a CUDA device"):
            load_engine(tiny, device="cpu", options=ModelOptions(quantization="nf4"))
    other = build_adapter(tiny, tmp_path / "other")
    config = json.loads((other / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "org/other@5"
    (other / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterError, match="was trained on org/other@5"):
        describe_model(tiny, options=ModelOptions(adapters={"table": other}))


def test_a_batch_runs_the_model_so_and_another_adapter_is_another_run(
    tiny: Path, adapter: Path, tmp_path: Path
) -> None:
    options = docai.options.Options()
    model_options = ModelOptions(batch=2, adapters={"molecule": adapter})
    setup = make_setup(options, tiny, device="cpu", model_options=model_options)
    assert set(setup.heads) == {"table", "text", "molecule"}
    engine = loaded(setup.model.load())
    assert engine.heads() == {"table", "text", "molecule"}
    assert engine._dispatcher.scheduler.n_slots == 2
    told = describe(setup)
    assert told["adapters"] == {"molecule": str(adapter)}
    same = make_setup(options, tiny, model_options=ModelOptions(batch=1, adapters={"molecule": adapter}))
    assert describe(same) == told, "how many at a time changes no answer"
    assert describe(make_setup(options, tiny)) != told
    again = copytree(adapter, tmp_path / "molecule")
    moved = make_setup(options, tiny, model_options=ModelOptions(adapters={"molecule": again}))
    before = describe(moved)
    build_adapter(tiny, again, seed=2)
    changed = {name for name, value in describe(moved).items() if value != before[name]}
    assert changed == {"adapter_revisions"}, "it was trained again"
    assert describe(make_setup(options, tiny, model_options=ModelOptions(dtype="bfloat16"))) != told


def test_the_command_line(run: Run, tiny: Path, adapter: Path, own_folder: Path) -> None:
    page().save("a.png")
    base = ["process", "a.png", "--model", tiny, "--device", "cpu", "-o", "a.json", "--witnesses", "off"]
    code, _, err = run(*base, "--adapter", f"molecule={own_folder}")
    assert code == 2
    assert "adapter_config.json is missing" in err
    code, _, err = run(*base, "--adapter", "molecule")
    assert code == 2
    assert "flag --adapter" in err
    code, _, err = run(*base, "--batch", "0")
    assert code == 2
    assert "flag --batch" in err
    code, out, _ = run("doctor", "--model", tiny)
    assert "can run, weights: base" in out
    code, _, _ = run(
        *base, "--dtype", "bfloat16", "--adapter", f"molecule={adapter}", "--adapter", f"table={adapter}"
    )
    assert code in (0, 3)
    document = docai.Document.from_json(Path("a.json").read_text())
    assert document.pages


def test_doctor_knows_adapters(run: Run, tiny: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_ADAPTERS", f"molecule={adapter}")
    _, out, _ = run("doctor", "--model", tiny)
    assert f"can run, weights: {adapter}" in out
    assert f"molecule={adapter}  environment DOCAI_ADAPTERS" in out
