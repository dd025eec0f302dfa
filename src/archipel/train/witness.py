"""What a contribution's own data says of it: the gradient of the loss on the tokens that it cites.

Asked by merge duty, seldom, about a contribution that is like nothing else in its round.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel.corpus.answers import NO_TARGET
from archipel.ledger import Range, RunSpec
from archipel.models.precision import autocast
from archipel.train.fragments import Vector
from archipel.train.kinds import Loss, kind_of_model, run_model
from archipel.train.state import GlobalState
from archipel.train.work import Work

_BATCHES = 4  # of the contribution's, evenly spread


class Witness:
    """The run's model once more, on the CPU, made when it is first needed. One job at a time."""

    def __init__(self, spec: RunSpec, work: Work) -> None:
        self._spec = spec
        self._work = work

    @cached_property
    def _model(self) -> PreTrainedModel:
        return run_model(self._spec, self._work.corpus)

    @cached_property
    def _loss(self) -> Loss:
        return kind_of_model(self._model).loss(self._model, self._model, alone=True)

    def gradient(self, state: GlobalState, fragment: int, ranges: Sequence[Range]) -> Vector:
        """The gradient at the global parameters, fp32, for one fragment's values.

        Zero where the ranges hold no whole batch.

        Raises:
            StoreError: the tokens can't be fetched.
            IntegrityError: a shard of the corpus is not what the manifest says.
        """
        self._model.zero_grad(set_to_none=False)
        tensors = {name: torch.from_numpy(value) for name, value in state.tensors().items()}
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                parameter.copy_(tensors[name])
        for piece, at in _spread(_batches(ranges, self._spec.inner.batch_tokens)):
            self._add_gradient(piece, at)
        gradients = {
            name: np.zeros(parameter.shape, np.float32)
            if parameter.grad is None
            else parameter.grad.numpy()
            for name, parameter in self._model.named_parameters()
        }
        return state.fragments[fragment].flatten(gradients)

    def _add_gradient(self, piece: Range, at: int) -> None:
        self._work.bring(piece.unit)
        x_BT, y_BT = map(torch.from_numpy, self._work.read(piece.unit, at))
        with autocast(x_BT.device):
            loss = self._loss(x_BT, y_BT)
        (loss / max(1, int((y_BT != NO_TARGET).sum()))).backward()


def _batches(ranges: Sequence[Range], batch_tokens: int) -> list[tuple[Range, int]]:
    """Where the whole batches in the ranges begin."""
    return [
        (piece, at)
        for piece in ranges
        for at in range(piece.start, piece.stop - batch_tokens + 1, batch_tokens)
    ]


def _spread(batches: Sequence[tuple[Range, int]]) -> list[tuple[Range, int]]:
    """Some of them, from the first to the last."""
    count = min(_BATCHES, len(batches))
    places = np.linspace(0, len(batches) - 1, count).astype(int)
    return [batches[place] for place in places]
