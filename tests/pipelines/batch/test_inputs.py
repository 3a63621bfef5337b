"""What a batch is given, and what results are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docai.errors import EmptySourceError, SettingError
from docai.pipelines.batch.inputs import MAX_NAME_BYTES, find_batch_inputs, restored, shard_of, stored


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def _names(*arguments: object, lines: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in find_batch_inputs([str(one) for one in arguments], lines=lines).found]


def test_results_mirror_the_tree_of_a_folder(tmp_path: Path) -> None:
    _touch(tmp_path / "b.pdf", tmp_path / "2024" / "a.pdf", tmp_path / "2024" / "a.png")
    assert _names(tmp_path) == ["2024/a.pdf", "2024/a.png", "b.pdf"]


def test_two_folders_keep_their_names_apart(tmp_path: Path) -> None:
    _touch(tmp_path / "x" / "scans" / "a.pdf", tmp_path / "y" / "scans" / "a.pdf")
    assert _names(tmp_path / "x" / "scans", tmp_path / "y" / "scans") == ["a.pdf", "a.pdf~2"]
    _touch(tmp_path / "more" / "a.pdf")
    both = _names(tmp_path / "x" / "scans", tmp_path / "more")
    assert both == ["scans/a.pdf", "more/a.pdf"]


def test_names_that_differ_in_case_or_accents_only_are_told_apart(tmp_path: Path) -> None:
    composed, apart = "\u00e9.pdf", "e\u0301.pdf"
    _touch(*(tmp_path / name for name in ("A.pdf", "a.pdf", composed, apart)))
    assert sorted(_names(tmp_path)) == sorted(["A.pdf", "a.pdf~2", apart, f"{composed}~2"])


def test_a_file_that_is_named_twice_is_one_input(tmp_path: Path) -> None:
    _touch(tmp_path / "a.pdf")
    assert _names(tmp_path / "a.pdf", tmp_path, tmp_path / "." / "a.pdf") == ["a.pdf"]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    _touch(tmp_path / "a.pdf", tmp_path / "notes.docx", tmp_path / ".hidden.pdf")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_batch_inputs([tmp_path])
    assert [one.name for one in found.found] == ["a.pdf"]
    assert "1 other file (.docx)" in found.notes[0]
    assert "1 link to folders" in found.notes[0]


def test_a_file_that_is_not_there_is_an_input(tmp_path: Path) -> None:
    assert _names(tmp_path / "gone.pdf") == ["gone.pdf"]


def test_a_link_to_itself_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "loop.pdf").symlink_to(tmp_path / "loop.pdf")
    assert _names(tmp_path) == ["loop.pdf"]


def test_a_list_on_standard_input(tmp_path: Path) -> None:
    lines = (
        f"{tmp_path}/x/a.pdf\n",
        "\n",
        f'{{"path": "{tmp_path}/b.pdf", "pages": "1-2", "password": "w"}}\n',
    )
    first, second = find_batch_inputs(["-"], lines=lines).found
    assert first.path == f"{tmp_path}/x/a.pdf"
    assert (second.pages, second.password) == ("1-2", "w")
    assert "w" not in second.options


def test_a_byte_order_mark_is_no_part_of_a_path() -> None:
    assert _names("-", lines=("\ufeffa.pdf\r\n", "b.pdf\r\n")) == ["a.pdf", "b.pdf"]


def test_a_file_that_is_asked_for_in_two_ways_is_said() -> None:
    inputs = find_batch_inputs(["-"], lines=('{"path": "a.pdf", "pages": "9"}', "a.pdf", "b.pdf", "b.pdf"))
    assert [one.pages for one in inputs.found] == ["9", None]
    (note,) = inputs.notes
    assert "a.pdf is named more than once" in note


def test_a_file_of_json_lines(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text(f'{{"path": "{tmp_path}/a.pdf"}}\n', "utf-8")
    assert [one.path for one in find_batch_inputs([tmp_path / "list.jsonl"]).found] == [f"{tmp_path}/a.pdf"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"pages": "1"}', 'needs a "path"'),
        ('{"path": "a.pdf", "oages": "1"}', "'oages' is unknown"),
        ('{"path": "a.pdf", "pages": 1}', "are texts"),
        ('{"path": 3}', "the path is no text"),
        ("{broken", 'needs a "path"'),
        ('{"path": "a.pdf", "pages": "x"}', "Line 1 of standard input .*x"),
        ('{"path": ""}', "the path is empty"),
    ],
)
def test_a_line_that_cannot_be_understood(line: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        find_batch_inputs(["-"], lines=(line,))


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(EmptySourceError, match=r"no documents.*1 other file"):
        find_batch_inputs([tmp_path])


def test_names_that_are_long_or_no_text_can_be_written(tmp_path: Path) -> None:
    long = "ä" * 120 + ".pdf"
    raw = os.fsdecode(b"caf\xe9.pdf")
    _touch(tmp_path / long, tmp_path / raw)
    found = find_batch_inputs([tmp_path]).found
    assert {restored(one.path).name for one in found} == {long, raw}
    for one in found:
        assert len(one.name.encode()) <= MAX_NAME_BYTES
        one.path.encode()


def test_no_name_leads_out_of_the_results() -> None:
    found = find_batch_inputs(["-"], lines=("../../etc/passwd.pdf", "/..", "a/../b.pdf"))
    for one in found.found:
        assert ".." not in one.name.split("/")
        assert not one.name.startswith("/")


def test_stored_paths_come_back() -> None:
    for name in ("/tmp/a.pdf", "/tmp/ü b.pdf", os.fsdecode(b"/tmp/\xff%41.pdf")):
        assert str(restored(stored(name))) == name


def test_shards_share_the_inputs(tmp_path: Path) -> None:
    _touch(*(tmp_path / f"{number}.pdf" for number in range(40)))
    found = find_batch_inputs([tmp_path]).found
    parts = [shard_of(found, number, 3) for number in (1, 2, 3)]
    assert sorted(one.name for part in parts for one in part) == sorted(one.name for one in found)
    assert all(parts)
    fewer = shard_of(found[5:], 2, 3)
    assert set(fewer) <= set(parts[1])


def test_an_input_is_in_the_same_part_whatever_else_is_given(tmp_path: Path) -> None:
    _touch(*(tmp_path / "s" / f"{number}.pdf" for number in range(20)), tmp_path / "more" / "a.pdf")
    alone, both = (
        {one.path for one in shard_of(find_batch_inputs(given).found, 1, 2)}
        for given in ([tmp_path / "s"], [tmp_path / "s", tmp_path / "more"])
    )
    assert {path for path in both if "more" not in path} == alone


def test_a_pattern_mirrors_the_tree_below_it(tmp_path: Path) -> None:
    _touch(tmp_path / "p" / "a.pdf", tmp_path / "p" / "x" / "a.pdf", tmp_path / "p" / "x" / "y" / "b.png")
    assert _names(tmp_path / "p" / "**" / "*.pdf") == ["a.pdf", "x/a.pdf"]
    # Folders that match are read with all that is in them, as a shell's expansion would have it.
    assert _names(tmp_path / "p" / "*") == ["a.pdf", "x/a.pdf", "x/y/b.png"]
    assert _names(tmp_path / "p" / "**") == ["a.pdf", "x/a.pdf", "x/y/b.png"]
    assert _names(tmp_path / "*" / "a.pdf") == ["p/a.pdf"]


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    _touch(tmp_path / "a.pdf")
    found = find_batch_inputs([tmp_path / "a.pdf", str(tmp_path / "*.tif")])
    assert [one.name for one in found.found] == ["a.pdf"]
    assert found.notes == [f"Nothing matches {tmp_path / '*.tif'}."]


def test_many_inputs_of_one_name_get_numbers(tmp_path: Path) -> None:
    lines = tuple(f"{tmp_path}/{number}/page/1.png" for number in range(5000))
    names = _names("-", lines=lines)
    assert len(set(names)) == 5000
    assert names[:2] == ["1.png", "1.png~2"]
    assert names[-1] == "1.png~5000"


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_list_names_files_that_are_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xfe.pdf"))
    _touch(path)
    list_ = tmp_path / "list.jsonl"
    list_.write_bytes(os.fsencode(path) + b"\n")
    (found,) = find_batch_inputs([list_]).found
    assert restored(found.path) == path
