"""A site: one process that trains, while its exchange meets the others in the background.

The training thread never waits for the store; it hands over copies and takes corrections between
two inner steps.
"""

import logging
import math
import platform
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from archipel.corpus import TokenReader
from archipel.errors import RunError, StoreError
from archipel.ledger import Ledger
from archipel.models.checkpoint import new_model
from archipel.train.exchange import Exchange, Identity, Superseded
from archipel.train.fragments import ModelFragments
from archipel.train.inner import InnerOptimiser, learning_rate, pick_device
from archipel.train.join import (
    find_claims,
    load_state,
    next_session,
    recall_contributions,
    run_config,
)
from archipel.train.mailbox import Capture, Mailbox, Report, drain, take
from archipel.train.work import Batch, Work

log = logging.getLogger(__name__)

_RATE_SECONDS = 10.0
_METRICS_SECONDS = 1.0
_LINE_SECONDS = 10.0
_IDLE_SECONDS = 0.05


def run_site(ledger: Ledger, name: str, reader: TokenReader, stop: threading.Event) -> None:
    """Train as site `name` until the run is finished or `stop` is set.

    Raises:
        RunError: another process has taken the name, or the loss is not finite.
        IntegrityError: the run's record or this site's state is not what it should be.
    """
    while True:
        session = _Session(ledger, name, reader)
        try:
            session.run(stop)
            log.info(
                "%s ends: %s",
                name,
                "what it trained is handed in" if stop.is_set() else "the run is finished",
            )
            return
        except Superseded as event:
            log.warning("%s joins again: %s", name, event)


class _Session:
    """From joining to leaving."""

    def __init__(self, ledger: Ledger, name: str, reader: TokenReader) -> None:
        self._spec = ledger.spec
        self._mailbox = Mailbox()
        state = load_state(ledger)
        log.info("%s joins at %s tokens of the run", name, f"{state.cover.tokens:,}")
        number = next_session(ledger, name)
        who = Identity(name, number, secrets.token_hex(8), _hardware())
        claims = find_claims(ledger, state, name, number)
        self._exchange = Exchange(ledger, state, who, self._mailbox, claims)
        recall_contributions(ledger, self._exchange)
        model = new_model(run_config(self._spec), self._spec.seed)
        tensors = {key: torch.from_numpy(value) for key, value in state.tensors().items()}
        model.load_state_dict(tensors, strict=False)
        model.tie_weights()
        self._inner = InnerOptimiser(model, self._spec.inner, pick_device())
        self._fragments = ModelFragments(model, state.fragments)
        self._base = list(state.applied)
        self._work = Work(self._spec, reader)
        self._progress = _Progress(self._spec.inner.batch_tokens)
        # Fragment f is first due after (f + 1)/F of H steps, then every H: rounds spread evenly.
        count, steps = self._spec.fragments, self._spec.sync_steps or 32
        self._due = [steps * (index + 1) // count for index in range(count)]
        self._in_flight: set[int] = set()
        self._next_line = 0.0

    def run(self, stop: threading.Event) -> None:
        with _Background(self._exchange, self._mailbox, self._spec.heartbeat_seconds) as background:
            while not (stop.is_set() or self._mailbox.finished.is_set()):
                background.check()
                self._take_corrections()
                self._hand_over()
                self._train_one_step()
            if stop.is_set():
                self._take_corrections()
                for fragment in set(range(self._spec.fragments)) - self._in_flight:
                    self._capture(fragment)

    def _take_corrections(self) -> None:
        for correction in drain(self._mailbox.corrections):
            self._fragments.add(correction.fragment, correction.values)
            self._base[correction.fragment] = correction.round
            self._in_flight.discard(correction.fragment)
        for key in drain(self._mailbox.settled):
            self._work.settle(key)

    def _hand_over(self) -> None:
        """Capture the fragments that are due here, or that a round opened elsewhere waits for."""
        wanted = self._mailbox.wanted
        for fragment, due in enumerate(self._due):
            if fragment not in self._in_flight and (
                fragment in wanted or self._progress.step >= due
            ):
                self._capture(fragment)

    def _capture(self, fragment: int) -> None:
        self._mailbox.captures.put(
            Capture(
                fragment=fragment,
                base=self._base[fragment],
                values=self._fragments.capture(fragment),
                trained=self._work.trained,
                loss=self._progress.mean_loss,
            )
        )
        self._in_flight.add(fragment)
        self._due[fragment] = self._progress.step + (self._spec.sync_steps or 32)
        self._mailbox.look.set()

    def _train_one_step(self) -> None:
        batch = self._next_batch()
        if batch is None:
            self._report("waiting")
            self._mailbox.finished.wait(_IDLE_SECONDS)
            return
        rate = learning_rate(
            self._spec.inner,
            tokens=self._mailbox.global_tokens,
            budget_tokens=self._spec.budget_tokens,
            step=self._progress.step,
        )
        loss = self._inner.step(batch.x_BT, batch.y_BT, rate)
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {self._progress.step}: lower the inner learning rate "
                f"({self._spec.inner.learning_rate}) in a new run"
            )
        self._work.done(batch)
        self._report("training")
        point = self._progress.note(time.monotonic(), time.time(), loss)
        if point:
            point |= {"learning_rate": rate, "global_tokens": self._mailbox.global_tokens}
            self._mailbox.metrics.put(point)
            self._say_how_it_goes()

    def _say_how_it_goes(self) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            log.info(
                "step %s, %s tokens/s, loss %.3f; all sites: %.1f %% of %s tokens",
                f"{self._progress.step:,}",
                f"{self._progress.tokens_per_second:,.0f}",
                self._progress.mean_loss,
                100 * self._mailbox.global_tokens / self._spec.budget_tokens,
                f"{self._spec.budget_tokens:,}",
            )

    def _next_batch(self) -> Batch | None:
        batch = self._work.next_batch()
        if batch is None and (claim := take(self._mailbox.work)):
            self._work.begin(claim)
            self._mailbox.look.set()
            batch = self._work.next_batch()
        return batch

    def _report(self, state: str) -> None:
        progress = self._progress
        self._mailbox.report = Report(
            state=state,
            step=progress.step,
            tokens=progress.tokens,
            loss=progress.mean_loss if progress.step else None,
            tokens_per_second=progress.tokens_per_second,
            step_seconds=progress.step_seconds,
            trained=self._work.trained,
        )


@dataclass
class _Progress:
    """Steps, tokens, mean loss and speed of the last seconds."""

    batch_tokens: int
    step: int = 0
    mean_loss: float = 0.0
    _steps: deque[float] = field(default_factory=deque)
    _next_point: float = 0.0

    def note(self, now: float, wall: float, loss: float) -> dict[str, float | int | str] | None:
        """Count a step that ended `now` (monotonic); a metrics point when one is due."""
        weight = max(1 / (self.step + 1), 0.05)
        self.mean_loss += weight * (loss - self.mean_loss)
        self.step += 1
        self._steps.append(now)
        while now - self._steps[0] > _RATE_SECONDS:
            self._steps.popleft()
        if now < self._next_point:
            return None
        self._next_point = now + _METRICS_SECONDS
        return {
            "time": round(wall, 3),
            "step": self.step,
            "tokens": self.tokens,
            "loss": self.mean_loss,
            "tokens_per_second": self.tokens_per_second,
        }

    @property
    def tokens(self) -> int:
        return self.step * self.batch_tokens

    @property
    def step_seconds(self) -> float:
        steps = self._steps
        return (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.batch_tokens / self.step_seconds if self.step_seconds else 0.0


class _Background:
    """The two threads beside training: heartbeats, which nothing may hold up, and the exchange."""

    def __init__(self, exchange: Exchange, mailbox: Mailbox, heartbeat_seconds: float) -> None:
        self._exchange = exchange
        self._mailbox = mailbox
        self._seconds = heartbeat_seconds
        self._ended = threading.Event()
        self._beating = threading.Lock()
        self._threads = [
            threading.Thread(target=self._guard, args=(self._beat,), name="heartbeat", daemon=True),
            threading.Thread(target=self._guard, args=(self._tick,), name="exchange", daemon=True),
        ]

    def __enter__(self) -> "_Background":
        self._exchange.beat("joining")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._ended.set()
        self._mailbox.look.set()
        for thread in self._threads:
            thread.join()
        if kind is None:
            finished = self._mailbox.finished.is_set()
            self._exchange.leave(time.monotonic(), "done" if finished else "left")

    def check(self) -> None:
        """Raise what ended the exchange, if something did."""
        if self._mailbox.error:
            raise self._mailbox.error

    def _guard(self, once: Callable[[], None]) -> None:
        reachable = True
        while not self._ended.is_set():
            try:
                once()
                reachable = True
            except StoreError as error:
                if reachable:
                    log.warning("%s Training goes on; trying again.", error)
                reachable = False
                self._ended.wait(self._seconds)
            except Exception as error:  # noqa: BLE001 - training must hear of it, and raises it
                self._mailbox.error = error
                return

    def _beat(self) -> None:
        with self._beating:
            self._exchange.beat()
        self._ended.wait(self._seconds)

    def _tick(self) -> None:
        self._mailbox.look.clear()
        self._exchange.tick(time.monotonic())
        if self._exchange.news:
            self._exchange.news = False
            with self._beating:
                self._exchange.beat()
        self._mailbox.look.wait(self._seconds / 2)


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
