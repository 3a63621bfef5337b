"""The architecture of the embedded checkpoint: a small PaliGemma 2 in its exact file layout.

Everything is transformers' own PaliGemma 2: a SigLIP tower at 896 px, the linear projector, a Gemma 2
decoder, a fast tokenizer with ``<image>``, 1024 ``<loc>`` and 128 ``<seg>`` tokens. Only the sizes differ:
patch 28 instead of 14 (1024 image tokens instead of 4096), width 256, 6 + 6 layers, and a vocabulary of
characters and of the heads' own markup instead of Gemma's 257,152 pieces.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docai.models.heads import HEADS

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor, PreTrainedTokenizerFast

IMAGE_SIZE = 896
PATCH_SIZE = 28
WIDTH = 256
MAX_POSITIONS = 8192
CONSTRAINED = ("table", "text")
"""Heads whose answers are constrained to their grammar. So small a model is sure that a location comes, but
not which of 1024, and would write a letter instead. Scores and SMILES were the same without."""

_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<image>")
_MARKUP = (
    *("<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>"),
    *(
        "<td>",
        "</td>",
        '<td coords="',
        '">',
        '" colspan="',
        '" rowspan="',
        '<td colspan="',
        '<td rowspan="',
    ),
    *(" ; ", "**kern", "*clefG2", "*clefF4", "*-", "*k[", "*M"),
)
LETTERS = (
    "\t\n"
    + "".join(chr(code) for code in range(0x20, 0x7F))
    + "".join(chr(code) for code in range(0xA1, 0x100) if code != 0xAD)
    + "".join(chr(code) for code in range(0x391, 0x3CA) if code != 0x3A2)
    + "–—‘’“”•…€†‡′″←→−≈≤≥"
)


def build_tokenizer_json() -> str:
    """A character tokenizer in the format of `tokenizers`: no merges, and bytes for unknown characters."""
    from tokenizers import AddedToken, Tokenizer, decoders, models

    pieces = [*_SPECIAL, *dict.fromkeys(LETTERS), *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(pieces)},
            merges=[],
            byte_fallback=True,
            unk_token="<unk>",
        )
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in _SPECIAL])
    prompts = [head.prompt for head in HEADS.values()]
    locations = [f"<loc{index:04d}>" for index in range(1024)] + [f"<seg{index:03d}>" for index in range(128)]
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in [*_MARKUP, *prompts, *locations]])
    return tokenizer.to_str()


def build_processor() -> PaliGemmaProcessor:
    """The stock processor over the character tokenizer."""
    from transformers import PaliGemmaProcessor, SiglipImageProcessor

    # The processor asks its image processor for the number of image tokens.
    image_processor = SiglipImageProcessor(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        image_seq_length=(IMAGE_SIZE // PATCH_SIZE) ** 2,
    )
    return PaliGemmaProcessor(image_processor=image_processor, tokenizer=build_tokenizer())


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The processor's tokenizer alone, without loading torch."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(build_tokenizer_json()),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return tokenizer


def build_model(
    processor: PaliGemmaProcessor, patches: NDArray[np.uint8] | None = None
) -> PaliGemmaForConditionalGeneration:
    """A new model: random weights, with position embeddings initialized by a 2-D sin-cos code.

    Args:
        processor: gives the vocabulary.
        patches: (N, 784) gray levels of patches with ink, N at least 784. Their whitened principal components
            initialize the patch embedding: from random weights, most of a short training would be spent on
            finding a basis in which strokes can be distinguished.
    """
    import torch
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

    config = PaliGemmaConfig.from_dict(_configuration(processor))
    model = PaliGemmaForConditionalGeneration(config)
    embeddings: Any = model.model.vision_tower.embeddings
    with torch.no_grad():
        embeddings.position_embedding.weight.copy_(
            sincos_positions(IMAGE_SIZE // PATCH_SIZE, WIDTH) * 0.1,
        )
        kernel = embeddings.patch_embedding.weight
        kernel.copy_(kernel.mean(dim=1, keepdim=True).expand_as(kernel))
        first = processor.tokenizer.convert_tokens_to_ids("<loc0000>")
        words: Any = model.get_input_embeddings().weight
        words[first : first + 1024] = location_codes(1024, WIDTH) * words.std()
        if patches is not None:
            components, offset = principal_components(patches)
            gray = torch.from_numpy(components).view(WIDTH, 1, PATCH_SIZE, PATCH_SIZE)
            kernel.copy_(gray.expand_as(kernel) / kernel.shape[1])
            embeddings.patch_embedding.bias.copy_(torch.from_numpy(offset))
    return model


def _configuration(processor: PaliGemmaProcessor) -> dict[str, Any]:
    """PaliGemma 2's configuration at the embedded checkpoint's sizes."""
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "tie_word_embeddings": True}
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "projection_dim": WIDTH,
        "vision_use_head": False,
    }
    text = {
        "model_type": "gemma2",
        "vocab_size": len(processor.tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "query_pre_attn_scalar": 64,
        "max_position_embeddings": MAX_POSITIONS,
        # Beyond the longest sequence, so that every layer has full attention, as PaliGemma 2 in training.
        "sliding_window": MAX_POSITIONS,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        **special,
    }
    return {
        "vision_config": vision,
        "text_config": text,
        "image_token_index": processor.image_token_id,
        "projection_dim": WIDTH,
        "hidden_size": WIDTH,
        **special,
    }


def principal_components(patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights ``(256, 784)`` and bias ``(256,)`` that whiten patches scaled to -1…1.

    Weak components are damped, so that noise is not amplified to the size of strokes.
    """
    import numpy as np

    values = patches.astype(np.float64) / 127.5 - 1.0
    mean = values.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(values - mean, rowvar=False))
    strongest = np.argsort(variances)[::-1][:WIDTH]
    scale = 1.0 / np.sqrt(variances[strongest] + variances[strongest].mean())
    weights = vectors[:, strongest].T * scale[:, None]
    return weights.astype(np.float32), (-weights @ mean).astype(np.float32)


def location_codes(bins: int, width: int) -> torch.Tensor:
    """Initial ``<loc>`` embeddings, ``(bins, width)``, of unit variance, similar for neighboring bins.

    Input and output embeddings are tied, so a bin next to the right one starts as nearly right instead of one
    wrong answer among a thousand.
    """
    import torch

    periods = torch.logspace(math.log10(2.0), math.log10(1.0 / 64), width // 2)
    angle = 2 * math.pi * torch.arange(bins)[:, None] / (bins - 1) / periods[None, :]
    return torch.cat([angle.sin(), angle.cos()], dim=1) * math.sqrt(2.0)


def sincos_positions(side: int, width: int) -> torch.Tensor:
    """Fixed 2-D position code, ``(side * side, width)``, as in MoCo v3 (arXiv 2104.02057, appendix)."""
    import torch

    quarter = width // 4
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(quarter) / quarter)
    angle = torch.arange(side)[:, None] * frequency[None, :]
    code = torch.cat([angle.sin(), angle.cos()], dim=1)
    rows = code[:, None, :].expand(side, side, -1)
    columns = code[None, :, :].expand(side, side, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width)


def save_checkpoint(
    model: PaliGemmaForConditionalGeneration,
    processor: PaliGemmaProcessor,
    folder: Path,
    *,
    name: str,
    revision: str,
    max_tokens: dict[str, int],
) -> None:
    """Write a folder that ``process(model=folder)`` takes: bf16 weights, processor files, ``docai.json``."""
    import copy

    import torch

    from docai.models.loading import no_progress_bars

    folder.mkdir(parents=True, exist_ok=True)
    half: Any = copy.deepcopy(model).cpu()
    with no_progress_bars():
        half.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    # safetensors makes its files readable only by their owner.
    (folder / "model.safetensors").chmod(0o644)
    manifest = {
        "name": name,
        "revision": revision,
        "heads": {
            head: {"adapter": None, "max_tokens": limit, "constrained": head in CONSTRAINED}
            for head, limit in max_tokens.items()
        },
    }
    (folder / "docai.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
