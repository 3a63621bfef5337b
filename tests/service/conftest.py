"""A service in this process, and documents that do to its workers what their names say."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from docai.batch import make_setup
from docai.limits import Limits
from docai.options import Options
from docai.pipelines.batch import worker
from docai.service.app import create_app
from docai.service.terms import Terms, check_roots

MakeClient = Callable[..., AbstractContextManager[TestClient]]

URL = "http://127.0.0.1:8765"

MAX_BYTES = 200_000


@pytest.fixture(scope="session")
def faults() -> Iterator[None]:
    """Put the faults of :mod:`service_faults` into all workers."""
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    module = importlib.import_module("service_faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "open_document", module.fault_at_opening)
        patch.setattr(worker, "read_page", module.fault_at_page)
        yield
    sys.path.remove(folder)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, make_pdf: Callable[..., bytes]) -> Path:
    """A folder whose files may be read, with ``inside.pdf``, and beside it ``outside.pdf``."""
    root = tmp_path_factory.mktemp("service") / "root"
    (root / "deeper").mkdir(parents=True)
    (root / "deeper" / "inside.pdf").write_bytes(make_pdf("Inside"))
    (root.parent / "outside.pdf").write_bytes(make_pdf("Outside"))
    (root / "link.pdf").symlink_to(root.parent / "outside.pdf")
    return root


def open_client(root: Path, *, token: str | None = None, **terms: Any) -> TestClient:
    """A client of a service with one worker, in which nothing is asked but the document itself."""
    options = Options(witnesses="off", readback="off", limits=Limits(max_bytes=MAX_BYTES, max_pages=40))
    setup = make_setup(options, workers=1)
    app = create_app(setup, terms=Terms(**terms), roots=check_roots([root]), token=token)
    return TestClient(app, base_url=URL)


@pytest.fixture(scope="module")
def client(faults: None, root: Path) -> Iterator[TestClient]:
    """One service for the tests of a module; three documents wait at most."""
    with open_client(root, max_waiting=3) as client:
        yield client


def folder_of(client: TestClient) -> Path:
    """The private folder of the service."""
    folder: Path = client.app.state.service.book.folder  # type: ignore[attr-defined]
    return folder


def wait_for(client: TestClient, job: str, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The status of a job as soon as it is as asked."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        status: dict[str, Any] = client.get(job).json()
        if is_there(status):
            return status
        time.sleep(0.05)
    raise AssertionError(f"in two minutes {job} came to {status}")


def has_ended(status: dict[str, Any]) -> bool:
    return status["ended"] is not None
