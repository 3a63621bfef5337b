"""Jobs: the queue, progress, giving up, results that are kept for a while, the viewer on them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from docai.corrections import Corrections
from docai.document import Document
from docai.errors import OutputError

from .conftest import folder_of, has_ended, open_client, wait_for

pytestmark = pytest.mark.slow(seconds=90)

MakePdf = Callable[..., bytes]


def submit(client: TestClient, name: str, data: bytes) -> str:
    answer = client.post("/v1/jobs", files={"file": (name, data)})
    assert answer.status_code == 202, answer.text
    assert answer.json()["links"]["self"] == answer.headers["location"]
    return str(answer.headers["location"])


def events(client: TestClient, job: str) -> list[tuple[str, dict[str, Any]]]:
    text = client.get(f"{job}/events").text
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_progress_comes_as_events_and_the_result_when_it_is_there(
    client: TestClient, make_pdf: MakePdf
) -> None:
    job = submit(client, "slow.pdf", make_pdf("One", "Two", "Three"))
    early = client.get(f"{job}/result")
    assert (early.status_code, early.headers["retry-after"]) == (409, "1")
    told = events(client, job)
    assert [name for name, _ in told] == ["progress"] * (len(told) - 1) + ["end"]
    read = [status["n_read"] for _, status in told]
    assert read == sorted(read)
    assert len(set(read)) >= 3
    assert told[-1][1]["state"] == "done"
    result = client.get(told[-1][1]["links"]["result"])
    assert len(Document.from_json(result.content).pages) == 3
    assert client.get(f"{job}/result?to=md,html").headers["content-type"] == "application/zip"
    assert client.delete(job).status_code == 204
    assert client.get(job).status_code == 404
    assert not list(folder_of(client).glob("uploads/*"))
    assert not list(folder_of(client).glob("pool/results/*"))


def test_a_job_is_given_up_while_it_is_read_and_while_it_waits(client: TestClient, make_pdf: MakePdf) -> None:
    hanging = submit(client, "hang.pdf", make_pdf("One", "Two"))
    wait_for(client, hanging, lambda status: status["n_read"] == 1)
    waiting = submit(client, "a.pdf", make_pdf("One"))
    assert client.get(waiting).json()["state"] == "queued"
    assert client.post(f"{waiting}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{hanging}/cancel").json()["state"] == "cancelled"
    assert client.get(f"{hanging}/result").status_code == 409
    assert events(client, hanging)[-1][1]["state"] == "cancelled"
    after = submit(client, "b.pdf", make_pdf("One"))
    assert wait_for(client, after, has_ended)["state"] == "done"
    # What has ended stays as it is.
    assert client.post(f"{after}/cancel").json()["state"] == "done"


def test_a_full_queue_says_when_to_ask_again(client: TestClient, make_pdf: MakePdf) -> None:
    jobs = [submit(client, "hang.pdf", make_pdf("One", "Two"))]
    wait_for(client, jobs[0], lambda status: status["n_read"] == 1)
    jobs += [submit(client, f"{number}.pdf", make_pdf("One")) for number in range(3)]
    for path in ("/v1/jobs", "/v1/process"):
        answer = client.post(path, files={"file": ("a.pdf", make_pdf("One"))})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert 'docai_refused_total{why="busy"} 2.0' in client.get("/metrics").text
    assert client.get("/v1/health").json()["waiting"] == 3
    client.delete(jobs[0])
    assert [wait_for(client, job, has_ended)["state"] for job in jobs[1:]] == ["done"] * 3


def test_a_failed_job_says_why(client: TestClient) -> None:
    job = submit(client, "a.pdf", b"%PDF-1.7 no more")
    status = wait_for(client, job, has_ended)
    assert (status["state"], status["error"]["code"]) == ("failed", "DamagedSourceError")
    assert "result" not in status["links"]
    assert client.get(f"{job}/result").status_code == 422
    assert client.get(f"{job}/view").status_code == 409
    assert client.get("/v1/jobs/0123").status_code == 404


def test_a_result_is_looked_at_and_corrected_in_the_viewer(client: TestClient, make_pdf: MakePdf) -> None:
    job = submit(client, "a.pdf", make_pdf("Helo world"))
    wait_for(client, job, has_ended)
    (text,) = Document.from_json(client.get(f"{job}/result").content).texts
    page = client.get(f"{job}/view")
    assert "Helo world" in page.text
    assert "default-src 'none'" in page.text
    for name in ("page-1", f"crop-{text.id}"):
        picture = client.get(f"{job}/view/picture/{name}")
        assert picture.headers["content-type"] == "image/webp"
        assert picture.content[8:12] == b"WEBP"
    assert client.get(f"{job}/view/picture/page-9").status_code in (404, 422)
    assert client.get(f"{job}/view/picture/crop-nothing").status_code == 404
    correction = {"record": text.id, "verdict": "corrected", "original": text.text, "content": "Hello world"}
    refused = client.post(f"{job}/view/corrections", json=correction)
    assert refused.status_code == 400
    assert "load the page again" in refused.json()["error"]
    token = page.text.split('name="docai-token" content="')[1].split('"')[0]
    kept = client.post(f"{job}/view/corrections", json=correction, headers={"X-Docai-Token": token})
    assert kept.json()["correction"]["content"] == "Hello world"
    made = Corrections.from_json(client.get(f"{job}/corrections").content)
    assert [one.content for one in made.corrections] == ["Hello world"]
    drawn = client.post(f"{job}/view/draw", json={"record": text.id, "content": "Hello"})
    assert drawn.json() == {"error": "", "drawing": "", "brief": "1 word"}


def test_a_crash_while_a_result_is_drawn_costs_nothing_else(client: TestClient, make_pdf: MakePdf) -> None:
    job = submit(client, "a.pdf", make_pdf("One"))
    wait_for(client, job, has_ended)
    assert client.get(f"{job}/view").status_code == 200
    display = client.app.state.service.book.display  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="could not be made of the result: the process crashed"):
        display.call(importlib.import_module("service_faults").die)
    assert client.get(f"{job}/view/picture/page-1").status_code == 200


def test_what_was_read_in_time_is_the_result(faults: None, root: Path, make_pdf: MakePdf) -> None:
    with open_client(root, max_seconds=1) as client:
        answer = client.post("/v1/process", files={"file": ("slow.pdf", make_pdf(*["x"] * 30))})
        document = Document.from_json(answer.content)
    assert answer.headers["docai-state"] == "partial"
    origins = [page.origin for page in document.pages]
    n_read = origins.count("born-digital")
    assert 1 <= n_read < 30
    assert origins == ["born-digital"] * n_read + ["failed"] * (30 - n_read)
    assert "the 1 seconds of one document were over" in document.issues[0].message


def test_a_document_that_never_ends_is_given_up(faults: None, root: Path, make_pdf: MakePdf) -> None:
    with open_client(root, max_seconds=15) as client:
        files = {"file": ("hang.pdf", make_pdf("One", "Two"))}
        answer = client.post("/v1/process", files=files, data={"max_seconds_per_page": "1"})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "TooMuchTimeError"
        assert "hang.pdf was given up" in answer.json()["error"]["message"]
        assert client.post("/v1/process", files={"file": ("a.pdf", make_pdf("One"))}).status_code == 200


def test_results_are_kept_for_a_while_and_not_too_many(faults: None, root: Path, make_pdf: MakePdf) -> None:
    with open_client(root, keep_seconds=600, max_kept=2) as client:
        jobs = []
        for number in range(3):
            jobs.append(submit(client, f"{number}.pdf", make_pdf("One")))
            wait_for(client, jobs[-1], has_ended)
        wait_for(client, jobs[0], lambda status: "error" in status and "id" not in status)
        assert [client.get(job).status_code for job in jobs] == [404, 200, 200]
        folder = folder_of(client)
        assert len(list(folder.glob("uploads/*"))) == 2
    assert not folder.exists()
