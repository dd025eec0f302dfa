"""How likely a model holds the answers, and the two losses made of it: of answers, of preferences.

Knows nothing about optimisers or files. Targets are shaped as in training: -100 is left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import PreTrainedModel

from archipel.corpus.answers import NO_TARGET
from archipel.models.logits import at_rest, logits_at, logits_of_all
from archipel.models.precision import autocast
from archipel.tune.batches import cut, pad
from archipel.tune.encoding import Example, Item

GENTLER_BY_PREFERENCE = 20  # than by answers is the usual rate
_TOKENS = 4096
_LOGITS = 1 << 26  # tokens × vocabulary in one backward pass: 256 MB in fp32


class Likelihood:
    """Log-probabilities of learnt tokens, in whatever precision is set around it. The output
    matrix, most of a small model's work, is left out at all other places, in an architecture where
    that changes nothing."""

    def __init__(self, model: PreTrainedModel, forward: Any = None) -> None:
        """`forward` is the model as it is laid out over several processes, if it is."""
        self.model = model
        self._forward = forward or model
        self._logits = logits_of_all if forward else logits_at(model)
        self._context = getattr(model.config, "max_position_embeddings", None)

    def __call__(self, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probability of each learnt token, nats, and the number of its example."""
        x_BT, y_BT = (one.to(self.model.device) for one in pad(examples, self._context))
        wanted = y_BT != NO_TARGET
        logits_NV = self._logits(self._forward, x_BT, wanted)
        logp_N = -cross_entropy(logits_NV.float(), y_BT[wanted], reduction="none")
        return logp_N, wanted.nonzero()[:, 0]

    @property
    def usual_tokens(self) -> int:
        """Of one pass, padding counted: fewer where the vocabulary is large."""
        vocabulary: int = self.model.config.vocab_size
        return max(1, min(_TOKENS, _LOGITS // vocabulary))

    def of_rows(self, examples: Sequence[Example]) -> torch.Tensor:
        """The log-probability of what is learnt of each example, all its tokens together."""
        logp_N, rows_N = self(examples)
        zeros = torch.zeros(len(examples), device=logp_N.device)
        return zeros.index_add(0, rows_N, logp_N)


class Objective(ABC):
    """What a model is to become better at. A step's items are taken in parts that fit in memory."""

    def __init__(self, likelihood: Likelihood, most_tokens: int) -> None:
        self._likelihood = likelihood
        self._most_tokens = most_tokens

    def learn(self, items: Sequence[Item]) -> float:
        """Add the gradients of the loss of one step's items; the loss, a mean."""
        total, count = 0.0, self._count(items)
        for group in cut(items, self._most_tokens):
            part = self._summed(group) / count
            part.backward()
            total += float(part.detach())
        return total

    def measure(self, items: Sequence[Item]) -> float:
        """The loss of items that are not learnt from."""
        with at_rest(self._likelihood.model):
            total = sum(float(self._summed(group)) for group in cut(items, self._most_tokens))
        return total / self._count(items)

    def _summed(self, group: Sequence[Item]) -> torch.Tensor:
        with autocast(self._likelihood.model.device):
            return self._sum(group)

    @abstractmethod
    def _count(self, items: Sequence[Item]) -> int:
        """Over how many the loss is the mean."""

    @abstractmethod
    def _sum(self, group: Sequence[Item]) -> torch.Tensor:
        """The sum of the losses of a few items."""


class AnswerLoss(Objective):
    """By how much each token of the answers surprises the model, in nats."""

    def _count(self, items: Sequence[Item]) -> int:
        return sum(int(one.learnt[1:].sum()) for item in items for one in item.examples)

    def _sum(self, group: Sequence[Item]) -> torch.Tensor:
        logp_N, _ = self._likelihood([one for item in group for one in item.examples])
        return -logp_N.sum()


def margins(likelihood: Likelihood, pairs: Sequence[Item]) -> torch.Tensor:
    """By how much each pair's first answer is likelier than its second, nats, fp32 [pairs]."""
    chosen, rejected = zip(*(pair.examples for pair in pairs), strict=True)
    logp = likelihood.of_rows([*chosen, *rejected])
    return logp[: len(pairs)] - logp[len(pairs) :]


def margins_at_rest(
    likelihood: Likelihood, pairs: Sequence[Item], most_tokens: int
) -> dict[Item, float]:
    """The margin of each pair by the model as it is, in passes of at most so many tokens."""
    found: dict[Item, float] = {}
    with at_rest(likelihood.model):
        for group in cut(pairs, most_tokens):
            with autocast(likelihood.model.device):
                found |= zip(group, margins(likelihood, group).tolist(), strict=True)
    return found


def preference_losses(margins_B: torch.Tensor, start_B: torch.Tensor, beta: float) -> torch.Tensor:
    """Direct preference optimisation (arXiv 2305.18290): of each pair -log σ(β · (margin - that at
    the start)), fp32 [B]."""
    return -logsigmoid(beta * (margins_B - start_B))


class PreferenceLoss(Objective):
    """How little a model prefers the chosen answers more than it did at the start."""

    def __init__(
        self, likelihood: Likelihood, most_tokens: int, *, beta: float, items: Sequence[Item]
    ) -> None:
        """`items` are all that will be asked for: the model at the start is as it is now."""
        super().__init__(likelihood, most_tokens)
        self._beta = beta
        self._start = margins_at_rest(likelihood, items, most_tokens)

    def _count(self, items: Sequence[Item]) -> int:
        return len(items)

    def _sum(self, group: Sequence[Item]) -> torch.Tensor:
        now = margins(self._likelihood, group)
        start = now.new_tensor([self._start[item] for item in group])
        return preference_losses(now, start, self._beta).sum()
