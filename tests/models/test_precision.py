"""Which numbers a device multiplies matrices in."""

from pathlib import Path

import pytest
import torch

from archipel.models.precision import autocast, precision

CPU = torch.device("cpu")
CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists(), reason="Linux tells what a processor can do")
def test_a_processor_without_instructions_for_bf16_computes_in_fp32() -> None:
    told = next(
        line for line in CPUINFO.read_text().splitlines() if line.startswith(("flags", "Features"))
    )
    able = {"amx_bf16", "avx512_bf16", "bf16"} & set(told.split())
    assert precision(CPU) == (torch.bfloat16 if able else torch.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_is_asked_for_is_taken(dtype: torch.dtype) -> None:
    with autocast(CPU, dtype):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_by_itself_it_is_the_devices() -> None:
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == precision(CPU)
