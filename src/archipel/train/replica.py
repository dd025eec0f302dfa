"""A site's model in training: step, hand out a fragment, take in a correction.

Knows nothing about rounds, claims or the store.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec
from archipel.train.fragments import Fragment, ModelFragments, Vector
from archipel.train.inner import InnerOptimiser, InsideOptions, pick_device
from archipel.train.work import Tokens


class Replica:
    """The model with its optimiser. Only the training thread touches it."""

    def __init__(
        self,
        model: PreTrainedModel,
        fragments: Sequence[Fragment],
        spec: InnerSpec,
        options: InsideOptions,
    ) -> None:
        self._fragments = fragments
        self._inner = InnerOptimiser(model, spec, pick_device())
        self._live = ModelFragments(model, fragments)

    def step(self, x_BT: Tokens, y_BT: Tokens, learning_rate: float) -> float:
        """One inner step on a batch, int64 [sequences, tokens]; the mean loss before it."""
        return self._inner.step(x_BT, y_BT, learning_rate)

    def capture(self, fragment: int) -> Vector:
        """A copy of one fragment's parameters as they are now."""
        return self._live.capture(fragment)

    def add(self, fragment: int, correction: Vector) -> None:
        """Add a correction to one fragment's parameters."""
        self._live.add(fragment, correction)

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Set all parameters, by name."""
        for index, fragment in enumerate(self._fragments):
            values = torch.from_numpy(fragment.flatten(tensors))
            self._live.write(index, values, add=False)

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """What the optimiser remembers, fp32 by name: empty before the first step."""
        state = self._inner.optimisers.state()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def load_optimiser_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Put back what `optimiser_state` gave."""
        if not tensors:
            self._inner.optimisers.forget()
            return
        self._inner.optimisers.prepare()
        for name, value in self._inner.optimisers.state().items():
            value.copy_(torch.from_numpy(tensors[name]))

    def close(self) -> None:
        """Let the other processes of the site go."""
