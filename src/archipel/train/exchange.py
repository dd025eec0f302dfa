"""A site's part in the run's protocol: claims, heartbeats, rounds, snapshots, the end.

Driven by `tick(now)`: it has no thread, no clock and no randomness of its own, so that the same
code runs against a real store and inside a simulation. Knows no models, only flat vectors.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from archipel.errors import IntegrityError, RunError, StoreError
from archipel.ledger import Claim, Commit, Heartbeat, Ledger, Range
from archipel.ledger.duty import Sighting, merge_order
from archipel.ledger.tempo import Counters, LinkRates, Tempo, sync_steps
from archipel.train.accounts import Accounts
from archipel.train.chain import Chain
from archipel.train.claims import Claims
from archipel.train.desk import Desk, Identity, Superseded
from archipel.train.fragments import Vector
from archipel.train.mailbox import Capture, Mailbox, drain
from archipel.train.metrics import Metrics
from archipel.train.neighbours import Neighbours
from archipel.train.state import GlobalState

T = TypeVar("T")

_ERA_EVERY = 8  # looks at the run between two for a rollback
_LOOKS_PER_HEARTBEAT = 2
_ASKS_PER_SYNC = 16  # for what a round waits for
_ASKS_PER_HEARTBEAT = 8  # at most
_CLAIMS_AT_ONCE = 8
_MOST_RESERVED = 32  # units
_RESERVE_SECONDS = 180.0  # of training that a site which is cut off has claimed


@dataclass(frozen=True)
class Machine:
    """What the exchange needs of the machine that it runs on.

    `executor` runs the jobs that move or work on much data, `readers` what must not wait for them;
    `bring` fetches a unit's tokens to this machine, `witness` works out a fragment's gradient on
    some of them, `keep` writes the site's own checkpoint.
    """

    executor: Executor
    readers: Executor
    bring: Callable[[int], None]
    witness: Callable[[GlobalState, int, Sequence[Range]], Vector]
    keep: Callable[[GlobalState, dict[str, np.ndarray]], None]


class Exchange:
    """The protocol's state of one site. One thread calls `tick`; `beat` may come from another."""

    def __init__(
        self,
        ledger: Ledger,
        state: GlobalState,
        who: Identity,
        mailbox: Mailbox,
        claims: Claims,
        machine: Machine,
    ) -> None:
        self.ledger = ledger
        self.spec = ledger.spec
        self.state = state
        self.who = who
        self.mailbox = mailbox
        self.claims = claims
        self.neighbours = Neighbours(ledger, who.site)
        self.metrics = Metrics(ledger, who.site, who.session)
        self._machine = machine
        self._accounts = Accounts(ledger.spec)
        desk = Desk(
            ledger,
            state,
            who,
            mailbox,
            claims,
            self.neighbours,
            self._accounts,
            machine.executor,
            machine.readers,
            machine.witness,
        )
        self._chains = [Chain(fragment, desk) for fragment in range(self.spec.fragments)]
        self._tempo = Tempo(who.cores)
        self._sync_seconds = 0.0
        self._looking: Future[dict[str, Sighting]] | None = None
        self._next_look = self._ticked = -math.inf
        self._captures: deque[Capture] = deque()
        self._preparing: list[tuple[Future[None], Claim]] = []
        self._claiming: tuple[Future[list[Claim]], list[Claim]] | None = None
        self._chores: list[Future[None]] = []
        self._periodic: Future[None] | None = None  # the last of the snapshots on the way
        self._final: Future[None] | None = None
        self._ticks = 0

    @property
    def commits_put(self) -> int:
        """Commits that this process decided."""
        return sum(chain.commits_put for chain in self._chains)

    # The heartbeat

    def beat(self, state: str | None = None) -> None:
        """Put this site's heartbeat."""
        report, link = self.mailbox.report, self.ledger.store.link
        contributed = {chain.fragment: chain.contributed for chain in self._chains}
        self.ledger.put_heartbeat(
            Heartbeat.model_validate(
                {
                    "site": self.who.site,
                    "session": self.who.session,
                    "nonce": self.who.nonce,
                    "state": state or report.state,
                    "step": report.step,
                    "tokens": report.tokens,
                    "uncovered_tokens": self._accounts.uncovered(report.trained),
                    "pending_tokens": max(chain.pending() for chain in self._chains),
                    "global_tokens": self.mailbox.global_tokens,
                    "tokens_per_second": report.tokens_per_second,
                    "step_seconds": report.step_seconds,
                    "exchange_seconds": max(chain.exchange_seconds for chain in self._chains),
                    "sync_seconds": self._sync_seconds,
                    "busy": report.busy,
                    "up_bytes_per_second": link.up_bytes_per_second,
                    "down_bytes_per_second": link.down_bytes_per_second,
                    "round_trip_seconds": link.round_trip_seconds,
                    "loss": report.loss,
                    "contributed": {f: r for f, r in contributed.items() if r is not None},
                    "applied": dict(enumerate(self.state.applied)),
                    "next_unit": self.claims.next_unit,
                    "commits_put": self.commits_put,
                    "bytes_out": self.ledger.store.bytes_out,
                    "bytes_in": self.ledger.store.bytes_in,
                    "hardware": self.who.hardware,
                }
            )
        )

    def tick(self, now: float) -> None:
        """Do what is due, and look at the run now and then. `now` is a monotonic time in seconds.

        Raises:
            StoreError, IntegrityError: the store can't be reached just now, or gives what it should
                not; call again later, nothing is lost.
            Superseded: this site must join again.
            RunError: this site can't go on.
        """
        self._ticked = now
        self._finish_chores()
        self._contribute_captured(now)
        self._accounts.forget(self.mailbox.report.trained)
        self._look(now)
        trouble = self._follow_all(now)
        self.mailbox.wanted = frozenset(c.fragment for c in self._chains if c.is_wanted())
        self.mailbox.global_tokens = self._global_tokens()
        self._set_tempo(now)
        trouble = self._provide() or trouble
        self._checkpoint()
        self._finish()
        self._add_points()
        self.metrics.put(now)
        if trouble:
            raise trouble

    def _read(self, work: Callable[[], T]) -> Future[T]:
        """Run a job of small requests, and tick when it is done."""
        future = self._machine.readers.submit(work)
        future.add_done_callback(lambda _: self.mailbox.look.set())
        return future

    def _global_tokens(self) -> int:
        """Tokens trained by all live sites, covered by commits or not yet."""
        live = self.neighbours.alive().values()
        theirs = sum(beat.uncovered_tokens for beat in live if beat.site != self.who.site)
        mine = self._accounts.uncovered(self.mailbox.report.trained)
        return self.state.cover.tokens + theirs + mine

    def pause_seconds(self, now: float) -> float:
        """How long until the next tick is due, unless something happens before.

        What was due at the last one and still is waits for a job, whose end is such an event.
        """
        asks = [at for chain in self._chains if (at := chain.next_ask()) is not None]
        due = [at for at in (self._next_look, *asks) if at > self._ticked]
        longest = now + self.spec.heartbeat_seconds / _LOOKS_PER_HEARTBEAT
        return max(0.0, min([longest, *due]) - now)

    def _ask_seconds(self) -> float:
        """How long to wait before asking again for what a round waits for: a small part of what a
        sync takes."""
        beat = self.spec.heartbeat_seconds
        sync_seconds = self.mailbox.sync_steps * self.mailbox.report.step_seconds
        most, least = beat / _LOOKS_PER_HEARTBEAT, beat / _ASKS_PER_HEARTBEAT
        return min(most, max(least, sync_seconds / _ASKS_PER_SYNC))

    def _look(self, now: float) -> None:
        if self._looking is None and now >= self._next_look:
            self._looking = self._read(partial(self.neighbours.look, self._machine.readers))
        if self._looking is None or not self._looking.done():
            return
        looking, self._looking = self._looking, None
        self._next_look = now + self.spec.heartbeat_seconds / _LOOKS_PER_HEARTBEAT
        self.neighbours.take(looking.result())
        mine = self.neighbours.mine()
        if mine and (mine.session, mine.nonce) > (self.who.session, self.who.nonce):
            raise RunError(
                f"another process has joined as {self.who.site!r}: this one stops. "
                "Give each site its own --name"
            )
        self.claims.hear(beat.next_unit for beat in self.neighbours.beats())
        self._ticks += 1
        if self._ticks % _ERA_EVERY == 0 and (era := self.ledger.newer_era()):
            raise Superseded(f"the run was rolled back: {era.reason or 'no reason given'}")

    def _set_tempo(self, now: float) -> None:
        store, count = self.ledger.store, self.spec.fragments
        cycles = sum(last // count + 1 for last in self.state.applied) / count
        cpu_seconds = self.mailbox.cpu_seconds
        self._tempo.note(now, Counters(store.bytes_out, store.bytes_in, cpu_seconds, cycles))
        link = store.link
        rates = LinkRates(link.up_bytes_per_second, link.down_bytes_per_second)
        self._sync_seconds = self._tempo.sync_seconds(rates)
        others = (beat.sync_seconds for beat in self.neighbours.awaited().values())
        slowest = max(self._sync_seconds, *others, 0.0)
        step_seconds = self.mailbox.report.step_seconds
        self.mailbox.sync_steps = sync_steps(self.spec.sync_steps, slowest, step_seconds)

    def _provide(self) -> StoreError | IntegrityError | None:
        """Keep work in reserve for training, its tokens brought to this machine first.

        What went wrong with the tokens of a claim: they are being fetched again.
        """
        trouble: StoreError | IntegrityError | None = None
        waiting, self._preparing = self._preparing, []
        for future, claim in waiting:
            if not future.done():
                self._preparing.append((future, claim))
                continue
            try:
                future.result()
                self.mailbox.work.put(claim)
            except (StoreError, IntegrityError) as error:
                trouble = error
                self._prepare(claim)
        held = self.mailbox.work.qsize() + len(self._preparing)
        lacking = self._reserve() - held
        self._claim(lacking)
        return trouble

    def _claim(self, lacking: int) -> None:
        """Prepare claims at hand; try to claim what is lacking then, some units side by side."""
        if self._claiming is None:
            while lacking > 0 and (claim := self.claims.at_hand(self.state.cover)):
                self._prepare(claim)
                lacking -= 1
            wanted = self.claims.fresh(self.state.cover, min(lacking, _CLAIMS_AT_ONCE))
            if not wanted:
                return
            work = partial(self.claims.put_all, wanted, self._machine.readers)
            self._claiming = self._read(work), wanted
        future, wanted = self._claiming
        if future.done():
            self._claiming = None
            for claim in future.result():
                self._prepare(claim)
            self.claims.tried(wanted, self.state.cover)

    def _prepare(self, claim: Claim) -> None:
        self._preparing.append(
            (self._machine.executor.submit(self._machine.bring, claim.unit), claim)
        )

    def _reserve(self) -> int:
        """Units to hold claimed ahead: enough to train on while cut off, few near the end."""
        step_seconds = self.mailbox.report.step_seconds
        unit_seconds = step_seconds * self.spec.unit_tokens / self.spec.inner.batch_tokens
        if not unit_seconds:
            return 1
        left = self.spec.units - self.claims.next_unit
        share = left // (8 * max(1, len(self.neighbours.alive())))
        return max(1, min(int(_RESERVE_SECONDS / unit_seconds), share, _MOST_RESERVED))

    def _add_points(self) -> None:
        store = self.ledger.store
        traffic = {"bytes_out": store.bytes_out, "bytes_in": store.bytes_in}
        self.metrics.add(*(point | traffic for point in drain(self.mailbox.metrics)))

    # Contributing and following

    def remember(self, fragment: int) -> None:
        """An earlier session of this site has contributed to an open round: this one can't."""
        self._chains[fragment].remember()

    def _contribute_captured(self, now: float) -> None:
        self._captures.extend(drain(self.mailbox.captures))
        while self._captures:
            capture = self._captures.popleft()
            self._chains[capture.fragment].contribute(capture, now)

    def _follow_all(self, now: float) -> StoreError | IntegrityError | None:
        """Look after every fragment; the first trouble, which must not hold up the others."""
        trouble: StoreError | IntegrityError | None = None
        ask_seconds = self._ask_seconds()
        for chain in self._chains:
            try:
                if chain.finish_put(now):
                    self.mailbox.news.set()
                commit = chain.follow(now, ask_seconds)
            except (StoreError, IntegrityError) as error:
                trouble = trouble or error
                continue
            if commit:
                self._taken_in(commit)
        return trouble

    def _taken_in(self, commit: Commit) -> None:
        self.metrics.add({"applied": commit.round, "digest": commit.digest, "by": commit.by})
        if commit.by != self.who.site:
            return
        self.mailbox.news.set()
        self.metrics.add(
            {
                "round": commit.round,
                "merged": [header.site for header in commit.merged],
                "refused": [[refusal.site, refusal.reason] for refusal in commit.refused],
                "by": commit.by,
            }
        )
        self._snapshot_if_due(commit)

    # Snapshots, checkpoints and the end

    def _finish_chores(self) -> None:
        """Take note of jobs that are done: one that failed is tried again when it is next due."""
        done = [chore for chore in self._chores if chore.done()]
        self._chores = [chore for chore in self._chores if chore not in done]
        for chore in done:
            chore.result()

    def _snapshot_if_due(self, commit: Commit) -> None:
        cycle, fragment = divmod(commit.round, self.spec.fragments)
        last = fragment == self.spec.fragments - 1
        if not last or (cycle + 1) % self.spec.snapshot_every_cycles:
            return
        if self.state.cover.complete:
            return  # the next is the final one, and must be the newest
        if self._periodic is None or self._periodic.done():  # on a slow link they would pile up
            work = partial(self._snapshot, self.state.copy(), final=False)
            self._periodic = self._machine.executor.submit(work)
            self._chores.append(self._periodic)

    def _snapshot(self, state: GlobalState, *, final: bool) -> None:
        number = _snapshot_number(state, final=final)
        files, facts = state.snapshot_files(), state.snapshot_facts()
        self.ledger.put_snapshot(number, files, final=final, **facts)
        self._collect(state, number)

    def _collect(self, state: GlobalState, newest: int) -> None:
        """Delete what no join needs any more: the contributions to rounds that the newest snapshot
        includes and, unless the run keeps its history, the snapshots between the first and the
        last two."""
        if not self.spec.keep_history:
            for number in self.ledger.snapshot_numbers()[1:-2]:
                self.ledger.delete_snapshot(number)
        count = self.spec.fragments
        since = max(0, newest - 2 * self.spec.snapshot_every_cycles * count)
        rounds = range(since, newest)
        self.ledger.delete_contributions(r for r in rounds if r <= state.applied[r % count])

    def _checkpoint(self) -> None:
        """Keep this site's own checkpoint when training has handed its optimiser's state over."""
        optimiser, self.mailbox.optimiser = self.mailbox.optimiser, None
        if optimiser is not None:
            work = partial(self._machine.keep, self.state.copy(), optimiser)
            self._chores.append(self._machine.executor.submit(work))

    def _finish(self) -> None:
        """When all is trained and merged, put the final snapshot, or wait for it."""
        if self._final:
            if self._final.done():
                final, self._final = self._final, None
                final.result()
                self.mailbox.finished.set()
            return
        if not self.state.cover.complete or any(chain.in_flight for chain in self._chains):
            return
        live = self.neighbours.active()
        if self.who.site not in live:
            return  # its own heartbeat is not seen yet: it judges nobody
        pending = [beat.pending_tokens for site, beat in live.items() if site != self.who.site]
        if any(pending) or any(chain.pending() for chain in self._chains):
            return
        if merge_order(live, 0)[0] == self.who.site:
            work = partial(self._snapshot, self.state.copy(), final=True)
            self._final = self._machine.executor.submit(work)
            return
        manifest = self.ledger.snapshot(_snapshot_number(self.state, final=True))
        if manifest and manifest.final:
            self.mailbox.finished.set()

    def leave(self, now: float, state: str) -> None:
        """Put what the training thread has handed over, and say goodbye: "left" or "done"."""
        self._contribute_captured(now)
        for chain in self._chains:
            chain.wait_for_put(now)
        self._checkpoint()
        for chore in self._chores:
            chore.result()
        self._add_points()
        self.metrics.put(now, all_of_them=True)
        self.beat(state)


def _snapshot_number(state: GlobalState, *, final: bool) -> int:
    """Above all before; the final one's is none that a periodic one could still be put under."""
    return max(state.applied) + 1 + final
