"""The device that the model runs on, and its number format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docai.errors import DeviceError, SettingError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16")


def choose_device(wanted: str = "auto") -> torch.device:
    """The device of that name. ``auto`` is the first CUDA device if there is one, otherwise the CPU.

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
                f"The device {wanted!r} was requested, but PyTorch finds no CUDA device; use cpu."
            )
        device = torch.device("cuda", device.index or 0)
        if device.index >= torch.cuda.device_count():
            raise DeviceError(
                f"The device {wanted!r} was requested, but this machine has only "
                f"{torch.cuda.device_count()} CUDA device(s), numbered from 0."
            )
    elif device.type != "cpu":
        raise DeviceError(f"docai does not run on {wanted!r}; use auto, cpu, cuda or cuda:<number>.")
    return device


def choose_dtype(wanted: str | None, device: torch.device) -> torch.dtype:
    """The number format of that name. None is bfloat16 on a CUDA device that supports it, otherwise float32.

    float16 is rejected: Gemma 2's activations exceed its range, which silently gives wrong answers. On a CPU
    float32 is the default because few CPUs have bfloat16 arithmetic, and without it bfloat16 is slower.

    Raises:
        SettingError: the format is unknown or rejected.
    """
    import torch

    if wanted is None:
        fast = device.type == "cuda" and has_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    if wanted not in DTYPES:
        raise SettingError(
            f"The number format {wanted!r} does not work with PaliGemma 2; use {' or '.join(DTYPES)}."
        )
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has bfloat16 arithmetic in hardware.

    Emulated bfloat16 is forty times slower than float32 on a CPU with AVX2 only.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
