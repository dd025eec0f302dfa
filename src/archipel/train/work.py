"""Claims into batches: where each claim's tokens lie, and how far training has come in each.

Knows nothing about models. Only the training thread touches it, but for `bring` and `read`.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from archipel.corpus import TokenReader
from archipel.ledger import Claim, RunSpec
from archipel.train.mailbox import ClaimKey

Tokens = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Batch:
    """Inputs and targets, int64 [sequences, tokens], and the claim that they come from. A target of
    NO_TARGET is left out."""

    x_BT: Tokens
    y_BT: Tokens
    key: ClaimKey
    stop: int


class Work:
    """The claim in hand, and what was trained of every claim that is not settled yet."""

    def __init__(self, spec: RunSpec, reader: TokenReader) -> None:
        self._spec = spec
        self._reader = reader
        self._trained: dict[ClaimKey, tuple[int, int]] = {}
        self._claim: Claim | None = None
        self._at = 0

    @property
    def trained(self) -> dict[ClaimKey, tuple[int, int]]:
        """Start and stop, within the unit, of what was trained of each claim: a copy."""
        return dict(self._trained)

    @property
    def corpus(self) -> Path:
        """The folder that is read."""
        return self._reader.folder

    def begin(self, claim: Claim) -> None:
        """Take a claim in hand."""
        self._claim, self._at = claim, claim.start

    def settle(self, key: ClaimKey) -> None:
        """Forget a claim that every fragment's commits hold to its end."""
        self._trained.pop(key, None)

    def next_batch(self) -> Batch | None:
        """The next batch of the claim in hand, or None when it is used up or there is none."""
        if self._claim is None or self._at >= self._spec.unit_length(self._claim.unit):
            self._claim = None
            return None
        x_BT, y_BT = self.read(self._claim.unit, self._at)
        return Batch(
            x_BT=x_BT,
            y_BT=y_BT,
            key=(self._claim.unit, self._claim.generation),
            stop=self._at + self._spec.inner.batch_tokens,
        )

    def done(self, batch: Batch) -> None:
        """Note that a batch was trained."""
        start, _ = self._trained.get(batch.key, (self._at, self._at))
        self._trained[batch.key] = (start, batch.stop)
        self._at = batch.stop

    def bring(self, unit: int) -> None:
        """Fetch a unit's tokens to this machine. Any thread may call this.

        Raises:
            StoreError: the store can't be reached.
            IntegrityError: a shard is not what the manifest says.
        """
        self._reader.bring(self._offset(unit), self._spec.unit_length(unit) + 1)

    def read(self, unit: int, at: int) -> tuple[Tokens, Tokens]:
        """Inputs and targets of the batch that begins at a unit's token `at`. Any thread may call
        this."""
        inner, start = self._spec.inner, self._offset(unit) + at
        tokens = self._reader.read(start, inner.batch_tokens)
        targets = self._reader.read_targets(start, inner.batch_tokens + 1)[1:]
        shape = (inner.batch_sequences, inner.sequence_tokens)
        return tokens.reshape(shape), targets.reshape(shape)

    def _offset(self, unit: int) -> int:
        """The unit's first token in the corpus: each epoch has its own order.

        A document longer than a unit is thus spread over the epoch, not trained in one go.
        """
        epoch, place = divmod(unit, self._spec.epoch_units)
        order = _order(self._spec.seed, epoch, self._spec.epoch_units)
        return int(order[place]) * self._spec.unit_tokens


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, units: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(units)
