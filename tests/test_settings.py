"""Where settings come from, and what is said about bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from docai.errors import SettingError
from docai.limits import FLAGS, Limits
from docai.options import Options
from docai.settings import check_settings, describe_settings, load_settings, unknown_variables

pytestmark = pytest.mark.usefixtures("own_folder")


def test_defaults() -> None:
    loaded = load_settings()
    assert (loaded.values.model, loaded.values.device, loaded.values.text_layer) == (
        "nano",
        "auto",
        "prefer",
    )
    assert loaded.values.download is False
    assert loaded.values.limits == Limits()
    assert set(loaded.origins.values()) == {"default"}


def test_each_place_overrides_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("docai.toml").write_text('model = "file"\ndevice = "cuda:1"\ntext_layer = "verify"\n')
    monkeypatch.setenv("DOCAI_MODEL", "environment")
    monkeypatch.setenv("DOCAI_DEVICE", "cuda")
    loaded = load_settings({"model": "call", "device": None}, as_flags=True)
    assert (loaded.values.model, loaded.origins["model"]) == ("call", "flag --model")
    assert (loaded.values.device, loaded.origins["device"]) == ("cuda", "environment DOCAI_DEVICE")
    assert loaded.values.text_layer == "verify"
    assert loaded.origins["text_layer"] == f"file {Path('docai.toml').absolute()}"
    assert loaded.origins["max_pages"] == "default"


def test_limits_come_from_every_place_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("docai.toml").write_text('max_pages = 7\nmax_pixels = "none"\n')
    monkeypatch.setenv("DOCAI_MAX_BYTES", "None")
    monkeypatch.setenv("DOCAI_MAX_SECONDS_PER_PAGE", "2.5")
    limits = load_settings().values.limits
    assert limits == Limits(max_pages=7, max_pixels=None, max_bytes=None, max_seconds_per_page=2.5)


def test_settings_are_read_at_the_call_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings()
    monkeypatch.setenv("DOCAI_MODEL", "later")
    assert before.values.model == "nano"
    assert load_settings().values.model == "later"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("DOCAI_TEXT_LAYER", "maybe", "prefer, verify or ignore"),
        ("DOCAI_DEVICE", "gpu", "auto, cpu, cuda"),
        ("DOCAI_WITNESSES", "osra", "auto or off"),
        ("DOCAI_READBACK", "on", "auto or off"),
        ("DOCAI_RETRY", "yes", "auto or off"),
        ("DOCAI_MAX_PAGES", "0", "above 0"),
        ("DOCAI_MAX_PAGES", "many", "above 0"),
        ("DOCAI_DOWNLOAD", "perhaps", "true or false"),
    ],
)
def test_bad_value_names_its_origin_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    assert f"environment {name}" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert allowed in str(caught.value)


def test_bad_flag_is_named_as_a_flag() -> None:
    with pytest.raises(SettingError, match="flag --text-layer"):
        load_settings({"text_layer": "x"}, as_flags=True)
    with pytest.raises(SettingError, match="argument text_layer"):
        load_settings({"text_layer": "x"})


def test_unknown_name_in_the_file() -> None:
    Path("docai.toml").write_text("modle = 'nano'\n")
    with pytest.raises(SettingError, match=r"no setting 'modle' .*docai\.toml.*model"):
        load_settings()


def test_file_that_is_no_toml() -> None:
    Path("docai.toml").write_text("model = \n")
    with pytest.raises(SettingError, match=r"docai\.toml cannot be read"):
        load_settings()


def test_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_MODEL", "")
    assert load_settings().origins["model"] == "default"


def test_mistyped_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_MODLE", "x")
    monkeypatch.setenv("DOCAI_REAL_DATA", "x")
    monkeypatch.setenv("DOCAI_MODEL", "x")
    assert unknown_variables() == ["DOCAI_MODLE"]


def test_description_has_every_setting_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_MAX_PAGES", "none")
    rows = describe_settings(load_settings())
    assert ("max_pages", "none", "environment DOCAI_MAX_PAGES") in rows
    assert ("model", "nano", "default") in rows


def test_settings_are_the_options_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().values.options() == Options()
    monkeypatch.setenv("DOCAI_RETRY", "auto")
    Path("docai.toml").write_text('text_layer = "verify"\nmax_pages = 7\n')
    options = load_settings({"witnesses": "off"}).values.options(["table"])
    assert options == Options(
        heads=["table"], text_layer="verify", witnesses="off", retry="auto", limits=Limits(max_pages=7)
    )
    with pytest.raises(SettingError, match="heads is empty"):
        load_settings().values.options([])


def test_all_problems_are_told_and_defaults_take_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("docai.toml").write_text('modle = "x"\nmax_pages = 0\ntext_layer = "verify"\n')
    monkeypatch.setenv("DOCAI_DEVICE", "gpu")
    loaded, problems = check_settings({"retry": "auto", "max_pixels": "many"}, as_flags=True)
    assert set(problems) == {"modle", "max_pages", "device", "max_pixels"}
    assert "flag --max-pixels" in problems["max_pixels"]
    assert (loaded.values.limits, loaded.values.device) == (Limits(), "auto")
    assert (loaded.values.text_layer, loaded.values.retry) == ("verify", "auto")
    Path("docai.toml").write_text("model = \n")
    monkeypatch.setenv("DOCAI_DEVICE", "cpu")
    loaded, problems = check_settings()
    assert list(problems) == ["docai.toml"]
    assert loaded.values.device == "cpu"


@pytest.mark.parametrize("name", Limits.model_fields)
def test_every_limit_is_a_setting_and_an_option_of_that_name(name: str) -> None:
    loaded = load_settings({name: "7"}, as_flags=True)
    assert loaded.values.limits == Limits(**{name: 7})
    assert loaded.origins[name] == f"flag {FLAGS[name]}"
