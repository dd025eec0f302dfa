"""What passes between the training thread and the exchange: the only state that they share."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from archipel.ledger import Claim
from archipel.train.fragments import Vector

T = TypeVar("T")
ClaimKey = tuple[int, int]  # unit, generation


@dataclass(frozen=True)
class Capture:
    """A fragment's parameters between two inner steps, and what had been trained by then."""

    fragment: int
    base: int  # the round whose correction was the last one added to these values
    values: Vector
    trained: Mapping[ClaimKey, tuple[int, int]]  # start and stop within the unit
    loss: float


@dataclass(frozen=True)
class Correction:
    """What a commit adds to the local parameters of one fragment."""

    fragment: int
    round: int
    values: Vector


@dataclass(frozen=True)
class Report:
    """How the training thread is getting on; replaced whole."""

    state: str = "joining"
    step: int = 0
    tokens: int = 0
    loss: float | None = None
    tokens_per_second: float = 0.0
    step_seconds: float = 0.0
    busy: float = 0.0  # share of the last seconds that went into inner steps
    trained: Mapping[ClaimKey, tuple[int, int]] = field(default_factory=dict)


class Mailbox:
    """Queues in both directions; every method may be called from either thread."""

    def __init__(self) -> None:
        self.captures: SimpleQueue[Capture] = SimpleQueue()
        self.corrections: SimpleQueue[Correction] = SimpleQueue()
        self.work: SimpleQueue[Claim] = SimpleQueue()
        self.settled: SimpleQueue[ClaimKey] = SimpleQueue()
        self.metrics: SimpleQueue[dict[str, float | int | str]] = SimpleQueue()
        self.wanted: frozenset[int] = frozenset()  # fragments whose contribution a round waits for
        self.report = Report()
        self.sync_steps = 0  # H as it is now
        self.cpu_seconds = 0.0  # that all threads but training's have used
        self.optimiser: dict[str, np.ndarray] | None = None  # for the next checkpoint
        self.global_tokens = 0  # trained by all sites so far
        self.finished = threading.Event()
        self.look = threading.Event()  # set when the exchange has a reason to act at once
        self.news = threading.Event()  # set when others should hear of a change at once
        self.error: BaseException | None = None  # what ended the exchange
        self._counting = threading.Lock()

    def add_cpu_seconds(self, seconds: float) -> None:
        """A thread that is not training's has used the processor for so long."""
        with self._counting:
            self.cpu_seconds += seconds


def take(queue: "SimpleQueue[T]") -> T | None:
    """The oldest item in the queue, or None."""
    try:
        return queue.get_nowait()
    except Empty:
        return None


def drain(queue: "SimpleQueue[T]") -> list[T]:
    """All that is in the queue now, oldest first."""
    return [queue.get_nowait() for _ in range(queue.qsize())]
