"""How one head is fine-tuned."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from docai.errors import SettingError
from docai.models.heads import Head
from docai.pipelines.training.checks import MAX_REJECTED
from docai.pipelines.training.presets import Recipe, complete


@dataclass(frozen=True)
class AdapterSettings:
    """How one head is trained. What is None comes from :mod:`docai.pipelines.training.presets`."""

    steps: int | None = None
    """Steps of the optimiser in all, over every resumed part."""
    batch: int = 4
    """Pairs that go through the model at once."""
    accumulate: int | None = None
    """Batches per step; None makes 256 pairs a step, as in the paper."""
    learning_rate: float | None = None
    label_smoothing: float | None = None
    warmup_share: float = 0.05
    """Of the steps, in which the rate rises from 0; from big_vision, see the presets."""
    full: bool = False
    """Train all weights rather than a LoRA adapter."""
    rank: int = 16
    """Of the LoRA matrices; their scale, alpha, is twice that."""
    four_bit: bool = False
    """Hold the frozen base in 4 bits (nf4, by bitsandbytes, on a GPU): about half of its memory."""
    checkpointing: bool | None = None
    """Compute activations twice rather than keep them; None does so beside a GPU."""
    seed: int = 0
    """Of the adapter's start, the order of the pairs, and what is drawn."""
    device: str = "auto"
    max_tokens: int | None = None
    """Longest target, in tokens; None is the head's own limit."""
    difficulty: float = 1.0
    """Of drawn pairs, 0…1."""
    max_rejected: float = MAX_REJECTED
    """Share of the data, 0…1, that may be unusable before the run stops."""
    held_out: int = 100
    """Most pairs that are not trained on but measured by, 2 % of the data at most; 0 measures nothing."""
    measure_steps: int | None = None
    """Steps between two measurements; None measures ten times in all."""
    workers: int | None = None
    """Processes that prepare pairs; None is one per core, 8 at most, beside a GPU and none beside a CPU."""
    save_minutes: float = 10.0
    """Between two states that a run can go on from."""
    report_steps: int = 10

    def recipe(self, head: Head, processes: int = 1) -> Recipe:
        """What is trained with by that many processes, nothing left open.

        Raises:
            SettingError: a setting cannot be used.
        """
        recipe = complete(
            head,
            full=self.full,
            batch=self.batch,
            steps=self.steps,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate,
            label_smoothing=self.label_smoothing,
            processes=processes,
        )
        numbers = asdict(recipe)
        for name in ("steps", "batch", "accumulate", "learning_rate"):
            _require(numbers[name] > 0, name, numbers[name], "above 0")
        _require(self.rank > 0, "rank", self.rank, "above 0")
        _require(0 <= recipe.label_smoothing < 1, "label_smoothing", recipe.label_smoothing, "0 to below 1")
        _require(0 <= self.max_rejected <= 1, "max_rejected", self.max_rejected, "0 to 1")
        _require(self.held_out >= 0, "held_out", self.held_out, "0 or more")
        _require(self.measure_steps is None or self.measure_steps > 0, "measure_steps", 0, "above 0")
        if self.full and self.four_bit:
            raise SettingError("A base in 4 bits cannot be trained in full; leave out one of the two.")
        return recipe


def _require(holds: bool, name: str, value: float, allowed: str) -> None:
    if not holds:
        raise SettingError(f"The setting {name} is {value:g}; it has to be {allowed}.")
