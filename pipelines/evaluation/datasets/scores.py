"""Music: GrandStaff's tree of systems, and scanned pages with a kern file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    files_below,
    is_picture,
    nothing_found,
    read_text,
    require_folder,
)

_EXPECTED = "NAME.bekrn or NAME.krn files with NAME.jpg, as GrandStaff has them"
_EXPECTED_PAGES = "NAME.krn files with NAME.pdf"
_DISTORTED = "_distorted"
_ENCODED = re.compile(r"\*\*b?ekern(?:_[\d.]+)?")
_SPINE = re.compile(r"^(?:\*\*\S+\t)*\*\*kern\b", re.MULTILINE)
_SEPARATORS = str.maketrans("", "", "·@")


def read_grandstaff(path: Path) -> Iterator[Sample | Skipped]:
    """GrandStaff: a tree of ``NAME.bekrn`` and ``NAME.krn`` with ``NAME.jpg``, one system each.

    The truth is the ``.bekrn`` with its separators ``·`` and ``@`` taken out, where there is one, as the
    published figures are of that text; else the ``.krn``. Ids are paths below ``path`` without suffix.
    Source: https://sites.google.com/view/multiscore-project/datasets, arXiv 2402.07596. ``docai synth
    score`` writes this layout, without ``.bekrn``.

    Raises:
        DatasetError: no such files.
    """
    return _find_systems(path, "")


def read_grandstaff_distorted(path: Path) -> Iterator[Sample | Skipped]:
    """As :func:`read_grandstaff`, with the pictures ``NAME_distorted.jpg``.

    Raises:
        DatasetError: no such files.
    """
    return _find_systems(path, _DISTORTED)


def _find_systems(path: Path, ending: str) -> Iterator[Sample | Skipped]:
    require_folder(path, f"a folder with {_EXPECTED}")
    truths: dict[Path, dict[str, Path]] = {}
    pictures: dict[Path, Path] = {}
    for file in files_below(path):
        if file.suffix.lower() in (".krn", ".bekrn"):
            truths.setdefault(file.with_suffix(""), {})[file.suffix.lower()] = file
        elif is_picture(file) and file.stem.endswith(_DISTORTED) == bool(ending):
            pictures[file.with_name(file.stem.removesuffix(ending))] = file
    if not truths:
        raise nothing_found(path, _EXPECTED)
    if ending and not pictures:
        raise nothing_found(path, f"NAME{ending}.jpg files")
    return _systems(path, truths, pictures)


def _systems(
    root: Path, truths: dict[Path, dict[str, Path]], pictures: dict[Path, Path]
) -> Iterator[Sample | Skipped]:
    for stem, files in truths.items():
        case = stem.relative_to(root).as_posix()
        source = pictures.get(stem)
        if source is None and pictures:
            yield Skipped(case, Sources.MISSING)
            continue
        try:
            kern = read_kern(files.get(".bekrn") or files[".krn"])
            yield Sample(id=case, truth=(Item(kind="score", text=kern),), source=source)
        except MalformedError as error:
            yield Skipped(case, str(error))


def read_kern(file: Path) -> str:
    """The ``**kern`` text of a file, its encoding (ekern, bekern) undone, without a line end at its end.

    Raises:
        MalformedError: it cannot be read or has no ``**kern`` spine.
    """
    try:
        text = read_text(file)
    except OSError as error:
        raise MalformedError("Its truth cannot be read.") from error
    text, n_encoded = _ENCODED.subn("**kern", text)
    if n_encoded or file.suffix.lower() == ".bekrn":
        text = text.translate(_SEPARATORS)
    if not _SPINE.search(text):
        raise MalformedError("Its truth has no **kern spine.")
    return text.strip("\n")


def read_kern_pages(path: Path) -> Iterator[Sample | Skipped]:
    """Scanned pages with kern: ``NAME.pdf`` (or a picture) beside ``NAME.krn``, whole documents.

    The truth is one item, the whole score: its ``**kern`` spines, as a reader of the page has no other, and
    without comments. Where systems and pages break is a comment (``!!LO:LB:g=original``), and nothing says
    where on the page they lie, so the item has no box. Source:
    https://github.com/craigsapp/mozart-piano-sonatas.

    Raises:
        DatasetError: no such files.
    """
    require_folder(path, f"a folder with {_EXPECTED_PAGES}")
    truths: list[Path] = []
    pages: dict[Path, list[Path]] = {}
    for file in files_below(path):
        if file.suffix.lower() == ".krn":
            truths.append(file)
        elif file.suffix.lower() == ".pdf" or is_picture(file):
            pages.setdefault(file.with_suffix(""), []).append(file)
    if not truths:
        raise nothing_found(path, _EXPECTED_PAGES)
    return _pages(path, truths, pages)


def _pages(root: Path, truths: list[Path], pages: dict[Path, list[Path]]) -> Iterator[Sample | Skipped]:
    for file in truths:
        stem = file.with_suffix("")
        case = stem.relative_to(root).as_posix()
        candidates = pages.pop(stem, [])
        if len(candidates) != 1:
            yield Skipped(case, "Several pages have its name." if candidates else Sources.MISSING)
            continue
        try:
            item = Item(kind="score", text=kern_spines(read_kern(file)))
            yield Sample(id=case, truth=(item,), unit="page", source=candidates[0])
        except MalformedError as error:
            yield Skipped(case, str(error))
    for stem in pages:
        yield Skipped(stem.relative_to(root).as_posix(), "The page has no .krn beside it.")


def kern_spines(text: str) -> str:
    """The ``**kern`` spines of a Humdrum text, without comments and lines that say nothing in them.

    Raises:
        MalformedError: a line does not fit the spines.
    """
    kinds: list[str] = []
    printed: list[str] = []
    for line in text.split("\n"):
        if not line or line.startswith("!"):
            continue
        fields = line.split("\t")
        if not kinds:
            kinds = fields
        if len(fields) != len(kinds):
            raise MalformedError("A line of its truth does not fit the spines.")
        shown = [field for field, kind in zip(fields, kinds, strict=True) if kind == "**kern"]
        if shown and not all(field in ("*", ".") for field in shown):
            printed.append("\t".join(shown))
        if line.startswith("*"):
            kinds = _after(fields, kinds)
    return "\n".join(printed)


def _after(fields: list[str], kinds: list[str]) -> list[str]:
    """The kinds of the spines below a line of interpretations."""
    if "*x" in fields or any(field.startswith("**") for field in fields):
        return _exchanged(fields, kinds)
    after: list[str] = []
    joined = False
    for field, kind in zip(fields, kinds, strict=True):
        if field == "*v":
            # A run of joins of one kind is one spine below; spines of another kind begin their own.
            if not joined or after[-1] != kind:
                after.append(kind)
        elif field == "*^":
            after += [kind, kind]
        elif field == "*+":
            after += [kind, ""]
        elif field != "*-":
            after.append(kind)
        joined = field == "*v"
    return after


def _exchanged(fields: list[str], kinds: list[str]) -> list[str]:
    after = list(kinds)
    crossing = [index for index, field in enumerate(fields) if field == "*x"]
    if len(crossing) == 2:
        first, second = crossing
        after[first], after[second] = kinds[second], kinds[first]
    for index, field in enumerate(fields):
        if field.startswith("**"):
            after[index] = field
    return after


FORMATS = (
    Format(
        name="grandstaff",
        read=read_grandstaff,
        unit="crop",
        kinds=("score",),
        tasks=("score",),
        summary="GrandStaff: a tree of .bekrn or .krn with .jpg",
        protocol="grandstaff",
    ),
    Format(
        name="grandstaff-distorted",
        read=read_grandstaff_distorted,
        unit="crop",
        kinds=("score",),
        tasks=("score",),
        summary="GrandStaff with its distorted pictures: a tree of .bekrn or .krn with _distorted.jpg",
        protocol="grandstaff",
    ),
    Format(
        name="kern-pages",
        read=read_kern_pages,
        unit="page",
        kinds=("score",),
        tasks=("score",),
        summary="whole scores: NAME.pdf with NAME.krn",
    ),
)
