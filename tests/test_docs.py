"""What README and documentation promise: code that compiles, and commands, links and paths that exist."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import docai
from docai.issues import CODES
from docai.limits import Limits
from docai.settings import Settings
from docai.structure import Role

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
        ROOT / "models" / "nano" / "README.md",
    ]
)
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
REPOSITORY_PATH = re.compile(
    r"(?:docai|models|parsers|pipelines|tests|benchmarks|docs|examples|samples|\.ci|\.github)/[\w./-]*"
)


def _load_hook() -> ModuleType:
    spec = spec_from_file_location("docs_pages", ROOT / ".ci" / "docs_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The module that writes pages from the code."""
    return _load_hook()


@pytest.fixture(scope="module")
def commands(hook: ModuleType) -> dict[str, Any]:
    """The real commands by name."""
    found: dict[str, Any] = hook.commands()
    return found


def _text(page: Path) -> str:
    return page.read_text("utf-8")


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and code of each fenced block, and of each indented one (language ``""``)."""
    for found in FENCE.finditer(text):
        yield found[1], found[2]
    indented: list[str] = []
    for line in [*FENCE.sub("", text).splitlines(), "end"]:
        if line.startswith("    "):
            indented.append(line[4:])
        elif indented and line.strip():
            yield "", "\n".join(indented) + "\n"
            indented = []


def _command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every ``docai …`` line in a block, without comments and what follows a pipe."""
    for language, block in _blocks(text):
        if language not in ("", "sh", "shell", "bash", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition("|")[0], comments=True)
            for start in (["docai"], ["-m", "docai"]):
                for place in range(len(words) - len(start) + 1):
                    before = words[:place]
                    is_first = all("=" in word for word in before) or start[0] == "-m"
                    if words[place : place + len(start)] == start and is_first:
                        yield words[place + len(start) :]
                        break


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_python_block_compiles(page: Path) -> None:
    for language, block in _blocks(_text(page)):
        if language == "python":
            compile(block, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_name_of_docai_in_a_python_block_exists(page: Path) -> None:
    for language, block in _blocks(_text(page)):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "docai"
            ):
                assert hasattr(docai, node.attr), f"docai.{node.attr}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("docai"):
                module = __import__(node.module or "", fromlist=["_"])
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_line_is_understood_by_the_real_command(page: Path, commands: dict[str, Any]) -> None:
    for words in _command_lines(_text(page)):
        name, *arguments = words
        assert name in commands, f"docai {name}"
        commands[name].make_context(name, arguments)


def test_command_lines_are_found_in_blocks() -> None:
    text = (
        "    A=1 docai process a.pdf -o b.json  # why\n"
        "    torchrun -m docai train table \\\n"
        "        -o c | tee d\n"
    )
    assert list(_command_lines(text)) == [
        ["process", "a.pdf", "-o", "b.json"],
        ["train", "table", "-o", "c"],
    ]
    assert len(list(_command_lines(_text(ROOT / "README.md")))) == 4


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_option_in_running_text_exists(page: Path, commands: dict[str, Any]) -> None:
    known = {
        option
        for command in commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    script_options = {
        option
        for path in (ROOT / "benchmarks").rglob("*.py")
        for option in re.findall(r"\"(--[a-z0-9-]+)\"", path.read_text("utf-8"))
    }
    for code in CODE.findall(FENCE.sub("", _text(page))):
        if code.split()[0] in ("mypy", "pip", "ray", "torchrun", "vllm"):
            continue
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", code):
            assert option in known | script_options | {"--help"}, f"{option} in `{code}`"
        words = code.split()
        if len(words) > 1 and words[0] == "docai" and words[1].islower():
            assert words[1] in commands, code


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", _text(page))):
        if ":" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ +(.+?) *$", _text(path), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_path_of_the_repository_that_is_named_exists(page: Path) -> None:
    for code in CODE.findall(_text(page)):
        for word in code.split():
            if REPOSITORY_PATH.fullmatch(word):
                assert (ROOT / word).exists(), word


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = _text(page)
    named = [code.split()[1] for code in CODE.findall(text) if re.match(r"make [a-z-]+$", code)]
    for _, block in _blocks(text):
        named += re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_extra_that_is_named_exists(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"(?:docai|'\.)\[([a-z,]+)\]", _text(page))
    assert {extra for names in named for extra in names.split(",")} <= set(project["optional-dependencies"])


def test_the_torch_that_is_named_is_the_one_of_the_constraints() -> None:
    pinned = re.findall(r"^torch==(.+)$", _text(ROOT / "constraints.txt"), re.MULTILINE)
    for page in (ROOT / "README.md", ROOT / "docs" / "quickstart.md"):
        assert re.findall(r"pip install torch==(\S+) --index-url", _text(page)) == pinned


def test_every_issue_code_that_is_named_exists() -> None:
    heads = "table|molecule|score|text|readback|witness|source|model|head|page|layout"
    others = {"text-layer", "table-finder", *get_args(Role)}
    for page in PAGES:
        for code in CODE.findall(_text(page)):
            if re.fullmatch(rf"(?:{heads})-[a-z-]+", code) and code not in others:
                assert code in CODES or code == "table-html", f"{page.name}: {code}"


def test_readme_can_be_read_in_three_minutes() -> None:
    words = len(_text(ROOT / "README.md").split())
    assert 500 < words < 850


def test_every_page_of_the_documentation_is_in_the_navigation(hook: ModuleType) -> None:
    """And nothing else is: MkDocs checks that, too, where it is installed."""
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r": ([\w-]+\.md)$", config.partition("\nnav:")[2], re.MULTILINE))
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    included = {page for page in hook.INCLUDED.values() if page.endswith(".md")}
    assert named == written | included
    assert all((ROOT / source).exists() for source in hook.INCLUDED)


def test_the_page_of_the_command_line_has_every_command_option_and_help(
    hook: ModuleType, commands: dict[str, Any]
) -> None:
    page = hook.fill(_text(ROOT / "docs" / "cli.md"))
    assert {"process", "evaluate", "train", "synth", "calibrate", "doctor", "schema"} <= set(commands)
    for name, command in commands.items():
        section = page.partition(f"## docai {name}\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-") and option != "--help":
                    assert f"<code>{option}" in section, f"docai {name} {option}"


def test_the_page_of_the_settings_has_every_setting_and_limit_with_its_default(hook: ModuleType) -> None:
    page = hook.fill(_text(ROOT / "docs" / "settings.md"))
    for name, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        shown = "none" if value in (None, {}) else value
        assert f"| `{name}` | `DOCAI_{name.upper()}` | `{shown}` |" in page
    assert set(Limits.model_fields) < set(Settings.model_fields)


def test_the_page_of_the_examples_has_all_of_them(hook: ModuleType) -> None:
    written = _text(ROOT / "docs" / "examples.md")
    page = hook.fill(written)
    for path in (ROOT / "examples").glob("*.py"):
        assert f"`examples/{path.name}`" in written
        assert path.read_text("utf-8").split('"""', 2)[2].strip() in page


def test_the_page_of_the_records_has_every_field_of_every_record(hook: ModuleType) -> None:
    page = hook.fill(_text(ROOT / "docs" / "records.md")).partition("## Every field\n")[2]
    for record in (docai.Document, docai.Table, docai.Molecule, docai.Score, docai.Text, docai.Figure):
        for name, field in record.model_fields.items():
            assert f"| `{name}` | " in page
            assert " ".join((field.description or "").split()).replace("|", "\\|") in page, name


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_what_a_page_keeps_of_the_code_is_current(hook: ModuleType, page: Path) -> None:
    assert _text(page) == hook.refresh(_text(page)), "write it again with `make pages`"


def test_command_line_settings_and_records_can_be_read_without_building_the_website() -> None:
    assert "--seconds-per-page" in _text(ROOT / "docs" / "cli.md")
    assert "DOCAI_MAX_PAGES" in _text(ROOT / "docs" / "settings.md")
    assert "| `native_text` |" in _text(ROOT / "docs" / "records.md")


def test_what_a_page_keeps_is_replaced_and_the_rest_is_left(hook: ModuleType) -> None:
    text = "a\n<!-- generated: limits -->\nold\n<!-- end of limits -->\nb\n<!-- generated: examples -->\n"
    written = hook.refresh(text)
    assert "old" not in written
    assert written.startswith("a\n<!-- generated: limits -->\n\n| name |")
    assert written.endswith("|\n\n<!-- end of limits -->\nb\n<!-- generated: examples -->\n")
    assert "<!--" not in hook.fill(written)


def test_an_unknown_marker_is_an_error(hook: ModuleType) -> None:
    with pytest.raises(KeyError):
        hook.fill("<!-- generated: no-such-page -->")


@pytest.mark.parametrize(
    ("markdown", "source", "linked"),
    [
        ("[a](../CONTRIBUTING.md#the-tree)", "docs/x.md", "[a](contributing.md#the-tree)"),
        ("[a](docs/training.md)", "CONTRIBUTING.md", "[a](training.md)"),
        ("[`a`](docai/limits.py)", "SECURITY.md", "`a`"),
        ("[a](https://example.org/a)", "docs/x.md", "[a](https://example.org/a)"),
        ("![a](../samples/overlay.png)", "docs/x.md", "![a](overlay.png)"),
        ("```\n[a](../LICENSE)\n```", "docs/x.md", "```\n[a](../LICENSE)\n```"),
    ],
)
def test_links_between_files_become_links_between_pages(
    hook: ModuleType, markdown: str, source: str, linked: str
) -> None:
    assert hook.relink(markdown, source) == linked


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="MkDocs is not installed: pip install 'docai[docs]'")
def test_the_documentation_is_built_without_a_warning_and_asks_nobody_for_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess
    import sys

    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path in tmp_path.glob("*.html"):
        html = path.read_text("utf-8")
        assert not re.search(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"https?:", html), path.name
        assert "<!-- generated" not in html


def test_contributing_lists_the_layers_of_the_import_contracts_in_their_order() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", "utf-8")
    section = _text(ROOT / "CONTRIBUTING.md").partition("## What may import what\n")[2].partition("\n## ")[0]
    cells = [re.findall(r"`([\w.]+)`", row.split("|")[1]) for row in section.splitlines() if row[:3] == "| `"]
    layers = [
        re.split(r" [|:] ", layer)
        for name in ("rooms", "flow")
        for layer in contracts[f"importlinter:contract:{name}"]["layers"].strip().splitlines()
    ]
    assert cells == layers


def test_the_citation_file_names_the_release_of_the_changelog() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    fields = dict(re.findall(r"^([a-z-]+): (.+)$", citation, re.MULTILINE))
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", _text(ROOT / "CHANGELOG.md"), re.M)
    assert fields["cff-version"] == "1.2.0"
    assert (fields["version"], fields["date-released"]) == released[0]
    assert fields["license"] == "Apache-2.0"
