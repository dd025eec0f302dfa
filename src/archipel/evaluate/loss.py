"""Held-out loss of a model, and of the simplest model there is, to compare with."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.corpus import TokenReader
from archipel.corpus.answers import NO_TARGET
from archipel.models.precision import autocast

_SEQUENCES = 8


@torch.no_grad()
def held_out_loss(
    model: PreTrainedModel, reader: TokenReader, *, sequence_tokens: int, tokens: int
) -> float:
    """Mean loss, in nats per token that is learnt, over the first `tokens` of `reader` (or all).

    The model runs in evaluation mode, in the precision of training.
    """
    total, counted = 0.0, 0
    available = min(tokens, reader.tokens - 1) // sequence_tokens
    model.eval()
    for first in range(0, available, _SEQUENCES):
        sequences = min(_SEQUENCES, available - first)
        start, count = first * sequence_tokens, sequences * sequence_tokens
        x = torch.from_numpy(reader.read(start, count).reshape(sequences, -1)).to(model.device)
        y = torch.from_numpy(reader.read_targets(start, count + 1)[1:]).to(model.device)
        with autocast(model.device):
            logits = model(input_ids=x, use_cache=False).logits
        total += float(cross_entropy(logits.float().flatten(0, 1), y, reduction="sum"))
        counted += int((y != NO_TARGET).sum())
    return total / max(1, counted)


def unigram_loss(train: TokenReader, held_out: TokenReader, *, vocab: int, tokens: int) -> float:
    """Loss in nats per token of the model that knows only how often each token occurs.

    Counts (add-one smoothed) over up to `tokens` of each split.
    """
    counts = np.bincount(train.read(0, min(tokens, train.tokens)), minlength=vocab) + 1
    nats = np.log(counts.sum()) - np.log(counts)
    return float(nats[held_out.read(0, min(tokens, held_out.tokens))].mean())
