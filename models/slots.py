"""The decoder with a key-value cache of slots, over the stock modules of transformers.

Each answer being written has a slot: keys and values of its image, prompt and tokens so far, without
padding. :meth:`SlotDecoder.prefill` fills slots, :meth:`SlotDecoder.decode` writes one token of each of the
first slots, however long each answer is. Which crop is in which slot is decided by
:mod:`docai.models.scheduler`.

The masks are those that PaliGemma 2 was trained with. Image and prompt attend to each other in both
directions, so that a prefill without padding needs no mask; a token of the answer sees all positions of its
slot up to its own. :func:`docai.models.guards.prepare_config` has made all layers attend fully.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from docai.errors import CheckpointError
from docai.models.drafts import MAX_DRAFT
from docai.models.guards import text_config
from docai.models.last_layer import last_position_alone

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration

    from docai.models.side_by_side import AdapterRows

_LENGTH_STEP: Final = 256
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
            length = -(-length // _LENGTH_STEP) * _LENGTH_STEP
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


@dataclass(frozen=True)
class Chosen:
    """One token for each of several rows, on the device of the model."""

    tokens: torch.Tensor
    """(rows), int64."""
    logprobs: torch.Tensor
    """(rows), float32: natural log-probabilities by the model, before any grammar."""


@dataclass(frozen=True)
class Checked:
    """What the model says to drafts, on its device."""

    n_right: torch.Tensor
    """(rows), int64: tokens of each draft that it would have written itself."""
    logprobs: torch.Tensor
    """(rows, tokens), float32: natural log-probabilities of the tokens of drafts."""
    logits: torch.Tensor
    """(rows, vocabulary), of the token after those."""


class SlotDecoder:
    """Runs the modules of a PaliGemma 2 over slots. Call it in inference mode.

    Args:
        model: with full attention in all layers.
        adapters: which adapter each row has; None: whatever is active in the model is that of all rows.
        fixed_shapes: steps have few shapes: rows are rounded up to powers of two and lengths to multiples of
            256. That lets the steps of a CUDA device be captured as graphs, and computes more otherwise.
        graphs: capture the step of each shape as a graph and replay it, on a CUDA device with fixed shapes.

    Raises:
        CheckpointError: a layer of the decoder attends to a window only.
    """

    def __init__(
        self,
        model: PaliGemmaForConditionalGeneration,
        *,
        adapters: AdapterRows | None = None,
        fixed_shapes: bool = False,
        graphs: bool = False,
    ) -> None:
        config = text_config(model.config)
        if any(kind != "full_attention" for kind in config.layer_types or ()):
            raise CheckpointError(
                "The decoder attends to a window only, which hides the image from long answers; "
                "build the model from docai.models.guards.prepare_config()."
            )
        self.model = model
        self.adapters = adapters
        self.fixed_shapes = fixed_shapes
        self.cache = SlotCache(config.num_hidden_layers)
        self.shapes: set[tuple[int, int, int]] = set()
        """Rows, positions, and tokens of a row, of all steps so far."""
        self._inner: Any = model.model
        self._head: Any = model.lm_head
        self._cap = config.final_logit_softcapping
        self._uses_graphs = graphs and fixed_shapes and model.device.type == "cuda"
        self._graphs: dict[tuple[int, int, int], tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        # What a step reads and a graph has captured: changed in place, replaced only with the slots.
        self._n_rows = torch.zeros((), dtype=torch.int64, device=model.device)
        self._tokens = self._lengths = self._adapters = self._n_drafted = self._no_slots()
        self._drafts = self._no_slots()[:, None]
        self._hidden: torch.Tensor | None = None

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    def reserve(self, n_slots: int, length: int) -> None:
        """As :meth:`SlotCache.reserve`."""
        before = self.cache.n_slots, self.cache.length
        self.cache.reserve(n_slots, length)
        if before != (self.cache.n_slots, self.cache.length):
            self._graphs.clear()
        missing = self.cache.n_slots - len(self._tokens)
        if missing > 0:
            self._tokens = torch.cat([self._tokens, self._tokens.new_zeros(missing)])
            self._lengths = torch.cat([self._lengths, self._lengths.new_zeros(missing)])
            self._adapters = torch.cat([self._adapters, self._adapters.new_full((missing,), -1)])
            self._n_drafted = self._lengths.new_zeros(self.cache.n_slots)
            self._drafts = self._lengths.new_zeros((self.cache.n_slots, MAX_DRAFT))

    def release(self) -> None:
        """Give the memory of all slots back."""
        self._graphs.clear()
        self.cache.release()
        self._tokens = self._lengths = self._adapters = self._n_drafted = self._no_slots()
        self._drafts = self._no_slots()[:, None]
        self._hidden = None

    def _no_slots(self) -> torch.Tensor:
        return torch.empty(0, dtype=torch.int64, device=self.device)

    def prefill(
        self,
        slots: Sequence[int],
        pixels: torch.Tensor,
        prompt: Sequence[int],
        adapter: str | None = None,
        *,
        causal_prompt: bool = False,
    ) -> torch.Tensor:
        """Read images and prompt into slots. Returns the logits of the first token, (slots, vocabulary).

        Args:
            slots: where to.
            pixels: (slots, 3, side, side), -1 to 1.
            prompt: what follows the image tokens, of all of them.
            adapter: of all of them, where they are side by side.
            causal_prompt: see :func:`docai.models.guards.make_prompt_causal`.
        """
        if self.adapters is not None:
            index = self.adapters.index(adapter)
            self._adapters[list(slots)] = index
            self.adapters.select(self._adapters[slots[:1]])
        ids = torch.tensor([list(prompt)] * len(slots), device=self.device)
        text = self._inner.get_input_embeddings()(ids)
        features = self._inner.get_image_features(pixels.to(self.device, self.model.dtype)).pooler_output
        embeds = torch.cat([features.to(text.dtype), text], dim=1)
        n_positions = embeds.shape[1]
        rows = torch.tensor(list(slots), device=self.device)
        self.cache.begin_prefill(rows)
        # PaliGemma counts positions from 1.
        positions = torch.arange(1, n_positions + 1, device=self.device)[None]
        mask = self._causal_mask(n_positions, len(prompt)) if causal_prompt else None
        with last_position_alone(self._inner.language_model):
            hidden = self._decoder(embeds, positions, mask)[:, -1]
        if self._hidden is None:
            self._hidden = hidden.new_empty((self.cache.n_slots, hidden.shape[1]))
        elif len(self._hidden) < self.cache.n_slots:
            missing = hidden.new_empty((self.cache.n_slots - len(self._hidden), hidden.shape[1]))
            self._hidden = torch.cat([self._hidden, missing])
        self._hidden[rows] = hidden
        self._lengths[rows] = n_positions
        return self._logits(hidden)

    def rewind(self, slot: int, length: int) -> torch.Tensor:
        """Go back to where the prompt of ``length`` positions was read; returns as :meth:`prefill` does."""
        if self._hidden is None:
            raise RuntimeError("Nothing was read into any slot.")
        self._lengths[slot] = length
        return self._logits(self._hidden[slot : slot + 1])

    def resume(self, slot: int, length: int, token: int) -> None:
        """Go back to where ``length`` positions were written, the next of them being ``token``."""
        self._lengths[slot] = length
        self._tokens[slot] = token

    def decode(self, n_rows: int, longest: int) -> torch.Tensor:
        """The logits of the next token of each of the first slots, (rows, vocabulary).

        Args:
            n_rows: number of slots.
            longest: positions of the longest of them so far.
        """
        logits = self._run(n_rows, longest, 1)[:, 0]
        self._lengths[:n_rows] += 1
        return logits

    def decode_drafts(self, drafts: Sequence[Sequence[int]], longest: int) -> Checked:
        """Write the next token of each of the first slots and, before it, as much of a draft as is right.

        Args:
            drafts: of each slot, up to :data:`docai.models.drafts.MAX_DRAFT` tokens that may come next, which
                have to fit the slot.
            longest: positions of the longest slot so far.
        """
        n_rows, width = len(drafts), 1 + max(len(draft) for draft in drafts)
        if self.fixed_shapes:
            width = 1 + MAX_DRAFT
        padded = [[*draft, *[0] * (width - 1 - len(draft))] for draft in drafts]
        self._drafts[:n_rows, : width - 1] = torch.tensor(padded, device=self.device)
        self._n_drafted[:n_rows] = torch.tensor([len(draft) for draft in drafts], device=self.device)
        scores = self._run(n_rows, longest, width)
        tried, places = self._drafts[:n_rows, : width - 1], torch.arange(width - 1, device=self.device)
        is_right = (scores[:, :-1].argmax(dim=-1) == tried) & (places < self._n_drafted[:n_rows, None])
        n_right = is_right.long().cumprod(dim=1).sum(dim=1)
        told = scores[:, :-1].float()
        logprobs = told.gather(2, tried[:, :, None])[:, :, 0] - told.logsumexp(dim=-1)
        self._lengths[:n_rows] += n_right + 1
        return Checked(n_right, logprobs, scores[torch.arange(n_rows, device=self.device), n_right])

    def _run(self, n_rows: int, longest: int, width: int) -> torch.Tensor:
        """The logits after ``width`` tokens of each of the first slots, (rows, width, vocabulary)."""
        n_used, n_seen = n_rows, min(longest + width, self.cache.length)
        if self.fixed_shapes:
            n_used = min(1 << (n_rows - 1).bit_length(), self.cache.n_slots)
            n_seen = min(-(-n_seen // _LENGTH_STEP) * _LENGTH_STEP, self.cache.length)
        self.shapes.add((n_used, n_seen, width))
        self._n_rows.fill_(n_rows)
        run = self._replay if self._uses_graphs else self._step
        return run(n_used, n_seen, width)[:n_rows]

    def _step(self, n_used: int, n_seen: int, width: int) -> torch.Tensor:
        """One step of a shape; depends on nothing but tensors that stay where they are."""
        slots = torch.arange(n_used, device=self.device)
        lengths, end = self._lengths[:n_used], self.cache.length
        tokens = self._tokens[:n_used, None]
        # Rows without an answer write beside the slots: what they hold may be asked for again.
        written = torch.where(slots < self._n_rows, lengths, end)
        places = lengths[:, None]
        if width > 1:
            tokens = torch.cat([tokens, self._drafts[:n_used, : width - 1]], dim=1)
            steps = torch.arange(width, device=self.device)
            places = places + steps
            # As does what no draft says.
            is_written = (slots < self._n_rows)[:, None] & (steps <= self._n_drafted[:n_used, None])
            written = torch.where(is_written, places, end)
        self.cache.begin_step(slots, written, n_seen)
        if self.adapters is not None:
            self.adapters.select(self._adapters[:n_used])
        embeds = self._inner.get_input_embeddings()(tokens)
        return self._logits(self._decoder(embeds, places + 1, self._mask(places, n_seen)))

    def _replay(self, n_used: int, n_seen: int, width: int) -> torch.Tensor:
        """As :meth:`_step`, captured when its shape is first seen. The logits are valid until the next one.

        The operators of a step take a host longer to start than a fast device to run.
        """
        shape = n_used, n_seen, width
        if shape not in self._graphs:
            # Libraries allocate on their first call, which no graph may. Writing twice changes nothing.
            stream = torch.cuda.Stream(self.device)
            stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(stream):
                self._step(*shape)
            torch.cuda.current_stream(self.device).wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                logits = self._step(*shape)
            self._graphs[shape] = graph, logits
        graph, logits = self._graphs[shape]
        graph.replay()
        return logits

    def choose(
        self, slots: Sequence[int] | slice, logits: torch.Tensor, allowed: torch.Tensor | None
    ) -> Chosen:
        """Take the likeliest token of each row, and remember it as what its slot goes on with.

        Args:
            slots: of the rows.
            logits: (rows, vocabulary).
            allowed: boolean, of the same shape: what the grammars allow; None: everything.
        """
        scores = logits.float()
        masked = scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)
        tokens = masked.argmax(dim=-1)
        logprobs = scores.gather(1, tokens[:, None])[:, 0] - scores.logsumexp(dim=-1)
        self._tokens[slots if isinstance(slots, slice) else list(slots)] = tokens
        return Chosen(tokens, logprobs)

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange two slots, of which the longer has ``length`` positions."""
        self.cache.swap(one, other, length)
        for tensor in (self._tokens, self._lengths, self._adapters, self._hidden):
            if tensor is not None:
                tensor[[one, other]] = tensor[[other, one]]

    def _causal_mask(self, n_positions: int, n_prompt: int) -> torch.Tensor:
        """What is added to the scores where the image sees itself alone, and the prompt what is before it."""
        places = torch.arange(n_positions, device=self.device)
        n_image = n_positions - n_prompt
        sees = places <= places.clamp(min=n_image - 1)[:, None]
        return self._added(sees[None, None])

    def _mask(self, places: torch.Tensor, n_seen: int) -> torch.Tensor | None:
        """What is added to the scores, (rows, 1, tokens, positions): a token sees its row up to itself.

        Not boolean, which each layer would turn into this again.

        Args:
            places: (rows, tokens), where each token is.
            n_seen: positions.
        """
        if places.numel() == 1 and not self.fixed_shapes:
            return None
        sees = (torch.arange(n_seen, device=self.device) <= places[:, :, None])[:, None]
        return self._added(sees)

    def _added(self, sees: torch.Tensor) -> torch.Tensor:
        lowest = torch.finfo(self.model.dtype).min
        return torch.zeros(sees.shape, dtype=self.model.dtype, device=self.device).masked_fill(~sees, lowest)

    def _decoder(
        self, embeds: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        hidden: torch.Tensor = self._inner.language_model(
            inputs_embeds=embeds,
            # As a dictionary it is taken as it is, also where it is None.
            attention_mask={"full_attention": mask},
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._head(hidden)
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        return logits
