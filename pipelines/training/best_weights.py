"""The weights of a run that read the held-out pairs best, stored beside its training states.

DIR/state/best/adapter_model.safetensors     or model*.safetensors of a full fine-tune
DIR/state/best/best.json                     step, metric, value, exact
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from peft import PeftModel, get_peft_model_state_dict

from docai.errors import SettingError
from docai.models.adapters import read_weights
from docai.models.loading import no_progress_bars
from docai.pipelines.training import run_folder
from docai.pipelines.training.run_folder import explaining_write_errors

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration, PreTrainedModel

_BEST_FILE = "best.json"


@dataclass(frozen=True)
class Measured:
    """How well the weights after some step read the held-out pairs."""

    step: int
    metric: str
    value: float
    exact: float
    """Share of answers equal to the target, character by character."""
    n: int = 0
    """Number of pairs."""
    low: float | None = None
    """Lower end of the 95 % confidence interval of ``value``; None where too few pairs were read."""
    high: float | None = None
    """Upper end of that interval."""


@dataclass(frozen=True)
class BestWeights:
    """The best weights of the run in ``folder``."""

    folder: Path
    dtype: torch.dtype
    """Of the weights of a full fine-tune on disk; adapters keep theirs."""

    @property
    def path(self) -> Path:
        return self.folder / run_folder.BEST_FOLDER

    def measured(self) -> Measured | None:
        """How well they read; None where none are stored yet.

        Raises:
            SettingError: ``best.json`` is damaged.
        """
        try:
            return Measured(**json.loads((self.path / _BEST_FILE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SettingError(
                f"The file {self.path / _BEST_FILE} is damaged; remove the folder {self.path}."
            ) from error

    def keep(self, model: PeftModel | PaliGemmaForConditionalGeneration, measured: Measured | None) -> None:
        """Replace the stored weights by those of ``model``, completely or not at all.

        Raises:
            SettingError: it cannot be written.
        """
        partial = self.path.with_name(self.path.name + ".partial")
        with explaining_write_errors(partial, self.folder):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._save(model, partial)
            if measured is not None:
                run_folder.write_json(partial / _BEST_FILE, asdict(measured))
            if self.path.exists():
                shutil.rmtree(self.path)
            partial.replace(self.path)

    def _save(self, model: PeftModel | PaliGemmaForConditionalGeneration, partial: Path) -> None:
        if isinstance(model, PeftModel):
            from safetensors.torch import save_file

            tensors = {name: tensor.cpu().contiguous() for name, tensor in adapter_weights(model).items()}
            save_file(tensors, partial / "adapter_model.safetensors", metadata={"format": "pt"})
            return
        whole = cast("PreTrainedModel", model)
        state = {
            name: tensor.to(self.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in whole.state_dict().items()
        }
        with no_progress_bars():
            whole.save_pretrained(str(partial), state_dict=state)

    def adapter(self) -> dict[str, torch.Tensor]:
        """The tensors of the stored adapter."""
        return read_weights(self.path)


def adapter_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    """The tensors of the adapter ``default``, by PEFT's names."""
    weights: dict[str, torch.Tensor] = get_peft_model_state_dict(
        model, adapter_name="default", save_embedding_layers=False
    )
    return weights
