from __future__ import annotations

import pytest

from docai.document import Document, SourceInfo
from docai.errors import SettingError
from docai.exports import export, format_for

DOCUMENT = Document(source=SourceInfo(name="ü.pdf", type="pdf", n_bytes=1, sha256="0", n_pages=1))


def test_json_is_utf8_and_comes_back() -> None:
    data = export(DOCUMENT, "somewhere/out.JSON")
    assert "ü.pdf" in data.decode("utf-8")
    assert Document.from_json(data) == DOCUMENT


@pytest.mark.parametrize("path", ["out.doc", "out", ".json"])
def test_unknown_format_says_what_there_is(path: str) -> None:
    with pytest.raises(SettingError, match=r"extensions are: \.json"):
        format_for(path)
