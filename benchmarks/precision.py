"""How long training takes in bf16 and in fp32 on this machine, in turns, and what it comes to.

The stories' `nano` on one thread learns the same batches in both; `chosen` is what a site takes by
itself.
"""

import time
from statistics import median

import numpy as np
import torch

from archipel.ledger import InnerSpec
from archipel.models.checkpoint import new_model
from archipel.models.precision import precision
from archipel.models.sizes import model_config
from archipel.train.group import Group
from archipel.train.inner import InnerOptimiser
from archipel.train.sharding import InsideOptions

_VOCABULARY, _TOKENS, _SEQUENCES = 4096, 256, 8
_BOTH = {"bf16": torch.bfloat16, "fp32": torch.float32}
_RATE = 1e-3


def run(quick: bool) -> dict[str, float | int | str]:
    """Step two models of the same weights in turns; medians."""
    torch.set_num_threads(1)
    alone, steps = Group(torch.device("cpu")), 5 if quick else 40
    models = {name: _inner(alone, dtype) for name, dtype in _BOTH.items()}
    seconds: dict[str, list[float]] = {name: [] for name in _BOTH}
    losses: dict[str, float] = {}
    rows = np.random.default_rng(0).integers(0, 64, (_SEQUENCES, _TOKENS + 1))
    x_BT, y_BT = torch.from_numpy(rows[:, :-1].copy()), torch.from_numpy(rows[:, 1:].copy())
    for _ in range(steps + 1):
        for name, inner in models.items():
            began = time.perf_counter()
            losses[name] = inner.step(x_BT, y_BT, _RATE, targets=y_BT.numel())
            seconds[name].append(time.perf_counter() - began)
    speeds = {name: y_BT.numel() / median(taken[1:]) for name, taken in seconds.items()}
    chosen = "bf16" if precision(alone.device) == torch.bfloat16 else "fp32"
    other = next(name for name in _BOTH if name != chosen)
    return {
        "steps": steps,
        "batch_tokens": y_BT.numel(),
        "chosen": chosen,
        **{f"{name}_tokens_per_second": round(speed) for name, speed in speeds.items()},
        **{f"{name}_last_loss": round(loss, 4) for name, loss in losses.items()},
        "ratio_of_the_chosen_to_the_other": round(speeds[chosen] / speeds[other], 2),
    }


def _inner(group: Group, dtype: torch.dtype) -> InnerOptimiser:
    config = model_config("nano", vocab_size=_VOCABULARY, context=_TOKENS, end_of_text_id=0)
    spec = InnerSpec(
        learning_rate=_RATE,
        warmup_tokens=0,
        batch_sequences=_SEQUENCES,
        sequence_tokens=_TOKENS,
    )
    return InnerOptimiser(new_model(config, 0), spec, InsideOptions(precision=dtype), group)
