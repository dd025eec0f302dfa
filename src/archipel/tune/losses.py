"""How likely a model holds the answers, and the two losses made of it: of answers, of preferences.

Knows nothing about optimisers or files. Targets are shaped as in training: -100 is left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import PreTrainedModel

from archipel.corpus.answers import NO_TARGET
from archipel.models.logits import at_rest, logits_at
from archipel.models.precision import autocast
from archipel.tune.batches import cut, pad
from archipel.tune.encoding import Example, Item


class Likelihood:
    """Log-probabilities of learnt tokens. The output matrix, most of a small model's work, is left
    out at all other places, in an architecture where that changes nothing."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._logits = logits_at(model)
        self._context = getattr(model.config, "max_position_embeddings", None)

    def __call__(self, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probability of each learnt token, nats, and the number of its example."""
        x_BT, y_BT = (one.to(self.model.device) for one in pad(examples, self._context))
        wanted = y_BT != NO_TARGET
        with autocast(self.model.device):
            logits_NV = self._logits(self.model, x_BT, wanted)
        logp_N = -cross_entropy(logits_NV.float(), y_BT[wanted], reduction="none")
        return logp_N, wanted.nonzero()[:, 0]

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
            part = self._sum(group) / count
            part.backward()
            total += float(part.detach())
        return total

    def measure(self, items: Sequence[Item]) -> float:
        """The loss of items that are not learnt from."""
        with at_rest(self._likelihood.model):
            total = sum(float(self._sum(group)) for group in cut(items, self._most_tokens))
        return total / self._count(items)

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


class PreferenceLoss(Objective):
    """Direct preference optimisation (arXiv 2305.18290): -log σ(β · (margin - that at the start)),
    where the margin is by how much the chosen answer is likelier than the rejected one."""

    def __init__(
        self, likelihood: Likelihood, most_tokens: int, *, beta: float, items: Sequence[Item]
    ) -> None:
        """`items` are all that will be asked for: the model at the start is as it is now."""
        super().__init__(likelihood, most_tokens)
        self._beta = beta
        self._start: dict[Item, float] = {}
        with at_rest(likelihood.model):
            for group in cut(items, most_tokens):
                self._start |= zip(group, self._margins(group).tolist(), strict=True)

    def _count(self, items: Sequence[Item]) -> int:
        return len(items)

    def _sum(self, group: Sequence[Item]) -> torch.Tensor:
        margins = self._margins(group)
        start = margins.new_tensor([self._start[item] for item in group])
        return -logsigmoid(self._beta * (margins - start)).sum()

    def _margins(self, group: Sequence[Item]) -> torch.Tensor:
        chosen, rejected = zip(*(item.examples for item in group), strict=True)
        logp = self._likelihood.of_rows([*chosen, *rejected])
        return logp[: len(group)] - logp[len(group) :]
