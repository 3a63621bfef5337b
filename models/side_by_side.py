"""LoRA adapters of several heads in one batch: all of them side by side in each layer, and one mask a row.

PEFT switches one adapter on for a whole batch, or multiplies each row's apart, which takes several times the
operators. Here the A matrices of all adapters are stacked, the B matrices too, times their scale, and a
row's ranks of other adapters are multiplied by 0. The result is that of the row's adapter alone; any number
of adapters costs what one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class AdapterRows:
    """Which adapter each row of the next forward pass has. Shared by all layers of a model.

    Args:
        names: of the adapters; a row has one of them or none.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._indices: dict[str | None, int] = {name: index for index, name in enumerate(names)}
        self._indices[None] = -1
        self._owners: dict[tuple[int, ...], torch.Tensor] = {}
        self._masks: dict[tuple[int, ...], torch.Tensor] = {}

    def index(self, name: str | None) -> int:
        """The number of an adapter; -1 is none. Raises :class:`KeyError` for one that there is not."""
        return self._indices[name]

    def register(self, owners: tuple[int, ...]) -> None:
        """Have masks for layers whose ranks belong to these adapters."""
        self._owners[owners] = torch.tensor(owners)

    def select(self, rows: torch.Tensor) -> None:
        """Say which adapter each row has. One row stands for all.

        Args:
            rows: (rows), int64, by :meth:`index`, on the device of the model.
        """
        for key, owner in self._owners.items():
            if owner.device != rows.device:
                owner = self._owners[key] = owner.to(rows.device)
            self._masks[key] = rows[:, None] == owner

    def mask(self, owners: tuple[int, ...]) -> torch.Tensor | None:
        """(rows, ranks), boolean; None before the first :meth:`select`: no row has an adapter."""
        return self._masks.get(owners)


class SideBySideLinear(nn.Module):
    """A linear layer and what the adapters add to it.

    Args:
        base: the layer.
        weights: by the number of the adapter, A (rank, inputs), B (outputs, rank), and the scale.
        rows: which adapter each row has.
    """

    def __init__(
        self,
        base: nn.Module,
        weights: Mapping[int, tuple[torch.Tensor, torch.Tensor, float]],
        rows: AdapterRows,
    ) -> None:
        super().__init__()
        self.base = base
        self._rows = rows
        self._owners = tuple(index for index, (a, _, _) in weights.items() for _ in range(len(a)))
        rows.register(self._owners)
        self.down = nn.Buffer(torch.cat([a for a, _, _ in weights.values()]))
        self.up = nn.Buffer(torch.cat([b * scale for _, b, scale in weights.values()], dim=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the layer; x is (rows, positions, inputs)."""
        out: torch.Tensor = self.base(x)
        mask = self._rows.mask(self._owners)
        if mask is None:
            return out
        ranks = nn.functional.linear(x, self.down) * mask[:, None]
        return out + nn.functional.linear(ranks, self.up)


def lay_side_by_side(model: PreTrainedModel, adapters: PeftModel) -> AdapterRows | None:
    """Put layers of this module in the place of PEFT's.

    Args:
        model: the base, into which PEFT has injected its layers; changed in place.
        adapters: what PEFT has made of it.

    Returns:
        Which adapter each row has; None, and nothing is changed, where an adapter is more than two matrices a
        layer, such as DoRA.
    """
    from peft.tuners.lora import Linear, LoraLayer
    from peft.utils import ModulesToSaveWrapper

    names = sorted(adapters.peft_config)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    is_plain = all(
        isinstance(layer, Linear)
        and isinstance(layer.get_base_layer(), nn.Linear)
        and not (layer.lora_variant or any(layer.lora_bias.values()) or layer.fan_in_fan_out)
        for layer in layers.values()
    )
    if not is_plain or any(isinstance(module, ModulesToSaveWrapper) for module in model.modules()):
        return None
    rows = AdapterRows(names)
    for path, layer in layers.items():
        weights = {
            rows.index(name): (
                layer.lora_A[name].weight.detach(),
                layer.lora_B[name].weight.detach(),
                float(layer.scaling[name]),
            )
            for name in names
            if name in layer.lora_A
        }
        parent, _, attribute = path.rpartition(".")
        new = SideBySideLinear(layer.get_base_layer(), weights, rows)
        setattr(model.get_submodule(parent), attribute, new)
    return rows
