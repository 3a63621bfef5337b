"""The documents in a folder: what ``docai process`` and a batch read where they are given one."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from docai.base import counted
from docai.errors import InputError
from docai.files import DOCUMENT_SUFFIXES
from docai.pipelines.batch.folder import is_run_folder
from docai.pipelines.overlay import is_own_picture


@dataclass
class Listing:
    """What a folder holds."""

    folder: Path
    documents: list[Path] = field(default_factory=list)
    """By name."""
    n_deeper: int = 0
    """Documents in its subfolders, where these are not read."""
    others: Counter[str] = field(default_factory=Counter)
    """Extension → files that are no documents; JSON is no news, as results of docai are."""
    n_links: int = 0
    """Links to folders, which are not followed: they may lead back."""
    unreadable: list[str] = field(default_factory=list)
    """Subfolders that cannot be listed, in words."""

    @property
    def deeper(self) -> str:
        """What is left out of its subfolders, in words; empty where nothing is."""
        if not self.n_deeper:
            return ""
        return f"{counted(self.n_deeper, 'document')} in its subfolders: --recursive reads them, too"

    @property
    def notes(self) -> list[str]:
        """What was left out, in sentences."""
        left_out = []
        if self.others:
            left_out.append(other_files(self.others))
        if self.n_links:
            left_out.append(f"{counted(self.n_links, 'link')} to folders")
        left_out += [self.deeper] if self.deeper else []
        if not left_out:
            return list(self.unreadable)
        documents = counted(len(self.documents), "document")
        return [*self.unreadable, f"{self.folder}: {documents}; left out: {', '.join(left_out)}."]


def other_files(others: Counter[str]) -> str:
    """Files that are no documents, in words; by extension."""
    return f"{counted(others.total(), 'other file')} ({', '.join(sorted(others))})"


def list_documents(folder: Path, *, recursive: bool = True) -> Listing:
    """The documents of a folder, told by :data:`~docai.files.DOCUMENT_SUFFIXES`.

    Left out are hidden files and folders, folders of runs, links to folders, and pictures that docai drew.

    Raises:
        InputError: the folder itself cannot be listed.
    """
    listing = Listing(folder)

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InputError(
                f"The folder {folder} cannot be listed ({error.strerror}): check its permissions.",
                source=str(folder),
            )
        listing.unreadable.append(
            f"The folder {error.filename} cannot be listed ({error.strerror}); it was left out."
        )

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        listing.n_links += sum(Path(root, name).is_symlink() for name in folders)
        folders[:] = sorted(name for name in folders if not is_run_folder(Path(root, name)))
        for path in (Path(root, name) for name in names if not name.startswith(".")):
            suffix = path.suffix.lower()
            is_document = suffix in DOCUMENT_SUFFIXES and not is_own_picture(path)
            if path.parent != folder and not recursive:
                listing.n_deeper += is_document
            elif is_document:
                listing.documents.append(path)
            elif suffix not in (".json", *DOCUMENT_SUFFIXES):
                listing.others[suffix or "no extension"] += 1
    listing.documents.sort()
    return listing
