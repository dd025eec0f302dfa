"""In which numbers a device multiplies matrices: bf16 where it has instructions for them, as GPUs
and newer CPUs have; without them torch's bf16 takes tens of times as long as fp32.

Which of the two changes results by rounding only: machines of both kinds train one model.
"""

import torch

_OF_CPUS = ("amx_bf16", "avx512_bf16", "bf16")  # the last is ARM's name


def precision(device: torch.device) -> torch.dtype:
    """bf16 or fp32, whichever is the faster there."""
    match device.type:
        case "cpu":
            known = torch.cpu.get_capabilities()
            fast = any(known.get(name, False) for name in _OF_CPUS)
        case "cuda":
            with torch.cuda.device(device):
                fast = torch.cuda.is_bf16_supported(including_emulation=False)
        case _:
            fast = True
    return torch.bfloat16 if fast else torch.float32


def autocast(device: torch.device, dtype: torch.dtype | None = None) -> torch.autocast:
    """Where matrix products over fp32 parameters are done in `precision(device)` or in `dtype`."""
    chosen = precision(device) if dtype is None else dtype
    return torch.autocast(device.type, torch.bfloat16, enabled=chosen == torch.bfloat16)
