"""PaliGemma 2 models with random weights at the full width of the official ones, for speed and exactness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration
from transformers.initialization import no_init_weights

from docai.models.attention import AttentionChoice, choose_attention
from docai.models.guards import prepare_config, text_config

IMAGE_ID = 3
"""Of the image token; a random model has no tokenizer."""

SIDES = (224, 448, 896)


@dataclass(frozen=True)
class Shape:
    """The decoder's numbers; the tower is SigLIP So400m/14 in all of them (arXiv 2412.03555, table 1)."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    head_width: int = 256
    query_scale: int = 256


SHAPES = {
    "3b": Shape(width=2304, layers=26, heads=8, kv_heads=4, mlp=9216),
    "10b": Shape(width=3584, layers=42, heads=16, kv_heads=8, mlp=14336),
}
TOWER_LAYERS = 27


def shape_config(
    name: str, *, side: int, layers: int | None, vocabulary: int, cap: float | None
) -> PaliGemmaConfig:
    """The configuration of a shape.

    Args:
        name: of :data:`SHAPES`.
        side: of a crop, pixels.
        layers: of decoder and tower; None is all.
        vocabulary: tokens; the official models have 257,216.
        cap: of the attention scores and the logits; None: they are not capped.
    """
    shape = SHAPES[name]
    n_layers = shape.layers if layers is None else min(layers, shape.layers)
    text = {
        "model_type": "gemma2",
        "hidden_size": shape.width,
        "num_hidden_layers": n_layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.mlp,
        "head_dim": shape.head_width,
        "query_pre_attn_scalar": shape.query_scale,
        "vocab_size": vocabulary,
        "max_position_embeddings": 8192,
        "sliding_window": 4096,
        "attn_logit_softcapping": cap,
        "final_logit_softcapping": cap,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": TOWER_LAYERS if layers is None else min(layers, TOWER_LAYERS),
        "num_attention_heads": 16,
        "image_size": side,
        "patch_size": 14,
        "vision_use_head": False,
    }
    config = PaliGemmaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=IMAGE_ID,
        projection_dim=shape.width,
        hidden_size=shape.width,
    )
    return prepare_config(config)


def random_model(
    config: PaliGemmaConfig,
    device: torch.device,
    dtype: torch.dtype,
    attention: AttentionChoice = "auto",
    seed: int = 0,
) -> PaliGemmaForConditionalGeneration:
    """A model of a configuration with random weights, the same for each kind of attention."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), no_init_weights(), torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            config._attn_implementation = choose_attention(config, attention)
            model = PaliGemmaForConditionalGeneration(config)
            model.tie_weights()
            for name, parameter in model.named_parameters():
                if parameter.ndim > 1:
                    # Small beside what the layers add, or every token would repeat itself.
                    std = 0.001 if "embed_tokens" in name else parameter[0].numel() ** -0.5
                    parameter.normal_(std=std)
                else:
                    # Gemma's norms add 1 to their weight, SigLIP's do not.
                    parameter.fill_(float("vision_tower" in name and name.endswith("weight")))
            # So that the logits are as far apart as those of a trained model.
            model.model.language_model.norm.weight.fill_(60.0)
    finally:
        torch.set_default_dtype(before)
    model.requires_grad_(False)
    model.eval()
    return model


def prefill_flops(config: PaliGemmaConfig, n_prompt: int) -> float:
    """Floating-point operations of reading one crop: products of weights and of attention, two for each."""
    text, vision = text_config(config), config.vision_config
    n_image = (vision.image_size // vision.patch_size) ** 2
    n = n_image + n_prompt
    width, heads = text.hidden_size, text.num_attention_heads * text.head_dim
    shared = text.num_key_value_heads * text.head_dim
    decoder = 2 * width * heads + 2 * width * shared + 3 * width * text.intermediate_size
    tower = 4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size
    weights = n * text.num_hidden_layers * decoder + n_image * vision.num_hidden_layers * tower
    products = 2 * n**2 * heads * text.num_hidden_layers
    products += 2 * n_image**2 * vision.hidden_size * vision.num_hidden_layers
    return 2.0 * (weights + products)


def decode_bytes(config: PaliGemmaConfig, n_rows: int, n_positions: int, size: int) -> float:
    """Bytes that one step has to read: the decoder's weights once, the keys and values of each row."""
    text = text_config(config)
    width, heads = text.hidden_size, text.num_attention_heads * text.head_dim
    shared = text.num_key_value_heads * text.head_dim
    layer = 2 * width * heads + 2 * width * shared + 3 * width * text.intermediate_size
    weights = text.num_hidden_layers * layer + text.vocab_size * width
    cache = 2 * text.num_hidden_layers * shared * n_positions * n_rows
    return float(size * (weights + cache))
