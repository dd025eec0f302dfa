"""The inner optimiser's step: forward, backward, AdamW, in bf16 autocast over fp32 parameters.

Knows nothing about sites; the learning rate follows a count of tokens that is passed in.
"""

import math

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec
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


class InnerOptimiser:
    """A model with its AdamW: weight decay on matrices only."""

    def __init__(self, model: PreTrainedModel, spec: InnerSpec, device: torch.device) -> None:
        self.model = model.train()
        torch.nn.Module.to(model, device)  # transformers hides this method's types
        self._spec = spec
        self._device = device
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": spec.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._adamw = torch.optim.AdamW(
            groups, lr=spec.learning_rate, betas=(spec.beta1, spec.beta2), fused=True
        )

    def step(self, x_BT: Tokens, y_BT: Tokens, learning_rate: float) -> float:
        """One step on a batch; the mean loss in nats per token before it."""
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        x = torch.from_numpy(x_BT).to(self._device)
        y = torch.from_numpy(y_BT).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16):
            logits_BTV = self.model(input_ids=x, use_cache=False).logits
        loss = cross_entropy(logits_BTV.float().flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._spec.gradient_clip)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)
        return float(loss.detach())


def pick_device() -> torch.device:
    """The accelerator, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
