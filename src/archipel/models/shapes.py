"""Sizes that come again. For each new shape of a product in bf16, torch compiles kernels on a CPU
and keeps them, half of them for good: 0.6 MB, which many lengths add up to gigabytes."""

_LEAST = 32
_LEADING_BITS = 3


def round_up(count: int) -> int:
    """The next of 32, 40, 48, 56, 64, 80, 96, 112, 128, …: four between doubles, less than a
    quarter more."""
    least = max(count, _LEAST)
    step = 1 << (least.bit_length() - _LEADING_BITS)
    return -(-least // step) * step
