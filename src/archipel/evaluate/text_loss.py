"""How likely a checkpoint holds a text, token by token."""

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.errors import ModelError
from archipel.evaluate.windows import Window


@torch.no_grad()
def token_losses(model: PreTrainedModel, windows: Sequence[Window]) -> list[list[float]]:
    """The loss of each token that counts, in nats, computed in the model's own type.

    Raises:
        ModelError: the model gives something that is not a number.
    """
    model.eval()
    found = []
    for window in windows:
        ids = torch.tensor([window.ids], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0, window.counted - 1 : -1].float()
        losses = cross_entropy(logits, ids[0, window.counted :], reduction="none")
        if not torch.isfinite(losses).all():
            raise ModelError(
                "the checkpoint's loss is not a finite number: its weights are damaged, or its "
                "training went astray. Export an earlier state of it"
            )
        found.append(losses.tolist())
    return found
