"""A site without a model: the real exchange on paper training that leaves countable traces.

Training on a token of unit u subtracts 1 from value u mod V of every fragment. So a fragment's
local parameters say exactly which tokens went into them beside the commits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from archipel.errors import ArchipelError, IntegrityError, StoreError
from archipel.ledger import Ledger
from archipel.train.desk import Identity, Superseded
from archipel.train.exchange import Exchange, Machine
from archipel.train.fragments import Vector
from archipel.train.join import find_claims, load_state, next_session, recall_contributions
from archipel.train.mailbox import Capture, Mailbox, Report, drain, take
from archipel.train.progress import Progress
from archipel.train.state import GlobalState
from archipel.train.work import Work
from tests.simulation.bucket import Client
from tests.simulation.clock import Event, Pool, Process
from tests.train.inline import no_witness

_IDLE_SECONDS = 0.3
_CHECKPOINT_SECONDS = 10.0
_JOBS = 4
_READERS = 8
_DAMAGED_LOOKS = 100


class Watcher(Protocol):
    """Sees what a site believes, whenever that may have changed."""

    def captured(self, session: "PaperSession", capture: Capture) -> None: ...

    def believes(self, session: "PaperSession") -> None: ...


class _Corpus:
    """Tokens that nobody looks at."""

    def __init__(self) -> None:
        self._tokens = np.zeros(1024, np.int64)

    def read(self, start: int, count: int) -> np.ndarray:
        return self._tokens[:count]

    read_targets = read


@dataclass
class Disk:
    """What outlives a site's process: its last checkpoint."""

    state: GlobalState | None = None

    def keep(self, state: GlobalState, _: object) -> None:
        """Write a checkpoint over the last one."""
        self.state = state


@dataclass(frozen=True)
class Surroundings:
    """What a session is put into."""

    process: Process
    client: Client
    watcher: Watcher
    disk: Disk
    step_seconds: float
    nonce: str


class PaperSession:
    """From joining to leaving, as `archipel.train.site` has it, in tasks instead of threads."""

    def __init__(self, around: Surroundings, ledger: Ledger, name: str) -> None:
        self.around = around
        self.process = around.process
        self.number = around.client.number
        self.spec = ledger.spec
        self.mailbox = Mailbox()
        self.mailbox.look = Event(self.process)  # type: ignore[assignment]
        self.mailbox.news = Event(self.process)  # type: ignore[assignment]
        self.mailbox.finished = Event(self.process)  # type: ignore[assignment]
        local = around.disk.state
        state = load_state(ledger, local.copy() if local else None)
        session = next_session(ledger, name)
        claims = find_claims(ledger, state, name, session)
        who = Identity(name, session, around.nonce)
        self.jobs = Pool(self.process, _JOBS, self.mailbox.look.set)
        self.readers = Pool(self.process, _READERS)
        machine = Machine(self.jobs, self.readers, lambda unit: None, no_witness, around.disk.keep)
        self.exchange = Exchange(ledger, state, who, self.mailbox, claims, machine)
        recall_contributions(ledger, self.exchange)
        self.local: list[Vector] = [vector.copy() for vector in state.parameters]
        self.base = list(state.applied)
        self.work = Work(self.spec, _Corpus())  # type: ignore[arg-type]
        self.progress = Progress(self.spec.inner.batch_tokens)
        self.traces: Vector = np.zeros(len(self.local[0]), np.float32)  # all tokens trained here
        self._synced = [0] * self.spec.fragments
        self._flying: set[int] = set()
        self._next_checkpoint = self.process.monotonic() + _CHECKPOINT_SECONDS
        self._ended = Event(self.process)

    # The training thread

    def run(self, stop: Event) -> None:
        """Train until the run is finished or `stop` is set; the errors are the exchange's."""
        self.exchange.beat("joining")
        tasks = [
            self.process.spawn(lambda: self._guard(self._beat)),
            self.process.spawn(lambda: self._guard(self._tick)),
        ]
        failure: Exception | None = None
        try:
            self._train(stop)
        except (ArchipelError, Superseded) as error:
            failure = error
        self._ended.set()
        self.mailbox.look.set()
        self.mailbox.news.set()
        for task in tasks:
            task.join()
        try:
            if failure:
                raise failure
            finished = self.mailbox.finished.is_set()
            self.exchange.leave(self.process.monotonic(), "done" if finished else "left")
        finally:
            if self.process.alive:
                self.jobs.shutdown(wait=True, cancel_futures=True)
                self.readers.shutdown(wait=True, cancel_futures=True)

    def _train(self, stop: Event) -> None:
        while not (stop.is_set() or self.mailbox.finished.is_set()):
            if self.mailbox.error:
                raise self.mailbox.error
            self._take_corrections()
            self._hand_over()
            self._step()
        if stop.is_set():
            self._take_corrections()
            for fragment in sorted(set(range(self.spec.fragments)) - self._flying):
                self._capture(fragment)
            self.mailbox.optimiser = {}

    def _take_corrections(self) -> None:
        for correction in drain(self.mailbox.corrections):
            self.local[correction.fragment] += correction.values
            self.base[correction.fragment] = correction.round
            self._flying.discard(correction.fragment)
        for key in drain(self.mailbox.settled):
            self.work.settle(key)

    def _hand_over(self) -> None:
        wanted = self.mailbox.wanted
        for fragment in range(self.spec.fragments):
            if fragment not in self._flying and (fragment in wanted or self._is_due(fragment)):
                self._capture(fragment)
        if self.process.monotonic() >= self._next_checkpoint:
            self._next_checkpoint = self.process.monotonic() + _CHECKPOINT_SECONDS
            self.mailbox.optimiser = {}

    def _is_due(self, fragment: int) -> bool:
        steps = self.mailbox.sync_steps
        if not steps:
            return False
        if not self._synced[fragment]:
            return self.progress.step >= max(1, steps * (fragment + 1) // self.spec.fragments)
        return self.progress.step - self._synced[fragment] >= steps

    def _capture(self, fragment: int) -> None:
        capture = Capture(
            fragment=fragment,
            base=self.base[fragment],
            values=self.local[fragment].copy(),
            trained=self.work.trained,
            loss=float(self.number),  # so that no two sessions' contributions are the same bytes
        )
        self.around.watcher.captured(self, capture)
        self.mailbox.captures.put(capture)
        self._flying.add(fragment)
        self._synced[fragment] = self.progress.step
        self.mailbox.look.set()

    def _step(self) -> None:
        batch = self.work.next_batch()
        if batch is None and (claim := take(self.mailbox.work)):
            self.work.begin(claim)
            self.mailbox.look.set()
            batch = self.work.next_batch()
        if batch is None:
            self._report("waiting")
            self.mailbox.finished.wait(_IDLE_SECONDS)
            return
        began = self.process.monotonic()
        self.process.sleep(self.around.step_seconds)
        place = batch.key[0] % len(self.traces)
        tokens = self.spec.inner.batch_tokens
        for vector in self.local:
            vector[place] -= tokens
        self.traces[place] -= tokens
        self.work.done(batch)
        point = self.progress.note(began, self.process.monotonic(), 0.0, 1.0)
        self._report("training")
        if point:
            self.mailbox.metrics.put(point)

    def _report(self, state: str) -> None:
        progress = self.progress
        self.mailbox.report = Report(
            state=state,
            step=progress.step,
            tokens=progress.tokens,
            loss=progress.mean_loss if progress.step else None,
            tokens_per_second=progress.tokens_per_second,
            step_seconds=progress.step_seconds,
            busy=progress.busy,
            trained=self.work.trained,
        )

    # The two threads beside it, as `archipel.train.background` has them

    def _guard(self, once: Callable[[], None]) -> None:
        damaged = 0
        while not self._ended.is_set():
            try:
                once()
                damaged = 0
            except (StoreError, IntegrityError) as error:
                damaged = damaged + 1 if isinstance(error, IntegrityError) else 0
                if damaged > _DAMAGED_LOOKS:
                    self.mailbox.error = error
                    return
                self._ended.wait(self.spec.heartbeat_seconds)
            except (ArchipelError, Superseded) as error:
                self.mailbox.error = error
                return

    def _beat(self) -> None:
        self.mailbox.news.clear()
        self.exchange.beat()
        self.mailbox.news.wait(self.spec.heartbeat_seconds)

    def _tick(self) -> None:
        self.mailbox.look.clear()
        try:
            self.exchange.tick(self.process.monotonic())
        finally:
            self.around.watcher.believes(self)
        self.mailbox.look.wait(self.exchange.pause_seconds(self.process.monotonic()))
