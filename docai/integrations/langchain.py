"""A document loader for LangChain: ``pip install 'docai[langchain]'``.

>>> from docai.integrations.langchain import DocaiLoader       # doctest: +SKIP
>>> documents = DocaiLoader("report.pdf").load()               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from docai.api import Pipeline
from docai.document import Document
from docai.errors import needs
from docai.exports import ExportOptions
from docai.integrations.pieces import Source, pieces

with needs("docai[langchain]", "The loader for LangChain"):
    from langchain_core.document_loaders import BaseLoader
    from langchain_core.documents import Document as LangChainDocument


class DocaiLoader(BaseLoader):  # type: ignore[misc]
    """Reads PDFs, images, or results of docai, into documents of LangChain: one for each chunk.

    Args:
        source: a path, a :class:`docai.Document`, or several of them; JSON that docai wrote is not read
            again.
        pipeline: reads; None: one with the default settings, made when it is needed.
        password: opens encrypted PDFs.
        chunk_size, tokenizer: how large a chunk may be, see :class:`docai.exports.ExportOptions`.

    The metadata are those of :class:`docai.integrations.pieces.Piece`.
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        pipeline: Pipeline | None = None,
        password: str | None = None,
        chunk_size: int = 1000,
        tokenizer: str | Path | Callable[[str], Sequence[object]] | None = None,
    ) -> None:
        self._sources = [source] if isinstance(source, (str, Path, Document)) else list(source)
        self._pipeline = pipeline
        self._password = password
        self._options = ExportOptions(chunk_size=chunk_size, tokenizer=tokenizer)

    def lazy_load(self) -> Iterator[LangChainDocument]:
        """The documents one after the other; a source is read when its first one is asked for.

        Raises:
            InputError, NotAResultError, SettingError: see :func:`docai.integrations.pieces.pieces`.
        """
        for source in self._sources:
            if self._pipeline is None and not isinstance(source, Document):
                # One for all: it keeps its model.
                self._pipeline = Pipeline()
            found = pieces(source, pipeline=self._pipeline, password=self._password, options=self._options)
            for piece in found:
                yield LangChainDocument(id=piece.id, page_content=piece.text, metadata=dict(piece.metadata))
