"""The inner step: forward, backward, clip, optimiser, in bf16 or fp32 over fp32 parameters.

Knows nothing about sites; the learning rate follows a count of tokens that is passed in.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec
from archipel.models.precision import autocast, precision
from archipel.train.group import Group
from archipel.train.kinds import kind_of_model
from archipel.train.optimisers import Optimisers
from archipel.train.sharding import InsideOptions, lay_out

JOIN_WARMUP_STEPS = 50  # more than twice AdamW's longest memory at β₂ = 0.95


def learning_rate(spec: InnerSpec, *, tokens: int, budget_tokens: int, step: int) -> float:
    """Linear warm-up, then cosine decay to a tenth, over the tokens of all sites together.

    `step` counts this process's own steps: AdamW that has just started takes steps as large as the
    rate whatever the gradients, so a site that joins late warms up on its own too.
    """
    started = min(1.0, (step + 1) / JOIN_WARMUP_STEPS)
    if tokens < spec.warmup_tokens:
        return spec.learning_rate * min(started, (tokens + spec.batch_tokens) / spec.warmup_tokens)
    done = min(1.0, (tokens - spec.warmup_tokens) / max(1, budget_tokens - spec.warmup_tokens))
    return spec.learning_rate * started * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


class InnerOptimiser:
    """A model with its optimiser. In a group, every process steps its own part of the batch."""

    def __init__(
        self,
        model: PreTrainedModel,
        spec: InnerSpec,
        options: InsideOptions,
        group: Group,
    ) -> None:
        self.model = model.train()
        self._spec = spec
        self._options = replace(options, precision=options.precision or _common(group))
        self._group = group
        self._forward = lay_out(model, self._options, group)
        self._loss = kind_of_model(model).loss(model, self._forward, alone=group.size == 1)
        self.optimisers = Optimisers(model, spec)

    def step(
        self, x_BT: torch.Tensor, y_BT: torch.Tensor, learning_rate: float, *, targets: int
    ) -> float:
        """One step on a batch; the mean loss before it, over all processes, as the model's kind has
        it: nats per token of a text.

        Targets of NO_TARGET are left out; `targets` counts the others in the whole group's batch.
        All processes must have equally many sequences.
        """
        loss = torch.zeros((), device=self._group.device)
        pieces = self._options.micro_batch or len(x_BT)
        starts = range(0, len(x_BT), pieces)
        for start in starts:
            part = slice(start, start + pieces)
            with self._sync(last=start == starts[-1]):
                with autocast(self._group.device, self._options.precision):
                    share = self._loss(x_BT[part], y_BT[part]) / targets
                (share * self._group.size).backward()  # DDP and FSDP take the mean over processes
            loss += share.detach()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._spec.gradient_clip)
        self.optimisers.step(learning_rate)
        return float(self._group.sum(loss))

    def _sync(self, *, last: bool) -> AbstractContextManager[None]:
        """DDP sums gradients over processes in the last backward pass only."""
        if last or not isinstance(self._forward, DistributedDataParallel):
            return nullcontext()
        return self._forward.no_sync()


def _common(group: Group) -> torch.dtype:
    """The precision that is fast on all of the group's devices: with FSDP2 they send each other
    parameters in it."""
    slow = torch.tensor(float(precision(group.device) == torch.float32), device=group.device)
    return torch.float32 if group.sum(slow) else torch.bfloat16
