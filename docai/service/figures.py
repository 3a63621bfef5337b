"""The metrics of a service, for Prometheus. No name of a document is among them."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from docai.pipelines.batch.document import Outcome
from docai.service.job import Job
from docai.service.jobs import JobBook

SECONDS: Final = (0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)
"""Bounds of the histogram."""


class Figures:
    """Counts what happens; each service has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._documents = self._counter("docai_documents", "Documents that have ended.", "state")
        self._errors = self._counter("docai_errors", "Documents that failed, by type of error.", "code")
        self._refused = self._counter("docai_refused", "Requests that were refused, by why.", "why")
        self._pages = self._counter("docai_pages", "Pages of results.")
        self._records = self._counter("docai_records", "Records of results.")
        self._seconds = Histogram(
            "docai_document_seconds", "From the opening of a document to its result.", buckets=SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._waiting = Gauge("docai_waiting", "Documents that wait or arrive.", registry=self._registry)
        self._running = Gauge("docai_running", "Documents that are read.", registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self._registry)

    def watch(self, book: JobBook) -> None:
        """Take the lengths of the queue from a book, whenever they are asked for."""
        self._waiting.set_function(lambda: book.n_waiting)
        self._running.set_function(lambda: book.n_running)

    def ended(self, job: Job, outcome: Outcome | None) -> None:
        """Count a job that has ended."""
        self._documents.labels(job.state).inc()
        if job.error is not None:
            self._errors.labels(type(job.error).__name__).inc()
        if outcome is not None and outcome.finished is not None:
            self._pages.inc(outcome.finished.n_pages)
            self._records.inc(outcome.finished.n_records)
        if job.started is not None and job.ended is not None:
            self._seconds.observe(job.ended - job.started)

    def refused(self, why: str) -> None:
        """Count a request that was refused."""
        self._refused.labels(why).inc()

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)
