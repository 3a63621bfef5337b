"""A result in its file, and the document that it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from docai.document import Document
from docai.errors import NotAResultError
from docai.files import sha256_of


def read_result(path: Path) -> Document:
    """A file that ``docai process`` wrote.

    Raises:
        NotAResultError: it cannot be read, or is no result.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise NotAResultError(f"{path} cannot be read ({why}): give JSON that docai wrote.") from None
    try:
        return Document.from_json(data)
    except NotAResultError as error:
        raise NotAResultError(f"{path}: {error}") from None


def find_source(document: Document, result: Path, places: Sequence[Path] = ()) -> Path | None:
    """The file that a result was read from, known by its bytes; None where it is in none of the places.

    It is looked for under its name: in ``places`` (files, or folders with all that is in them), then beside
    the result, in the folder above, and in the working folder.

    Args:
        document: the result.
        result: its file.
        places: that the user named.
    """
    for path in _candidates(document.source.name, result, places):
        try:
            is_same = path.stat().st_size == document.source.n_bytes and (
                sha256_of(path) == document.source.sha256
            )
        except OSError:
            continue
        if is_same:
            return path
    return None


def _candidates(name: str, result: Path, places: Sequence[Path]) -> Iterator[Path]:
    # The name in a result is no path, whatever it looks like.
    name = Path(name).name
    for place in places:
        if place.is_dir():
            yield place / name
            yield from (path for path in place.rglob("*") if path.name == name and path.is_file())
        else:
            yield place
    for folder in (result.parent, result.parent.parent, Path.cwd()):
        yield folder / name
