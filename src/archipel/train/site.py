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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from archipel.corpus import TokenReader
from archipel.errors import IntegrityError, RunError, StoreError
from archipel.ledger import Ledger, RunSpec
from archipel.train.background import Background, Jobs, Readers
from archipel.train.checkpoint import Checkpoint
from archipel.train.desk import Identity, Superseded
from archipel.train.exchange import Exchange, Machine
from archipel.train.group import Group
from archipel.train.inner import JOIN_WARMUP_STEPS, learning_rate
from archipel.train.join import (
    find_claims,
    load_state,
    next_session,
    recall_contributions,
    recall_history,
    run_fragments,
)
from archipel.train.kinds import run_model
from archipel.train.mailbox import Capture, Mailbox, Report, drain, take
from archipel.train.progress import Progress
from archipel.train.replica import Replica
from archipel.train.sharding import InsideOptions
from archipel.train.witness import Witness
from archipel.train.work import Batch, Work

log = logging.getLogger(__name__)

_LINE_SECONDS = 10.0
_IDLE_SECONDS = 0.05
_CHECKPOINT_SECONDS = 60.0
_DAMAGED_TRIES = 3
_QUICK_SECONDS = 60.0  # a session that ended sooner waits before the next
_LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class SiteOptions:
    """What a site chooses for itself; nothing of it concerns the others."""

    folder: Path  # where it keeps its checkpoint
    inside: InsideOptions
    group: Group | None = None  # of the site's processes, if it has several


def run_site(
    ledger: Ledger, name: str, reader: TokenReader, stop: threading.Event, options: SiteOptions
) -> None:
    """Train as site `name` until the run is finished or `stop` is set.

    A store that can't be reached is tried again, at the start too: the run is known to exist. So is
    a record that looks damaged: a reply may have been, or a snapshot was collected meanwhile.

    Raises:
        RunError: another process has taken the name, the loss is not finite, or the run's owner
            goes on without this site.
        IntegrityError: the run's record is damaged.
    """
    wait, damaged = 0.0, 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            session = _Session(ledger.newest(), name, reader, options)
            damaged = 0
            session.run(stop)
            end = "what it trained is handed in" if stop.is_set() else "the run is finished"
            log.info("%s ends: %s", name, end)
            return
        except Superseded as event:
            log.warning("%s joins again: %s", name, event)
        except StoreError as error:
            log.warning("%s can't join yet: %s", name, error)
        except IntegrityError as error:
            damaged += 1
            if damaged == _DAMAGED_TRIES:
                raise
            log.warning("%s tries again to join: %s", name, error)
        quick = time.monotonic() - began < _QUICK_SECONDS
        wait = min(max(1.0, 2 * wait), _LONGEST_WAIT_SECONDS) if quick else 0.0
        stop.wait(wait)


def new_replica(spec: RunSpec, corpus: Path, inside: InsideOptions, group: Group | None) -> Replica:
    """The run's model, ready to be loaded and trained on the corpus in this folder."""
    return Replica(run_model(spec, corpus), run_fragments(spec), spec.inner, inside, group)


class _Session:
    """From joining to leaving."""

    def __init__(
        self, ledger: Ledger, name: str, reader: TokenReader, options: SiteOptions
    ) -> None:
        self._spec = ledger.spec
        self._mailbox = Mailbox()
        checkpoint = Checkpoint(options.folder / f"era-{ledger.era_number}")
        fragments = run_fragments(self._spec)
        local = checkpoint.load(self._spec, fragments)
        state, optimiser = load_state(ledger, local[0] if local else None), local and local[1]
        recall_history(ledger, state)
        log.info("%s joins at %s tokens of the run", name, f"{state.cover.tokens:,}")
        number = next_session(ledger, name)
        claims = find_claims(ledger, state, name, number)
        cores = torch.get_num_threads()
        who = Identity(name, number, secrets.token_hex(8), _hardware(), cores)
        self._jobs, self._readers = Jobs(self._mailbox), Readers(self._mailbox)
        self._work = Work(self._spec, reader)
        witness = Witness(self._spec, self._work)
        machine = Machine(
            self._jobs, self._readers, self._work.bring, witness.gradient, checkpoint.save
        )
        self._exchange = Exchange(ledger, state, who, self._mailbox, claims, machine)
        recall_contributions(ledger, self._exchange)
        self._replica = new_replica(self._spec, reader.folder, options.inside, options.group)
        self._replica.load(state.tensors())
        warm = self._restore(optimiser) if optimiser else False
        self._steps_before = JOIN_WARMUP_STEPS if warm else 0
        self._base = list(state.applied)
        self._progress = Progress(self._spec.inner.batch_tokens)
        self._synced = [0] * self._spec.fragments  # the step of each fragment's last capture
        self._in_flight: set[int] = set()
        self._next_line = 0.0
        self._next_checkpoint = time.monotonic() + _CHECKPOINT_SECONDS

    def _restore(self, optimiser: Mapping[str, np.ndarray]) -> bool:
        """Give the inner optimiser its memory back; whether that went well."""
        try:
            self._replica.load_optimiser_state(optimiser)
        except IntegrityError as error:
            log.warning("the inner optimiser starts afresh: %s", error)
            return False
        return True

    def run(self, stop: threading.Event) -> None:
        beside = Background(self._exchange, self._mailbox, self._jobs, self._readers)
        try:
            with beside as background:
                while not (stop.is_set() or self._mailbox.finished.is_set()):
                    background.check()
                    self._take_corrections()
                    self._hand_over()
                    self._train_one_step()
                if stop.is_set():
                    self._take_corrections()
                    for fragment in set(range(self._spec.fragments)) - self._in_flight:
                        self._capture(fragment)
                    self._mailbox.optimiser = self._replica.optimiser_state()
        finally:
            self._replica.close()

    def _take_corrections(self) -> None:
        for correction in drain(self._mailbox.corrections):
            self._replica.add(correction.fragment, correction.values)
            self._base[correction.fragment] = correction.round
            self._in_flight.discard(correction.fragment)
        for key in drain(self._mailbox.settled):
            self._work.settle(key)

    def _hand_over(self) -> None:
        """Capture the fragments that are due here, or that a round opened elsewhere waits for."""
        wanted = self._mailbox.wanted
        for fragment in range(self._spec.fragments):
            if fragment not in self._in_flight and (fragment in wanted or self._is_due(fragment)):
                self._capture(fragment)
        if time.monotonic() >= self._next_checkpoint:
            self._next_checkpoint = time.monotonic() + _CHECKPOINT_SECONDS
            self._mailbox.optimiser = self._replica.optimiser_state()

    def _is_due(self, fragment: int) -> bool:
        """H steps after its last sync; at first after its share of them, so that rounds spread."""
        steps = self._mailbox.sync_steps
        if not steps:
            return False
        if not self._synced[fragment]:
            return self._progress.step >= max(1, steps * (fragment + 1) // self._spec.fragments)
        return self._progress.step - self._synced[fragment] >= steps

    def _capture(self, fragment: int) -> None:
        self._mailbox.captures.put(
            Capture(
                fragment=fragment,
                base=self._base[fragment],
                values=self._replica.capture(fragment),
                trained=self._work.trained,
                loss=self._progress.mean_loss,
            )
        )
        self._in_flight.add(fragment)
        self._synced[fragment] = self._progress.step
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
            step=self._steps_before + self._progress.step,
        )
        began = time.monotonic()
        loss = self._replica.step(batch.x_BT, batch.y_BT, rate)
        ended = time.monotonic()
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {self._progress.step}: lower the inner learning rate "
                f"({self._spec.inner.learning_rate}) in a new run"
            )
        self._work.done(batch)
        point = self._progress.note(began, ended, time.time(), loss)
        self._report("training")
        if point:
            point |= {"learning_rate": rate, "global_tokens": self._mailbox.global_tokens}
            point |= {"sync_steps": self._mailbox.sync_steps}
            self._mailbox.metrics.put(point)
            self._say_how_it_goes()

    def _say_how_it_goes(self) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            log.info(
                "step %s, %s tokens/s, loss %.3f, H = %s; all sites: %.1f %% of %s tokens",
                f"{self._progress.step:,}",
                f"{self._progress.tokens_per_second:,.0f}",
                self._progress.mean_loss,
                self._mailbox.sync_steps,
                100 * self._mailbox.global_tokens / self._spec.budget_tokens,
                f"{self._spec.budget_tokens:,}",
                extra={"step": self._progress.step, "loss": self._progress.mean_loss},
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
            busy=progress.busy,
            trained=self._work.trained,
        )


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
