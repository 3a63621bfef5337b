"""A reader for LlamaIndex: ``pip install 'docai[llama-index]'``.

>>> from llama_index.core import SimpleDirectoryReader         # doctest: +SKIP
>>> from docai.integrations.llama_index import DocaiReader     # doctest: +SKIP
>>> reader = SimpleDirectoryReader("papers", file_extractor={".pdf": DocaiReader()})  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docai.api import Pipeline
from docai.document import Document
from docai.errors import needs
from docai.exports import ExportOptions
from docai.integrations.pieces import NOT_FOR_MODELS, Source, pieces

with needs("docai[llama-index]", "The reader for LlamaIndex"):
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import Document as LlamaDocument


class DocaiReader(BaseReader):  # type: ignore[misc]
    """Reads PDFs, images, or results of docai, into documents of LlamaIndex: one for each chunk.

    Args:
        pipeline: reads; None: one with the default settings, made when it is needed.
        password: opens encrypted PDFs.
        chunk_size, tokenizer: how large a chunk may be, see :class:`docai.exports.ExportOptions`.

    The metadata are those of :class:`docai.integrations.pieces.Piece`; language models and embeddings are
    given the source, the page and the headings of them.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline | None = None,
        password: str | None = None,
        chunk_size: int = 1000,
        tokenizer: str | Path | Callable[[str], Sequence[object]] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._password = password
        self._options = ExportOptions(chunk_size=chunk_size, tokenizer=tokenizer)

    def lazy_load_data(
        self, file: Source | Sequence[Source], extra_info: Mapping[str, Any] | None = None
    ) -> Iterator[LlamaDocument]:
        """The documents one after the other; a source is read when its first one is asked for.

        Args:
            file: a path, a :class:`docai.Document`, or several of them; JSON that docai wrote is not read
                again.
            extra_info: more metadata for each.

        Raises:
            InputError, NotAResultError, SettingError: see :func:`docai.integrations.pieces.pieces`.
        """
        for source in [file] if isinstance(file, (str, Path, Document)) else file:
            if self._pipeline is None and not isinstance(source, Document):
                # One for all: it keeps its model.
                self._pipeline = Pipeline()
            found = pieces(source, pipeline=self._pipeline, password=self._password, options=self._options)
            for piece in found:
                yield LlamaDocument(
                    id_=piece.id,
                    text=piece.text,
                    metadata={**(extra_info or {}), **piece.metadata},
                    excluded_embed_metadata_keys=list(NOT_FOR_MODELS),
                    excluded_llm_metadata_keys=list(NOT_FOR_MODELS),
                )
