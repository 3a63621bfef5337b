"""The tasks by name. Each is imported when it is asked for: their packages differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docai.errors import SettingError
from docai.pipelines.evaluation.base import Task

TASK_NAMES = ("table", "molecule", "score", "text-hiertext", "text-rrc", "words", "regions")


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        SettingError: there is none.
        MissingDependencyError: a package that it measures with is not installed.
    """
    match name:
        case "table":
            from docai.pipelines.evaluation.metrics.tables import TABLE

            return TABLE
        case "molecule":
            from docai.pipelines.evaluation.metrics.molecules import MOLECULE

            return MOLECULE
        case "score":
            from docai.pipelines.evaluation.metrics.scores import SCORE

            return SCORE
        case "text-hiertext":
            from docai.pipelines.evaluation.metrics.spotting_tasks import TEXT_HIERTEXT

            return TEXT_HIERTEXT
        case "text-rrc":
            from docai.pipelines.evaluation.metrics.spotting_tasks import TEXT_RRC

            return TEXT_RRC
        case "words":
            from docai.pipelines.evaluation.metrics.running_text import WORDS

            return WORDS
        case "regions":
            from docai.pipelines.evaluation.metrics.regions import REGIONS

            return REGIONS
    raise SettingError(f"There is no task {name!r}; the tasks are: {', '.join(TASK_NAMES)}.")


class _Tasks(Mapping[str, Task]):
    def __getitem__(self, name: str) -> Task:
        if name not in TASK_NAMES:
            raise KeyError(name)
        return get_task(name)

    def __iter__(self) -> Iterator[str]:
        return iter(TASK_NAMES)

    def __len__(self) -> int:
        return len(TASK_NAMES)


TASKS: Mapping[str, Task] = _Tasks()
"""All tasks; looking one up imports it."""
