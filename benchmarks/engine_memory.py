"""Computes which cards PaliGemma 2 fits, without a card: by fake tensors, which have a size and no content.

    python benchmarks/engine_memory.py [--shapes 3b 10b] [--sides 448 896]

``weights`` are those of all parameters, in bfloat16; with 4 bits the decoder's linear layers take 4.5 bits a
number (nf4 and its scales) and the tower and embeddings stay. ``reading`` is the peak beside weights and
slots while a crop is read. ``slot`` is the cache of one answer of ``--tokens`` tokens. The number of slots is
what :func:`docai.models.memory.slots_that_fit` gives for a card of that size, with 0.6 GB for CUDA itself.
Nothing here is measured on a card.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from common import script_parser
from engine_shapes import SHAPES, SIDES, random_model, shape_config
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from docai.models.guards import text_config
from docai.models.memory import reading_bytes, slot_bytes, slots_that_fit
from docai.models.slots import SlotDecoder

CARDS = (8, 12, 16, 24, 48, 80)
"""GB."""

CUDA_ITSELF = 6e8
NF4_BITS = 4.5


class Peak(TorchDispatchMode):
    """The most bytes of tensors that are alive at a time, of those made while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def sizes(name: str, side: int, tokens: int) -> dict[str, float]:
    """Bytes of weights, of the linear layers of the decoder, of reading, and of a slot."""
    config = shape_config(name, side=side, layers=None, vocabulary=257_216, cap=None)
    with FakeTensorMode(), torch.inference_mode():
        model = random_model(config, torch.device("cpu"), torch.bfloat16)
        parameters = {id(p): p for p in model.parameters()}
        weights = sum(p.numel() for p in parameters.values()) * 2
        linear = sum(
            module.weight.numel() * 2
            for module in model.model.language_model.layers.modules()
            if isinstance(module, torch.nn.Linear)
        )
        decoder = SlotDecoder(model)
        n_positions = (side // 14) ** 2 + 8 + tokens
        decoder.reserve(1, n_positions)
        pixels = torch.zeros((1, 3, side, side), dtype=torch.bfloat16)
        with Peak() as peak:
            decoder.prefill([0], pixels, [2, 20, 21, 22])
    slot = slot_bytes(config, n_positions, 2)
    return {
        "weights": weights,
        "linear": linear,
        "reading": peak.most - decoder.cache.n_bytes,
        "bound": reading_bytes(config, n_positions, 2),
        "slot": slot,
        "positions": n_positions,
        "vocabulary": text_config(config).vocab_size,
    }


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--sides", nargs="+", type=int, choices=SIDES, default=[448, 896])
    parser.add_argument("--tokens", type=int, default=1024, help="of the longest answer")
    options = parser.parse_args()
    cards = " | ".join(f"{card} GB" for card in CARDS)
    print(f"| model | crop | weights GB | reading GB | slot GB | {cards} |")
    print("|---|---|---:|---:|---:|" + "---:|" * len(CARDS))
    for name in options.shapes:
        for side in options.sides:
            found = sizes(name, side, options.tokens)
            config = shape_config(name, side=side, layers=None, vocabulary=257_216, cap=None)
            in_4_bits = found["weights"] - found["linear"] * (1 - NF4_BITS / 16)
            for label, weights in ((name, found["weights"]), (f"{name}, 4 bits", in_4_bits)):
                fits = []
                for card in CARDS:
                    free = card * 1e9 - CUDA_ITSELF - weights
                    n_slots = slots_that_fit(config, int(found["positions"]), 2, int(free))
                    enough = free > found["bound"] + found["slot"]
                    fits.append(str(n_slots) if enough else "–")
                print(
                    f"| {label} | {side} px | {weights / 1e9:.1f} | {found['reading'] / 1e9:.2f} "
                    f"| {found['slot'] / 1e9:.2f} | {' | '.join(fits)} |"
                )


if __name__ == "__main__":
    main()
