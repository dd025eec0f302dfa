"""A site's model in training: step, hand out a fragment, take in a correction.

One process, or under torchrun several: rank 0 leads, and each call tells the others to do the same.
Knows nothing about rounds, claims or the store.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from archipel.corpus.answers import NO_TARGET
from archipel.errors import ConfigError, IntegrityError
from archipel.ledger import InnerSpec
from archipel.train.fragments import Fragment, ModelFragments, Vector
from archipel.train.group import Group, peers_needed, pick_device
from archipel.train.inner import InnerOptimiser
from archipel.train.sharding import InsideOptions
from archipel.train.work import Tokens


class _Do(IntEnum):
    LEAVE = 0
    MAKE = 1
    STEP = 2
    CAPTURE = 3
    WRITE = 4
    SAVE_OPTIMISER = 5
    RESET_OPTIMISER = 6
    LOAD_OPTIMISER = 7
    CLOSE = 8


class Replica:
    """The model with its optimiser. Only the training thread touches it.

    In a group, rank 0 makes it and calls its methods; the other ranks do the same in `follow`.
    Any method raises RunError when another process of the group has ended.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        fragments: Sequence[Fragment],
        spec: InnerSpec,
        options: InsideOptions,
        group: Group | None = None,
    ) -> None:
        """Lay the model out over the group; without one, on this process's device.

        Raises:
            ConfigError: there are more processes than sequences in a batch.
        """
        group = group or Group(pick_device())
        if group.size > spec.batch_sequences:
            raise ConfigError(
                f"{group.size} processes can't share a batch of {spec.batch_sequences} sequences: "
                "start fewer with --nproc-per-node, or create the run with a larger --batch"
            )
        self._fragments = fragments
        self._group = group
        self._whole = True  # as far as this process knows, the group is
        self._shards = group.size if options.sharding == "fsdp" else 1
        with self._lead(_Do.MAKE):
            self._inner = InnerOptimiser(model, spec, options, group)
        self._live = ModelFragments(
            model, fragments, shard=group.rank if self._shards > 1 else 0, shards=self._shards
        )

    def step(self, x_BT: Tokens, y_BT: Tokens, learning_rate: float) -> float:
        """One inner step on a batch, int64 [sequences, tokens]; the mean loss before it, over the
        targets that are not NO_TARGET."""
        sequences, tokens = x_BT.shape
        targets = max(1, int((y_BT != NO_TARGET).sum()))
        with self._lead(_Do.STEP, sequences, tokens, targets, _bits(learning_rate)):
            return self._step(np.stack([x_BT, y_BT]), (sequences, tokens), targets, learning_rate)

    def capture(self, fragment: int) -> Vector:
        """A copy of one fragment's parameters as they are now."""
        if self._shards == 1:
            return self._capture(fragment)
        with self._lead(_Do.CAPTURE, fragment):
            return self._capture(fragment)

    def add(self, fragment: int, correction: Vector) -> None:
        """Add a correction to one fragment's parameters."""
        with self._lead(_Do.WRITE, fragment, True):
            self._write(fragment, torch.from_numpy(correction), add=True)

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Set all parameters, by name."""
        for index, fragment in enumerate(self._fragments):
            with self._lead(_Do.WRITE, index, False):
                self._write(index, torch.from_numpy(fragment.flatten(tensors)), add=False)

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """What the optimiser remembers, by kind and parameter: empty before the first step."""
        if self._shards == 1:
            return dict(self._optimiser_state())
        with self._lead(_Do.SAVE_OPTIMISER):
            return dict(self._optimiser_state())

    def load_optimiser_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Put back what `optimiser_state` gave.

        Raises:
            IntegrityError: it is of another model or another optimiser; nothing is remembered then.
        """
        self._reset_optimiser(used=bool(tensors))
        expected = {key: value.shape for key, value in self._inner.optimisers.state().items()}
        if expected != {key: value.shape for key, value in tensors.items()}:
            self._reset_optimiser(used=False)
            raise IntegrityError(
                f"the optimiser's saved state ({len(tensors)} tensors) does not fit this model and "
                f"optimiser ({len(expected)} tensors): remove it to start the optimiser afresh"
            )
        if tensors:
            with self._lead(_Do.LOAD_OPTIMISER):
                self._load_optimiser(tensors)

    def close(self) -> None:
        """Let the other processes of the site go, unless one of them has failed."""
        if self._whole:
            self._group.tell(_Do.CLOSE)

    @contextmanager
    def _lead(self, what: _Do, *words: int) -> Iterator[None]:
        """Tell the others what this process does now."""
        try:
            with peers_needed():
                self._group.tell(what, *words)
                yield
        except BaseException:
            self._whole = False  # the others may be anywhere in it
            raise

    def _follow(self) -> int:
        """Do as rank 0 does, until it closes or forgets this replica; its last word."""
        while True:
            what, *words = self._group.hear()
            match what:
                case _Do.STEP:
                    sequences, tokens, targets, rate = words
                    self._step(None, (sequences, tokens), targets, _from_bits(rate))
                case _Do.CAPTURE:
                    self._capture(words[0])
                case _Do.WRITE:
                    self._write(words[0], None, add=bool(words[1]))
                case _Do.SAVE_OPTIMISER:
                    dict(self._optimiser_state())
                case _Do.RESET_OPTIMISER:
                    self._inner.optimisers.reset(used=bool(words[0]))
                case _Do.LOAD_OPTIMISER:
                    self._load_optimiser({})
                case _:
                    return what

    def _step(
        self, batch: np.ndarray | None, shape: tuple[int, int], targets: int, learning_rate: float
    ) -> float:
        """`batch` is int64 [2, sequences, tokens], on rank 0."""
        group, (sequences, tokens) = self._group, shape
        each = -(-sequences // group.size)
        parts = None
        if batch is not None:
            padding = ((0, 0), (0, each * group.size - sequences), (0, 0))
            padded = torch.from_numpy(np.pad(batch, padding, constant_values=NO_TARGET))
            padded[0].clamp_(min=0)  # any token will do where there is no target
            parts = padded.unflatten(1, (group.size, each)).unbind(1)
        x_BT, y_BT = group.deal(parts, (2, each, tokens))
        return self._inner.step(x_BT, y_BT, learning_rate, targets=targets)

    def _capture(self, fragment: int) -> Vector:
        mine = self._live.read(fragment)
        if self._shards == 1:
            return np.asarray(mine.cpu().numpy())
        parts = self._group.gather(mine, self._live.sizes(fragment))
        return self._live.join(fragment, [part.cpu() for part in parts])

    def _write(self, fragment: int, vector: torch.Tensor | None, *, add: bool) -> None:
        """`vector` is on rank 0."""
        group, sizes = self._group, self._live.sizes(fragment)
        if self._shards > 1:
            parts = None if vector is None else self._live.cut(fragment, vector)
            vector = group.scatter(parts, sizes[group.rank])
        elif group.size > 1:
            vector = group.broadcast(vector, sizes[0])
        assert vector is not None
        self._live.write(fragment, vector, add=add)

    def _optimiser_state(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, value in self._inner.optimisers.state().items():
            whole = value.full_tensor() if isinstance(value, DTensor) else value
            if self._group.rank == 0:
                yield name, np.array(whole.cpu().numpy())

    def _reset_optimiser(self, *, used: bool) -> None:
        with self._lead(_Do.RESET_OPTIMISER, used):
            self._inner.optimisers.reset(used=used)

    def _load_optimiser(self, tensors: Mapping[str, np.ndarray]) -> None:
        for name, value in self._inner.optimisers.state().items():
            whole = torch.empty(value.shape, dtype=value.dtype)
            if self._group.rank == 0:
                whole = torch.tensor(tensors[name])  # a copy: what a file holds can't be written
            self._group.spread(whole, value)


def follow(group: Group, make: Callable[[], Replica]) -> None:
    """On ranks above 0: make each replica that rank 0 makes and do as it does, until it leaves.

    Raises:
        RunError: another process of the group has ended.
    """
    with peers_needed():
        what = group.hear()[0]
        while what == _Do.MAKE:
            what = make()._follow()
            if what == _Do.CLOSE:
                what = group.hear()[0]


def _bits(number: float) -> int:
    """A float64 as the whole number with the same bits."""
    return int(np.float64(number).view(np.int64))


def _from_bits(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))
