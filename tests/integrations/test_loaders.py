"""The loader for LangChain and the reader for LlamaIndex, run by those libraries."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from docai.document import Document
from docai.errors import MissingDependencyError, NotAResultError, SettingError, SourceNotFoundError
from docai.exports import ExportOptions
from docai.integrations.pieces import Piece, pieces

from ..exports import made
from ..exports.ecosystem import answer_of

_LANGCHAIN = """
import json
from docai.integrations.langchain import DocaiLoader
from langchain_core.document_loaders import BaseLoader
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_core.embeddings import DeterministicFakeEmbedding
loader = DocaiLoader([sys.argv[1]], chunk_size=40)
assert isinstance(loader, BaseLoader)
documents = loader.load()
store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
store.add_documents(documents)
found = store.similarity_search("Second", k=9, filter=lambda one: one.metadata["page"] == 2)
print(json.dumps([[one.id, one.page_content, one.metadata] for one in documents] + [[len(found)]]))
"""

_LLAMA_INDEX = """
import json
from llama_index.core import SimpleDirectoryReader
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import MetadataMode
from docai.integrations.llama_index import DocaiReader
reader = DocaiReader(chunk_size=40)
assert isinstance(reader, BaseReader)
documents = SimpleDirectoryReader(sys.argv[1], file_extractor={".json": reader}).load_data()
print(json.dumps([[one.id_, one.text, one.metadata, one.get_content(MetadataMode.LLM)] for one in documents]))
"""


def _document() -> Document:
    return made.document(
        made.text("Title", role="title"),
        made.text("First paragraph."),
        made.text("Part", role="section-heading", level=1, page=2),
        made.text("Second paragraph.", page=2),
        made.grid([["a", "b"], ["1", "2"]], page=2, id="table-9"),
    )


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    path = folder / "made.json"
    path.write_text(_document().to_json(), "utf-8")
    return path


def _pieces(source: Any, **options: Any) -> list[Piece]:
    return list(pieces(source, pipeline=None, password=None, options=ExportOptions(**options)))


def test_a_piece_says_where_it_is_from_in_plain_values() -> None:
    found = _pieces(_document(), chunk_size=40)
    assert [piece.text for piece in found][:2] == ["Title\n\nFirst paragraph.", "Part\n\nSecond paragraph."]
    last = found[-1]
    assert last.metadata | {"records": "", "boxes": ""} == {
        "source": "made.pdf",
        "sha256": "ab" * 32,
        "page": 2,
        "pages": "2",
        "chunk": 2,
        "headings": "Title > Part",
        "kinds": "table",
        "records": "",
        "boxes": "",
    }
    assert last.metadata["records"] == "table-9"
    assert json.loads(str(last.metadata["boxes"])) == [[2, 10, 20, 110, 70]]
    assert len({piece.id for piece in found}) == len(found)


def test_a_result_is_read_as_the_document_it_is(result: Path) -> None:
    from_file, from_document = _pieces(result), _pieces(_document())
    assert [piece.text for piece in from_file] == [piece.text for piece in from_document]
    assert from_file[0].metadata["source"] == str(result)


def test_bad_sources_and_sizes_say_what_to_do(tmp_path: Path, result: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="check the path"):
        _pieces(tmp_path / "none.pdf")
    with pytest.raises(SettingError, match="give a number from 1"):
        _pieces(result, chunk_size=0)
    newer = result.with_name("newer.json")
    newer.write_text(result.read_text("utf-8").replace('"records"', '"newer": 1, "records"'), "utf-8")
    with pytest.raises(NotAResultError, match="read its source again"):
        _pieces(newer)


def test_langchain_loads_and_stores_the_chunks(result: Path) -> None:
    *documents, found = answer_of(_LANGCHAIN, result, package="langchain-core", with_docai=True)
    expected = [[piece.id, piece.text, piece.metadata] for piece in _pieces(result, chunk_size=40)]
    assert documents == expected
    assert found == [2]


def test_llama_index_reads_a_folder_through_docai(result: Path) -> None:
    documents = answer_of(_LLAMA_INDEX, result.parent, package="llama-index-core", with_docai=True)
    expected = _pieces(result, chunk_size=40)
    assert [one[1] for one in documents] == [piece.text for piece in expected]
    for one, piece in zip(documents, expected, strict=True):
        # The folder's reader adds what it knows of the file.
        assert one[2]["file_name"] == "made.json"
        assert {name: one[2][name] for name in piece.metadata} == piece.metadata
    assert "headings: Title > Part" in documents[-1][3]
    assert "sha256" not in documents[-1][3]


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("langchain", "langchain_core", "langchain"), ("llama_index", "llama_index", "llama-index")],
)
def test_without_the_library_the_module_says_how_to_get_it(
    module: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"docai.integrations.{module}", raising=False)
    for name in [one for one in sys.modules if one.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'docai\[{extra}\]'"):
        importlib.import_module(f"docai.integrations.{module}")
