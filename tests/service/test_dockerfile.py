"""The Dockerfile says what the project has; an image is built elsewhere."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import typer.main

from docai.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
LINES = re.sub(r" *\\\n\s*", " ", (ROOT / "Dockerfile").read_text("utf-8")).splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _arguments(instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{instruction} ")]


def test_it_copies_all_that_a_wheel_is_built_from() -> None:
    copied = {
        source
        for words in map(shlex.split, _arguments("COPY"))
        if not words[0].startswith("--")
        for source in words[:-1]
    }
    folders = set(PROJECT["tool"]["setuptools"]["package-dir"].values())
    files = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert copied == {*folders, *files, "pyproject.toml", "constraints.txt"}
    assert all((ROOT / name).exists() for name in copied)
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert copied == {line[1:] for line in lines if line.startswith("!")}


def test_it_installs_extras_that_there_are() -> None:
    (extras,) = re.findall(r"'\.\[([^\]]+)\]'", "\n".join(_arguments("RUN")))
    assert {"serve"} <= set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_it_runs_a_command_that_there_is_as_a_user_without_rights() -> None:
    program, command, *options = json.loads(_arguments("CMD")[-1])
    assert program == "docai"
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {name for parameter in commands[command].params for name in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known
    port = next(one.default for one in commands[command].params if one.name == "port")
    assert _arguments("EXPOSE") == [str(port)]
    assert f":{port}/v1/health" in "\n".join(_arguments("HEALTHCHECK"))
    assert _arguments("USER") == ["docai"]
