"""Where the model runs, and in which number format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docai.errors import DeviceError, SettingError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16")


def choose_device(wanted: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU; others are taken at their word.

    Raises:
        DeviceError: the device is unknown or not present on this machine.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(f"There is no device {wanted!r}; use auto, cpu, cuda or cuda:<number>.") from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError(
                f"The device {wanted!r} was asked for, and PyTorch finds no CUDA here; use cpu."
            )
        device = torch.device("cuda", device.index or 0)
        if device.index >= torch.cuda.device_count():
            raise DeviceError(
                f"The device {wanted!r} was asked for, and this machine has "
                f"{torch.cuda.device_count()} of them."
            )
    elif device.type != "cpu":
        raise DeviceError(f"docai does not run on {wanted!r}; use auto, cpu, cuda or cuda:<number>.")
    return device


def choose_dtype(wanted: str | None, device: torch.device) -> torch.dtype:
    """bfloat16 on a CUDA device that has it, else float32; both can be asked for by name.

    float16 is refused: Gemma 2's activations leave its range, and the answers go wrong without a sign.
    On a CPU float32 is the default because few have bfloat16 arithmetic, and without it it is slower.

    Raises:
        SettingError: the format is unknown or refused.
    """
    import torch

    if wanted is None:
        fast = device.type == "cuda" and has_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    if wanted not in DTYPES:
        raise SettingError(
            f"The number format {wanted!r} cannot be used with PaliGemma 2; use {' or '.join(DTYPES)}."
        )
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 by itself. Emulated, it is forty times slower than float32 on
    a processor with AVX2 alone."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
