"""A model's logits at some tokens only: at all others a small model's output matrix, most of its
work, is for nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import PreTrainedModel

from archipel.models.shapes import round_up

_PROBE_TOKENS = 8
_SAME = 1e-4  # of logits in fp32, computed in another order

# A model, ids [batch, tokens] and which of them are wanted → logits [wanted, vocabulary].
LogitsAt = Callable[[PreTrainedModel, torch.Tensor, torch.Tensor], torch.Tensor]


def logits_at(model: PreTrainedModel) -> LogitsAt:
    """The cheapest way that changes nothing, found by a trial."""
    return _few if _has_plain_head(model) else logits_of_all


@contextmanager
def at_rest(model: PreTrainedModel) -> Iterator[None]:
    """Nothing is learnt, and nothing is dropped out."""
    training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(training)


def logits_of_all(model: PreTrainedModel, x_BT: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """As `LogitsAt`, by the whole forward pass, in which every architecture's are right."""
    found: torch.Tensor = model(input_ids=x_BT, use_cache=False).logits[wanted]
    return found


def _few(model: PreTrainedModel, x_BT: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    body: Any = model.base_model
    hidden_BTD = body(input_ids=x_BT, use_cache=False).last_hidden_state
    hidden_ND = hidden_BTD[wanted]
    count = len(hidden_ND)
    found: torch.Tensor = model.get_output_embeddings()(
        pad(hidden_ND, (0, 0, 0, round_up(count) - count))
    )
    return found[:count]


def _has_plain_head(model: PreTrainedModel) -> bool:
    """Whether the logits are the output matrix's own: some architectures scale or bend them."""
    if model.base_model is model or model.get_output_embeddings() is None:
        return False
    x_BT = torch.arange(_PROBE_TOKENS, device=model.device)[None]
    everywhere = torch.ones_like(x_BT, dtype=torch.bool)
    with at_rest(model):
        full, few = (logits(model, x_BT, everywhere) for logits in (logits_of_all, _few))
    return torch.allclose(full, few, rtol=_SAME, atol=_SAME)
