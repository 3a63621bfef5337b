"""Crops and prompts as the model reads them: pixels from -1 to 1, and tokens.

The processor of transformers does both, and takes 24 to 35 ms of a CPU for a crop of 896 px, since it resizes
what has the right size already. :class:`Preprocessor` asks it once for each prompt, and once whether pixels
are what :func:`scaled_pixels` gives, which takes 2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from docai.errors import CheckpointError
from docai.models import guards

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import BatchFeature, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

IMAGE_TOKEN = "<image>"


def encode_prompts(
    processor: PaliGemmaProcessor,
    prompts: Sequence[str],
    images: Sequence[Image],
    *,
    like: PaliGemmaForConditionalGeneration,
    causal_prompt: bool = False,
) -> BatchFeature:
    """The model's inputs: image tokens, ``<bos>``, prompt and line feed, padded on the left.

    Args:
        processor: set to pad on the left.
        prompts: without the image token and the line feed.
        images: one for each prompt, of the size that the model reads.
        like: the model, whose device and number format the batch gets.
        causal_prompt: see :func:`docai.models.guards.make_prompt_causal`.
    """
    inputs = _processed(processor, prompts, images).convert_to_tensors("pt")
    if causal_prompt:
        guards.make_prompt_causal(inputs, processor.image_token_id)
    inputs["pixel_values"] = inputs["pixel_values"].to(like.dtype)
    on_device: BatchFeature = inputs.to(like.device)
    return on_device


def _processed(
    processor: PaliGemmaProcessor, prompts: Sequence[str], images: Sequence[Image]
) -> BatchFeature:
    """What the processor makes of them, guarded."""
    # NumPy, because the processor converts PyTorch tensors to NumPy in a way that NumPy 2 warns about.
    inputs: BatchFeature = processor(
        images=[[image] for image in images],
        text=[IMAGE_TOKEN + prompt for prompt in prompts],
        padding="longest",
        return_tensors="np",
    )
    guards.drop_labels(inputs)
    guards.require_token_types(inputs)
    guards.require_ends_with_text(inputs["attention_mask"])
    return inputs


def scaled_pixels(image: Image) -> torch.Tensor:
    """The pixels of an RGB image from -1 to 1, (3, height, width), float32."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    return pixels.div(127.5).sub_(1.0).contiguous()


class Preprocessor:
    """What a model reads of a crop and a prompt, as its processor makes it.

    Args:
        processor: of the checkpoint.
        side: of a crop, pixels.
        n_image: image tokens of a crop.

    Raises:
        CheckpointError: the processor does not put the image tokens first.
    """

    def __init__(self, processor: PaliGemmaProcessor, side: int, n_image: int) -> None:
        self._processor = processor
        self._n_image = n_image
        self._prompts: dict[str, tuple[int, ...]] = {}
        self._probe = _probe(side)
        inputs = _processed(processor, [""], [self._probe])
        self._prompts[""] = self._without_image(inputs)
        self._is_scaled = np.array_equal(inputs["pixel_values"][0], scaled_pixels(self._probe).numpy())

    def prompt(self, prompt: str) -> tuple[int, ...]:
        """The tokens after those of the image: ``<bos>``, prompt and line feed."""
        if prompt not in self._prompts:
            self._prompts[prompt] = self._without_image(_processed(self._processor, [prompt], [self._probe]))
        return self._prompts[prompt]

    def answer(self, text: str) -> tuple[int, ...]:
        """The tokens that a model writes a text with, without the end token."""
        found: list[int] = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tuple(found)

    def pixels(self, image: Image) -> torch.Tensor:
        """(3, side, side), float32, of a crop of the right size."""
        if self._is_scaled:
            return scaled_pixels(image)
        # A processor with a mean and deviation of its own.
        found = _processed(self._processor, [""], [image])["pixel_values"]
        return torch.from_numpy(np.asarray(found[0]))

    def _without_image(self, inputs: BatchFeature) -> tuple[int, ...]:
        tokens: list[int] = np.asarray(inputs["input_ids"][0]).tolist()
        image = self._processor.image_token_id
        if tokens[: self._n_image] != [image] * self._n_image or image in tokens[self._n_image :]:
            raise CheckpointError(
                f"The processor does not put {self._n_image} image tokens before the prompt. "
                "Use the processor files that came with the weights."
            )
        return tuple(tokens[self._n_image :])


def _probe(side: int) -> Image:
    """A crop with all values of a pixel."""
    from PIL import Image

    values = np.arange(side * side * 3, dtype=np.int64) * 7 % 256
    return Image.fromarray(values.astype(np.uint8).reshape(side, side, 3))
