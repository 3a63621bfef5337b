"""What ``report.json`` and ``comparison.json`` hold.

All figures are as measured: shares are 0…1 and error rates are fractions, never times 100. ``percent`` says
how a figure is printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationError

from docai.base import Data
from docai.errors import PredictionsError
from docai.records import Kind

FORMAT_VERSION: Final = 1
REPORT_NAME = "report.json"

Share = Annotated[float, Field(ge=0, le=1)]


class IntervalOf(Data):
    """Where a figure lies with probability ``level``, by bootstrap over the cases."""

    low: FiniteFloat
    high: FiniteFloat
    level: Share = 0.95


class MeasureSummary(Data):
    """One figure over all cases."""

    name: str
    label: str
    protocol: str = Field(description="Whose definition it is.")
    percent: bool = False
    higher_is_better: bool = True
    value: FiniteFloat | None = Field(description="None: not defined on any case.")
    interval: IntervalOf | None = Field(default=None, description="None: fewer than two cases.")
    n: int = Field(ge=0, description="Cases the figure is defined on.")
    n_undefined: int = Field(ge=0, description="Cases that count in neither sum.")


class ClassPrecision(Data):
    """Average precision of one kind of region at one overlap."""

    kind: Kind
    iou: Share
    value: Share | None = Field(description="None: the truth has no region of the kind.")
    n_truth: int = Field(ge=0)
    n_found: int = Field(ge=0)


class ReliabilityBin(Data):
    """Answers whose confidence lies between ``low`` and ``high``."""

    low: Share
    high: Share
    n: int = Field(ge=1)
    confidence: Share = Field(description="Mean of what the reader said.")
    accuracy: Share = Field(description="Share of its answers that were right.")


class Calibration(Data):
    """How far confidence is from the share of right answers."""

    error: Share = Field(description="Expected calibration error over the bins.")
    n: int = Field(ge=1)
    bins: list[ReliabilityBin]
    unit: str = Field(default="record", description="What was believed: a record, cell, word, atom, …")


class TaskSummary(Data):
    """All that one task says about the run."""

    name: str
    headline: str
    measures: list[MeasureSummary]
    average_precision: list[ClassPrecision] = Field(default_factory=list)
    calibration: Calibration | None = None
    part_calibrations: list[Calibration] = Field(default_factory=list, description="Of other units.")
    notes: dict[str, int] = Field(
        default_factory=dict, description="What was counted in an unusual way, and on how many cases."
    )

    @property
    def calibrations(self) -> list[Calibration]:
        """Of all units, the task's own first."""
        return [*([self.calibration] if self.calibration else []), *self.part_calibrations]

    @property
    def main(self) -> MeasureSummary:
        """The measure by which the worst cases are chosen."""
        return next(measure for measure in self.measures if measure.name == self.headline)


class Spread(Data):
    """A cost over the ``n`` samples it is known for."""

    n: int = Field(ge=1)
    median: FiniteFloat
    mean: FiniteFloat
    p95: FiniteFloat


class CostSummary(Data):
    """What reading one sample took."""

    seconds: Spread | None = None
    tokens: Spread | None = None
    peak_bytes: Spread | None = None


class DataSummary(Data):
    """What was measured on."""

    format: str
    path: str
    unit: Literal["crop", "page"]
    kinds: list[Kind] = Field(default_factory=list)
    tasks: list[str]
    protocol: str | None = None


class Counts(Data):
    """``predicted + failed + missing == samples``."""

    samples: int = Field(ge=0)
    predicted: int = Field(ge=0)
    failed: int = Field(ge=0, description="The reader gave an error instead of an answer.")
    missing: int = Field(ge=0, description="The reader said nothing at all.")
    skipped: int = Field(ge=0, description="Cases of the data that are no samples.")
    unknown_predictions: int = Field(ge=0, description="Predictions whose id no sample has.")


class Failure(Data):
    """A sample for which the reader gave an error."""

    id: str
    error: str


class Machine(Data):
    """Where the scoring ran: for a file of predictions not where they were made."""

    cpu: str
    n_cores: int = Field(ge=1)
    gpus: list[str] = Field(default_factory=list)
    system: str = ""


class CaseValues(Data):
    """One sample's share of every figure, so that two reports can be compared without the data."""

    id: str
    truth: str = Field(description="Fingerprint of the truth: equal where the truth is.")
    values: dict[str, dict[str, tuple[FiniteFloat, FiniteFloat]]] = Field(
        description="Task, then measure, to numerator and denominator; denominator 0: not defined."
    )


class Report(Data):
    """One reader on one data set."""

    format_version: Literal[1] = FORMAT_VERSION
    date: AwareDatetime
    reader: str
    data: DataSummary
    counts: Counts
    tasks: list[TaskSummary]
    costs: CostSummary
    seconds: float = Field(ge=0, description="Of the whole run.")
    skipped: dict[str, int] = Field(default_factory=dict, description="Reason, and how many cases it hit.")
    failures: list[Failure] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list, description="Ids of samples without a prediction.")
    settings: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str | None] = Field(
        default_factory=dict, description="Package, and its version; None: not installed."
    )
    machine: Machine
    commit: str | None = Field(default=None, description="Of docai's own checkout, where it runs in one.")
    cases: list[CaseValues] = Field(default_factory=list)

    def to_json(self) -> str:
        """The report as people and programs can read it: one line for each case."""
        head = self.model_dump_json(indent=2, exclude={"cases"})
        lines = ",\n".join(f"    {case.model_dump_json()}" for case in self.cases)
        return f'{head[:-2]},\n  "cases": [\n{lines}\n  ]\n}}\n'


class MeasureChange(Data):
    """One figure of two readers on the cases they share."""

    task: str
    name: str
    label: str
    protocol: str
    percent: bool = False
    higher_is_better: bool = True
    old: FiniteFloat | None
    new: FiniteFloat | None
    difference: FiniteFloat | None = Field(description="``new - old``.")
    interval: IntervalOf | None = Field(default=None, description="Of the difference.")
    p_value: Share | None = Field(default=None, description="Two-sided, by swapping results within cases.")
    better: int = Field(ge=0)
    worse: int = Field(ge=0)
    unchanged: int = Field(ge=0)
    undefined: int = Field(ge=0)


class CaseChange(Data):
    """One case, by the headline of the main task."""

    id: str
    old: FiniteFloat
    new: FiniteFloat


class Difference(Data):
    """Something besides the figures in which two runs differ."""

    what: str
    old: str
    new: str


class Side(Data):
    """One of the two reports."""

    path: str
    reader: str
    date: AwareDatetime
    n_only_here: int = Field(ge=0, description="Cases that the other report has not.")


class Comparison(Data):
    """Two readers on the same data."""

    format_version: Literal[1] = FORMAT_VERSION
    data: str = Field(description="Format of the data set.")
    old: Side
    new: Side
    n: int = Field(ge=1, description="Cases compared.")
    n_truth_changed: int = Field(ge=0, description="Cases left out because their truth differs.")
    measures: list[MeasureChange]
    not_compared: list[str] = Field(default_factory=list, description="Measures left out, and why.")
    headline: tuple[str, str] = Field(description="Task and measure that the cases are listed by.")
    most_changed: list[CaseChange] = Field(default_factory=list)
    n_changed: int = Field(ge=0, description="Cases whose headline changed at all.")
    differences: list[Difference] = Field(default_factory=list)

    @property
    def main(self) -> MeasureChange:
        return next(change for change in self.measures if (change.task, change.name) == self.headline)


def read_report(path: Path | str) -> Report:
    """The report in a folder, or in the ``report.json`` itself.

    Raises:
        PredictionsError: there is none, it is damaged, or of another version of the format.
    """
    file = Path(path)
    if file.is_dir():
        file = file / REPORT_NAME
    try:
        text = file.read_bytes()
    except OSError as error:
        raise PredictionsError(
            f"There is no report at {file} ({error.strerror}): give the folder that docai evaluate -o wrote."
        ) from None
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if where == "format_version":
            raise PredictionsError(
                f"{file} is a report of format version {first['input']!r}, and this docai reads version "
                f"{FORMAT_VERSION}: evaluate again, or use the docai that wrote it."
            ) from None
        raise PredictionsError(
            f"{file} is no report, or damaged ({where or 'JSON'}: {first['msg']}): evaluate again."
        ) from None
