"""A tiny random checkpoint in PaliGemma 2's architecture and file layout, for tests without weights.

The numbers keep what matters about the real one at 896 px: the sliding window of the decoder equals the
number of image tokens, there are several layers of both kinds, and heads share keys and values.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from docai.models.heads import Decoding, Head
from docai.parsers.table import parse_table
from docai.records import Table

if TYPE_CHECKING:
    from peft import LoraConfig
    from tokenizers import Tokenizer

IMAGE_SIZE = 56
PATCH_SIZE = 14
CONTROL = ("<pad>", "<eos>", "<bos>", "<unk>")
"""Ids 0 to 3, as in Gemma."""


def build_tiny(
    folder: Path,
    *,
    image_size: int = IMAGE_SIZE,
    patch_size: int = PATCH_SIZE,
    seed: int = 0,
    heads: Mapping[str, Any] | None = None,
    text: Mapping[str, Any] | None = None,
    padding_side: str = "right",
    scale: float = 0.3,
) -> Path:
    """Write a random checkpoint to ``folder`` and return it.

    Args:
        folder: made where it does not exist.
        image_size: side of the crops it reads, pixels.
        patch_size: side of one image token, pixels.
        seed: of the weights.
        heads: content of ``heads`` in docai.json; None writes no docai.json.
        text: values of the decoder's configuration to set otherwise.
        padding_side: of the tokenizer as saved; ``right`` is what a tokenizer does when nobody says.
        scale: standard deviation of the weights; large enough that attention matters to the output.
    """
    import torch
    from transformers import (
        GenerationConfig,
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerFast,
        SiglipImageProcessor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    n_tokens = (image_size // patch_size) ** 2
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer(),
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        padding_side=padding_side,
        clean_up_tokenization_spaces=False,
    )
    size = {"height": image_size, "width": image_size}
    images = SiglipImageProcessor(
        size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3, image_seq_length=n_tokens
    )
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=tokenizer)
    text_config = {
        "model_type": "gemma2",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "vocab_size": len(tokenizer),
        "sliding_window": n_tokens,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    config = PaliGemmaConfig(
        text_config=text_config | dict(text or {}),
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": image_size,
            "patch_size": patch_size,
            "vision_use_head": False,
        },
        image_token_index=processor.image_token_id,
        projection_dim=32,
        hidden_size=32,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PaliGemmaForConditionalGeneration(config)
        for name, parameter in model.named_parameters():
            if "embed_tokens" in name:
                # Small beside what the layers add, or every token would repeat itself.
                torch.nn.init.normal_(parameter, std=0.05)
            elif "norm" not in name:
                torch.nn.init.normal_(parameter, std=scale)
        torch.nn.init.constant_(model.model.language_model.norm.weight, 9.0)
    model.generation_config = GenerationConfig(pad_token_id=0, eos_token_id=1, bos_token_id=2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    if heads is not None:
        manifest = {"name": "tiny", "revision": str(seed), "heads": dict(heads)}
        (folder / "docai.json").write_text(json.dumps(manifest))
    return folder


def tiny_tokenizer() -> Tokenizer:
    """Gemma's tokenizer in small: one token per character, ▁ for a space, bytes for anything unknown."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    letters = string.ascii_letters + string.digits + string.punctuation + "▁\n\t"
    vocabulary = [*CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(vocabulary)},
            merges=[],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    return tokenizer


def build_adapter(
    base: Path, folder: Path, *, seed: int = 1, scale: float = 0.5, config: LoraConfig | None = None
) -> Path:
    """Write a random LoRA adapter for the checkpoint ``base`` to ``folder`` and return it."""
    import torch
    from peft import LoraConfig
    from transformers import PaliGemmaForConditionalGeneration

    from docai.models.adapters import LORA_TARGETS, attach_adapter

    model = PaliGemmaForConditionalGeneration.from_pretrained(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = config or LoraConfig(r=4, lora_alpha=8, target_modules=LORA_TARGETS)
        adapted = attach_adapter(model, config, "default")
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=scale)
    adapted.save_pretrained(folder)
    return folder


def tiny_head(name: str = "table", **changes: Any) -> Head:
    """A head for crops of the tiny checkpoint."""
    values = {"prompt": f"read {name}", "max_tokens": 24, "resolution": IMAGE_SIZE, "decoding": Decoding()}
    return Head(name=name, parser=parse_table, record=Table, **(values | changes))


def noise(seed: int = 0, size: int = IMAGE_SIZE) -> Image.Image:
    """A crop that is not blank and differs for each seed."""
    import numpy as np

    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
