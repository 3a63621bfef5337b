"""What an evaluation leaves behind: ``report.json``, a page for people, and the comparison of two reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docai.pipelines.evaluation.report.comparison import compare_reports
from docai.pipelines.evaluation.report.model import REPORT_NAME, Comparison, Report, read_report

if TYPE_CHECKING:
    from docai.pipelines.evaluation.scoring import Evaluation

__all__ = ["Comparison", "Report", "compare_reports", "read_report", "write_report"]


def write_report(folder: Path, evaluation: Evaluation) -> Report:
    """Write ``report.json`` and ``report.html``, both whole or not at all, into ``folder``.

    The page stands alone: it loads nothing, and its pictures are in it, each of at most 1,000 pixels and
    90 kB, all together of at most 11 MB. A picture that cannot be made is a sentence instead. The page
    stays below 15 MB: where the worst cases do not fit, fewer are shown.

    Raises:
        MissingDependencyError: a package of the ``eval`` extra is not installed. ``report.json`` may have
            been written.
    """
    from docai.pipelines.evaluation.report.page import render_report, write_text
    from docai.pipelines.evaluation.report.summary import summarize
    from docai.pipelines.evaluation.tasks import get_task

    tasks = {name: get_task(name) for name in evaluation.dataset.tasks}
    report = summarize(evaluation, tasks)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / REPORT_NAME, report.to_json())
    write_text(folder / "report.html", render_report(report, evaluation))
    return report
