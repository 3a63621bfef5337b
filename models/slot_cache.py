"""Keys and values of the answers that are being written, each in a slot of its own."""

from __future__ import annotations

from typing import Any, Final

import torch

LENGTH_STEP: Final = 256
"""Positions by which slots are made longer, and to which fixed shapes are rounded up."""


class SlotCache:
    """Keys and values of all layers and slots. Passed to the decoder as its ``past_key_values``.

    Tensors are (slots, key-value heads, positions, head width), one pair for each layer, allocated with the
    first keys. One position more than asked for takes what rows without an answer write.
    """

    def __init__(self, n_layers: int) -> None:
        self.n_slots = 0
        self.length = 0
        """Positions of each slot."""
        self._wanted = (0, 0)
        self._keys: list[torch.Tensor | None] = [None] * n_layers
        self._values: list[torch.Tensor | None] = [None] * n_layers
        self._slots: torch.Tensor | None = None
        self._positions: torch.Tensor | None = None
        self._n_seen = 0

    def reserve(self, n_slots: int, length: int) -> None:
        """Have at least so many slots of at least so many positions; what is in them stays."""
        n_slots = max(n_slots, self.n_slots)
        if length > self.length:
            length = -(-length // LENGTH_STEP) * LENGTH_STEP
        length = max(length, self.length)
        if (n_slots, length) == (self.n_slots, self.length):
            return
        for tensors in (self._keys, self._values):
            for layer, old in enumerate(tensors):
                if old is not None:
                    new = old.new_zeros((n_slots, old.shape[1], length + 1, old.shape[3]))
                    new[: old.shape[0], :, : self.length] = old[:, :, : self.length]
                    tensors[layer] = new
        self.n_slots, self.length = n_slots, length

    def release(self) -> None:
        """Give all memory back."""
        self._keys = [None] * len(self._keys)
        self._values = [None] * len(self._values)
        self.n_slots = self.length = 0

    @property
    def n_bytes(self) -> int:
        """Memory that is allocated."""
        return sum(t.nbytes for tensors in (self._keys, self._values) for t in tensors if t is not None)

    def begin_prefill(self, slots: torch.Tensor) -> None:
        """What comes next are the first positions of these slots."""
        self._slots, self._positions = slots, None

    def begin_step(self, slots: torch.Tensor, positions: torch.Tensor, n_seen: int) -> None:
        """What comes next are positions of each of the first slots.

        Args:
            slots: ``arange`` of their number.
            positions: of each, where it is written; (rows), or (rows, tokens) where several are.
            n_seen: positions that the longest of them has then.
        """
        self._slots, self._positions, self._n_seen = slots, positions, n_seen

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, and return those to attend to. Called by each attention layer.

        Args:
            keys: (rows, key-value heads, new positions, head width).
            values: the same of values.
            layer: which.
        """
        slots, positions = self._slots, self._positions
        if slots is None:
            raise RuntimeError("begin_prefill() or begin_step() comes first.")
        seen = []
        for tensors, new in ((self._keys, keys), (self._values, values)):
            cached = tensors[layer]
            if cached is None:
                shape = (self.n_slots, new.shape[1], self.length + 1, new.shape[3])
                # Zeros, since even what no row sees is multiplied by its weight of zero, and must be finite.
                cached = tensors[layer] = new.new_zeros(shape)
            if positions is None:
                cached[slots, :, : new.shape[2]] = new
                seen.append(new)
            else:
                if positions.ndim == 1:
                    cached[slots, :, positions] = new[:, :, 0]
                else:
                    cached[slots[:, None], :, positions] = new.transpose(1, 2)
                seen.append(cached[: len(slots), :, : self._n_seen])
        return seen[0], seen[1]

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange the first ``length`` positions of two slots."""
        for tensors in (self._keys, self._values):
            for cached in tensors:
                if cached is not None:
                    kept = cached[one, :, :length].clone()
                    cached[one, :, :length] = cached[other, :, :length]
                    cached[other, :, :length] = kept
