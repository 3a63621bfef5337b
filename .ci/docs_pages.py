"""The pages of the documentation that are written from the code, as a hook of MkDocs (``mkdocs.yml``).

A page of ``docs/`` may hold ``<!-- generated: NAME -->``, which is replaced at build time by what
:data:`GENERATORS` makes, so that the command line, the settings and the examples cannot go stale. Where
``<!-- end of NAME -->`` follows, what stands between is replaced, and is kept in the file so that it can be
read there: ``make pages`` writes it again, and a test fails until then. Files of
the repository that have a page of their own, such as ``CONTRIBUTING.md``, are listed in :data:`INCLUDED`.
Links between files of the repository become links between pages; where a file has no page, only its name
stays. Nothing here needs the network.
"""

from __future__ import annotations

import ast
import html
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
INCLUDED: Mapping[str, str] = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/RESULTS.md": "peers.md",
    "docai/issues.md": "issues.md",
    "models/nano/README.md": "nano.md",
    "README.md": "index.md",
    "examples": "examples.md",
    "samples/overlay.png": "overlay.png",
    "samples/viewer.png": "viewer.png",
}
"""Path in the repository → page. Where ``docs/`` has that page it is written by hand, and not the file."""
_MARKER = re.compile(r"<!-- generated: ([a-z-]+) -->(?:.*?<!-- end of \1 -->)?", re.DOTALL)
_KEPT = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures of :data:`INCLUDED`."""
    from mkdocs.structure.files import File

    for source, page in INCLUDED.items():
        if (ROOT / "docs" / page).is_file():
            continue
        if page.endswith(".md"):
            text = relink((ROOT / source).read_text("utf-8"), source)
            files.append(File.generated(config, page, content=text))
        else:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the page's markers; relink a page of ``docs/``."""
    name = page.file.src_uri
    written_by_hand = (ROOT / "docs" / name).is_file()
    return relink(fill(markdown), f"docs/{name}") if written_by_hand else markdown


def fill(markdown: str) -> str:
    """The text with every marker replaced. A name that is in no :data:`GENERATORS` is a ``KeyError``."""
    return _MARKER.sub(lambda found: GENERATORS[found[1]](), markdown)


def refresh(markdown: str) -> str:
    """The text of a file with what it keeps of the code written again."""
    return _KEPT.sub(lambda found: f"{found[1]}\n{GENERATORS[found[2]]().strip()}\n\n{found[3]}", markdown)


def relink(markdown: str, source: str) -> str:
    """The text of the repository's file ``source`` with its relative links as links between pages."""

    def replace(found: re.Match[str]) -> str:
        label, target, anchor = found[1], found[2], found[3] or ""
        if ":" in target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in INCLUDED:
            return f"[{label}]({INCLUDED[path]}{anchor})"
        if path.startswith("docs/") and path.endswith(".md"):
            return f"[{label}]({PurePosixPath(path).relative_to('docs')}{anchor})"
        return label

    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(replace, part) for part in parts)


def command_line() -> str:
    """Each command: its usage, what it does, its arguments and options."""
    lines: list[str] = []
    for name, command in commands().items():
        lines += [
            f"## docai {name}",
            "",
            "```text",
            _usage(name, command),
            "```",
            "",
            _prose(command.help),
            "",
        ]
        panels: dict[str | None, list[Any]] = {}
        for parameter in command.params:
            if parameter.name != "help":
                panels.setdefault(parameter.rich_help_panel, []).append(parameter)
        for panel, parameters in panels.items():
            lines += ["" if panel is None else f"**{panel}**", ""]
            lines += ["| option | meaning | default |", "|---|---|---|", *map(_row, parameters), ""]
        if command.epilog:
            lines += ["", _prose(command.epilog)]
        lines.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def commands() -> dict[str, Any]:
    """The commands of the command line by name, as Click has them, in the order of ``docai --help``."""
    import typer.main

    from docai.cli.app import app

    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _usage(name: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    words = [str(argument.metavar or argument.name.upper()) for argument in arguments]
    return " ".join(["docai", name, "[OPTIONS]", *words])


def _row(parameter: Any) -> str:
    value = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        names = [value]
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
        if not parameter.is_flag:
            names[-1] += f" {value}"
    default = parameter.default
    shown = "" if default is None or default is False or callable(default) else f"`{default}`"
    if parameter.required:
        shown = "required"
    if default is True:
        shown = f"`{parameter.opts[-1]}`"
    # As HTML: a code span of Markdown cannot hold a bar inside a table.
    cell = ", ".join(f"<code>{html.escape(name).replace('|', '&#124;')}</code>" for name in names)
    return f"| {cell} | {_cell(_prose(parameter.help))} | {_cell(shown)} |"


def _prose(text: str | None) -> str:
    """A help text as Markdown: line breaks inside a paragraph are none."""
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def settings() -> str:
    """Each setting that is no limit: its name, its variable in the environment, and its default."""
    from docai.limits import Limits
    from docai.settings import Settings

    return _settings_table(name for name in Settings.model_fields if name not in Limits.model_fields)


def limits() -> str:
    """Each limit, likewise."""
    from docai.limits import Limits

    return _settings_table(Limits.model_fields)


def _settings_table(names: Iterable[str]) -> str:
    from docai.settings import ENV_PREFIX, FLAG_NAMES, Settings

    rows = ["| name | environment | default | option | meaning |", "|---|---|---|---|---|"]
    for name in names:
        field = Settings.model_fields[name]
        value = field.get_default(call_default_factory=True)
        default = "none" if value in (None, {}) else str(value)
        meaning = _cell(_prose(field.description))
        flag = FLAG_NAMES.get(name, f"--{name.replace('_', '-')}")
        rows.append(f"| `{name}` | `{ENV_PREFIX}{name.upper()}` | `{default}` | `{flag}` | {meaning} |")
    return "\n".join(rows)


def examples() -> str:
    """Each script of ``examples/``: its docstring and its code."""
    lines: list[str] = []
    for path in sorted((ROOT / "examples").glob("*.py")):
        source = path.read_text("utf-8")
        docstring = ast.get_docstring(ast.parse(source)) or ""
        code = source.split('"""', 2)[2].strip()
        lines += [f"## {path.name}", "", docstring, "", "```python", code, "```", ""]
    return "\n".join(lines)


def data_formats() -> str:
    """Each layout of a data set that ``docai evaluate`` and ``docai train`` read."""
    from docai.pipelines.evaluation.datasets import FORMATS

    rows = ["| format | samples | layout |", "|---|---|---|"]
    for name, entry in sorted(FORMATS.items()):
        rows.append(f"| `{name}` | {entry.unit}s of {', '.join(entry.kinds)} | {_cell(entry.summary)} |")
    return "\n".join(rows)


def record_fields() -> str:
    """The fields of the document and of everything in it, as their descriptions have them."""
    from docai import contents, document, joined_tables, records, structure

    provenance = records.RecordBase.model_fields
    models: list[tuple[str, Any, Iterable[str]]] = [
        (model.__name__, model, model.model_fields)
        for model in (document.Document, document.SourceInfo, document.PageInfo, document.Stats)
    ]
    models.append(("What all records share", records.RecordBase, provenance))
    for record in (records.Table, records.Molecule, records.Score, records.Text, records.Figure):
        models.append(
            (record.__name__, record, [name for name in record.model_fields if name not in provenance])
        )
    inner = (records.Confidence, records.Alternative, records.Attempt, records.ReadBackResult, contents.Issue)
    inner += (
        contents.Cell,
        contents.Column,
        contents.Atom,
        contents.Label,
        contents.Fragment,
        contents.Stereo,
    )
    inner += (contents.Measure, contents.Event, contents.Line, contents.Word, records.Font)
    inner += (structure.Paragraph,)
    models += [(model.__name__, model, model.model_fields) for model in inner]
    of_table = contents.TableContent.model_fields
    own = [name for name in joined_tables.JoinedTable.model_fields if name not in of_table]
    models.append(("JoinedTable", joined_tables.JoinedTable, own))
    lines: list[str] = []
    for title, model, names in models:
        lines += [f"### {title}", "", "| field | meaning |", "|---|---|"]
        for name in names:
            lines.append(f"| `{name}` | {_cell(_prose(model.model_fields[name].description))} |")
        lines.append("")
    return "\n".join(lines)


GENERATORS: Mapping[str, Callable[[], str]] = {
    "command-line": command_line,
    "settings": settings,
    "limits": limits,
    "examples": examples,
    "data-formats": data_formats,
    "record-fields": record_fields,
}


if __name__ == "__main__":
    for path in sorted((ROOT / "docs").glob("*.md")):
        path.write_text(refresh(path.read_text("utf-8")), "utf-8")
