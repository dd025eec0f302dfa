"""How likely a model holds the answers, and the two losses made of it: of answers, of preferences.

Knows nothing about optimisers or files. Targets are shaped as in training: -100 is left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import PreTrainedModel

from archipel.tune.batches import UNLEARNT, MicroBatch, cut, pad
from archipel.tune.encoding import Example, Item

_PROBE_TOKENS = 8
_SAME = 1e-4  # of logits in fp32, computed in another order


class Likelihood:
    """Log-probabilities of learnt tokens. The output matrix, most of a small model's work, is left
    out at all other places, in an architecture where that changes nothing."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._logits = _few_logits if _has_plain_head(model) else _all_logits

    def __call__(self, batch: MicroBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probability of each learnt token, nats, and the row that it stands in."""
        x_BT, y_BT = (one.to(self.model.device) for one in batch)
        wanted = y_BT != UNLEARNT
        with torch.autocast(self.model.device.type, torch.bfloat16):
            logits_NV = self._logits(self.model, x_BT, wanted)
        logp_N = -cross_entropy(logits_NV.float(), y_BT[wanted], reduction="none")
        return logp_N, wanted.nonzero()[:, 0]

    def of_rows(self, examples: Sequence[Example]) -> torch.Tensor:
        """The log-probability of what is learnt of each example, all its tokens together."""
        logp_N, rows_N = self(pad(examples))
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
        with _at_rest(self._likelihood.model):
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
        logp_N, _ = self._likelihood(pad([one for item in group for one in item.examples]))
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
        with _at_rest(likelihood.model):
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


def _all_logits(model: PreTrainedModel, x_BT: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = model(input_ids=x_BT, use_cache=False).logits[wanted]
    return found


def _few_logits(model: PreTrainedModel, x_BT: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    body: Any = model.base_model
    hidden_BTD = body(input_ids=x_BT, use_cache=False).last_hidden_state
    found: torch.Tensor = model.get_output_embeddings()(hidden_BTD[wanted])
    return found


def _has_plain_head(model: PreTrainedModel) -> bool:
    """Whether the logits are the output matrix's own: some architectures scale or bend them."""
    if model.base_model is model or model.get_output_embeddings() is None:
        return False
    x_BT = torch.arange(_PROBE_TOKENS, device=model.device)[None]
    everywhere = torch.ones_like(x_BT, dtype=torch.bool)
    with _at_rest(model):
        full, few = (logits(model, x_BT, everywhere) for logits in (_all_logits, _few_logits))
    return torch.allclose(full, few, rtol=_SAME, atol=_SAME)


@contextmanager
def _at_rest(model: PreTrainedModel) -> Iterator[None]:
    """Nothing is learnt, and nothing is dropped out."""
    training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(training)
