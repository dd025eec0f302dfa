"""What there is to choose of LoRA."""

from dataclasses import dataclass

FURTHER_FOR_LORA = 10  # times the rate: the factors begin at nothing, and take larger steps


@dataclass(frozen=True)
class Lora:
    """`rank` columns in each factor; what they amount to is scaled by `alpha` / `rank`."""

    rank: int
    alpha: float
