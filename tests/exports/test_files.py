"""Exports on the disk: whole or not at all, in any folder, and told what is missing."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

import docai.exports.base
from docai.document import SCHEMA_VERSION, Document
from docai.errors import MissingDependencyError, NotAResultError, OutputError, SettingError
from docai.exports import FORMATS, ExportOptions, Loss, export

from . import made


def _pdf() -> bytes:
    import pymupdf

    with pymupdf.open() as pdf:
        pdf.new_page(width=300, height=200).insert_text((20, 40), "a")
        data: bytes = pdf.tobytes()
    return data


_PDF = _pdf()


def _everything() -> Document:
    records = made.text("a"), made.spanned(), made.molecule("CCO"), made.score()
    return made.document(*records, sha256=hashlib.sha256(_PDF).hexdigest())


def test_document_export_writes_the_file_and_those_beside_it(tmp_path: Path) -> None:
    written = _everything().export(tmp_path / "new" / "report.md")
    assert written.path == tmp_path / "new" / "report.md"
    assert all(path.is_file() for path in (written.path, *written.files))
    assert len(written.files) == 3
    assert sorted(path.name for path in written.path.parent.iterdir()) == ["report.md", "report_files"]


def test_losses_are_given_with_what_was_written(tmp_path: Path) -> None:
    figure = made.figure()
    written = made.document(figure).export(tmp_path / "a.html")
    assert [type(loss) for loss in written.losses] == [Loss]
    assert "source=" in str(written.losses[0])


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_each_format_is_written_under_an_extension_of_any_case(suffix: str, tmp_path: Path) -> None:
    document = _everything()
    written = document.export(tmp_path / f"out{suffix.upper()}", source=_PDF)
    assert written.path.stat().st_size > 20
    # Workbooks and the like have a date inside, as PAGE has.
    if FORMATS[suffix].is_text and suffix != ".page.xml":
        assert written.path.read_bytes() == export(document, f"out{suffix}", ExportOptions(source=_PDF))


def test_a_file_that_cannot_be_written_leaves_nothing_new_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = _everything()
    old = tmp_path / "report.md"
    old.write_text("old")

    def fail(path: Path, data: bytes) -> None:
        if path.name == "report.md":
            raise PermissionError(13, "Permission denied", str(path))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    monkeypatch.setattr(docai.exports.files, "write_durably", fail)
    with pytest.raises(
        OutputError, match=r"report\.md cannot be written \(Permission denied\): .*has it open"
    ):
        document.export(old)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert old.read_text() == "old"


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is one of Linux")
def test_a_folder_in_which_nothing_can_be_written_is_a_clear_error() -> None:
    # Not even by root.
    with pytest.raises(OutputError, match=r"report\.csv cannot be written .*choose another place"):
        _everything().export("/proc/report.csv")


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another place"):
        _everything().export(tmp_path / "file" / "report.csv")


def test_a_missing_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(docai.exports.base, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"pyarrow: pip install 'docai\[exports\]'"):
        export(_everything(), "a.parquet")


def test_an_unknown_extension_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"for the extension '\.doc'; the extensions are: \.json, \.md"):
        _everything().export(tmp_path / "a.doc")
    assert not list(tmp_path.iterdir())


def test_a_result_of_a_newer_schema_says_so() -> None:
    values = json.loads(_everything().to_json())
    values |= {"schema_version": "99.1", "mood": "sunny"}
    with pytest.raises(NotAResultError, match=rf"schema version 99\.1, .* up to {SCHEMA_VERSION} \(mood"):
        Document.from_json(json.dumps(values))
    values["schema_version"] = "1.0"
    with pytest.raises(NotAResultError, match="This JSON is no document of docai"):
        Document.from_json(json.dumps(values))


@pytest.mark.parametrize("version", ["1.0", "1.6", SCHEMA_VERSION])
def test_older_results_are_read(version: str) -> None:
    values = json.loads(_everything().to_json()) | {"schema_version": version}
    assert Document.from_json(json.dumps(values)).schema_version == version


@pytest.mark.parametrize("version", ["1.99", "2.0", f"{SCHEMA_VERSION}.1"])
def test_a_newer_version_is_refused_though_its_fields_are_known(version: str) -> None:
    values = json.loads(_everything().to_json()) | {"schema_version": version}
    with pytest.raises(NotAResultError, match=f"has schema version {version}, and this docai reads up to"):
        Document.from_json(json.dumps(values))


@pytest.mark.parametrize("version", ["abc", "", "1.", "-1.0", "1" * 5000 + ".0"])
def test_what_is_no_version_is_refused(version: str) -> None:
    values = json.loads(_everything().to_json()) | {"schema_version": version}
    with pytest.raises(NotAResultError, match=r"its schema_version .* is no version such as"):
        Document.from_json(json.dumps(values))


def test_one_files_bytes_know_their_losses() -> None:
    file = export(_everything(), "o.md")
    assert repr(file) == f"<ExportedFile: {len(file)} bytes, 3 files beside it>"


def test_every_loss_that_can_be_told_is_in_the_documentation() -> None:
    root = Path(__file__).resolve().parents[2]
    told = set()
    for module in (root / "docai" / "exports").glob("*.py"):
        told |= set(re.findall(r"\.lose\(\s*\"([a-z-]+)\"", module.read_text("utf-8")))
    assert len(told) > 15
    page = (root / "docs" / "exports.md").read_text("utf-8")
    assert not [code for code in sorted(told) if f"`{code}`" not in page]
