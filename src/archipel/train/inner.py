"""The inner step: forward, backward, clip, optimiser, in bf16 autocast over fp32 parameters.

Knows nothing about sites; the learning rate follows a count of tokens that is passed in.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec
from archipel.train.optimisers import Optimisers
from archipel.train.work import Tokens

_JOIN_WARMUP_STEPS = 50  # more than twice AdamW's longest memory at β₂ = 0.95


def learning_rate(spec: InnerSpec, *, tokens: int, budget_tokens: int, step: int) -> float:
    """Linear warm-up, then cosine decay to a tenth, over the tokens of all sites together.

    `step` counts this process's own steps: AdamW that has just started takes steps as large as the
    rate whatever the gradients, so a site that joins late warms up on its own too.
    """
    started = min(1.0, (step + 1) / _JOIN_WARMUP_STEPS)
    if tokens < spec.warmup_tokens:
        return spec.learning_rate * min(started, (tokens + spec.batch_tokens) / spec.warmup_tokens)
    done = min(1.0, (tokens - spec.warmup_tokens) / max(1, budget_tokens - spec.warmup_tokens))
    return spec.learning_rate * started * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class InsideOptions:
    """How a site lays out its own work. It changes speed and memory, and results by rounding only.

    `micro_batch` is how many sequences a process takes in one forward pass (None: all of its own).
    """

    micro_batch: int | None = None
    checkpoint_activations: bool = False
    compile: bool = False
    sharding: Literal["ddp", "fsdp"] = "ddp"
    precision: Literal["bf16", "fp32"] = "bf16"  # of matrix products; parameters are always fp32


class InnerOptimiser:
    """A model with its optimiser, on one process."""

    def __init__(
        self,
        model: PreTrainedModel,
        spec: InnerSpec,
        device: torch.device,
        options: InsideOptions = InsideOptions(),
    ) -> None:
        self.model = model.train()
        torch.nn.Module.to(model, device)  # transformers hides this method's types
        self._spec = spec
        self._device = device
        self._options = options
        self.optimisers = Optimisers(model, spec)

    def step(self, x_BT: Tokens, y_BT: Tokens, learning_rate: float) -> float:
        """One step on a batch; the mean loss in nats per token before it."""
        x = torch.from_numpy(x_BT).to(self._device)
        y = torch.from_numpy(y_BT).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16):
            logits_BTV = self.model(input_ids=x, use_cache=False).logits
        loss = cross_entropy(logits_BTV.float().flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._spec.gradient_clip)
        self.optimisers.step(learning_rate)
        return float(loss.detach())


def pick_device() -> torch.device:
    """The accelerator, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
