"""A site's part in the run's protocol: claims, contributions, merge duty, commits.

Driven by `tick(now)`: it has no thread, no clock and no randomness of its own, so that the same
code runs against a real store and inside a simulation. Knows no models, only flat vectors.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from archipel.errors import IntegrityError, RunError
from archipel.ledger import Commit, Contribution, Heartbeat, Ledger, Release
from archipel.ledger.duty import grace_seconds, merge_order
from archipel.train.accounts import Accounts, Trained
from archipel.train.claims import Claims
from archipel.train.fragments import Vector
from archipel.train.mailbox import Capture, ClaimKey, Correction, Mailbox, drain
from archipel.train.merge import Merge
from archipel.train.metrics import Metrics
from archipel.train.neighbours import Neighbours
from archipel.train.state import GlobalState, Preview


class Superseded(Exception):
    """The run went on without what this site had trained: it must join again."""


@dataclass(frozen=True)
class Identity:
    """Who this process is: the site's name, and which of its processes."""

    site: str
    session: int
    nonce: str
    hardware: str = ""


@dataclass
class _Sent:
    """A contribution in flight; `values` is None where the object is an earlier session's."""

    tokens: int
    values: Vector | None
    residual: Vector | None
    trained: Trained


class Exchange:
    """The protocol's state of one site. One thread calls `tick`; `beat` may come from another."""

    def __init__(
        self, ledger: Ledger, state: GlobalState, who: Identity, mailbox: Mailbox, claims: Claims
    ) -> None:
        self.ledger = ledger
        self.spec = ledger.spec
        self.state = state
        self.who = who
        self.mailbox = mailbox
        self.claims = claims
        self.neighbours = Neighbours(ledger, who.site)
        self.metrics = Metrics(ledger, who.site, who.session)
        self.commits_put = 0
        self.news = False  # whether others should hear of a change before the next heartbeat
        self._sent: dict[int, _Sent] = {}
        self._residual: dict[int, Vector] = {}
        self._merge_residual: dict[int, tuple[int, Vector | None]] = {}
        self._accounts = Accounts(ledger.spec)
        self._opened: dict[int, tuple[int, float]] = {}
        self._exchange_seconds = 0.0
        self._contributed_at: float | None = None
        self._contributed: dict[int, int] = {}
        self._captures: deque[Capture] = deque()

    @property
    def _fragments(self) -> range:
        return range(self.spec.fragments)

    # The heartbeat

    def beat(self, state: str | None = None) -> None:
        """Put this site's heartbeat."""
        report = self.mailbox.report
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
                    "pending_tokens": max(self._pending(f) for f in self._fragments),
                    "global_tokens": self.mailbox.global_tokens,
                    "tokens_per_second": report.tokens_per_second,
                    "step_seconds": report.step_seconds,
                    "exchange_seconds": self._exchange_seconds,
                    "loss": report.loss,
                    "contributed": dict(self._contributed),
                    "applied": dict(enumerate(self.state.applied)),
                    "next_unit": self.claims.next_unit,
                    "commits_put": self.commits_put,
                    "bytes_out": self.ledger.store.bytes_out,
                    "bytes_in": self.ledger.store.bytes_in,
                    "hardware": self.who.hardware,
                }
            )
        )

    # One look at everything

    def tick(self, now: float) -> None:
        """Look at the run once and do what is due. `now` is a monotonic time in seconds.

        Raises:
            StoreError: the store can't be reached just now; call again later, nothing is lost.
            Superseded: this site must join again.
            RunError, IntegrityError: this site can't go on.
        """
        if self._contributed_at is not None:
            self._exchange_seconds, self._contributed_at = now - self._contributed_at, None
        trained = self.mailbox.report.trained
        self._contribute_captured(now)
        self._accounts.forget(trained)
        self._look()
        for fragment in self._fragments:
            self._follow(fragment, now)
        self.mailbox.wanted = frozenset(f for f in self._fragments if self._is_wanted(f))
        self.mailbox.global_tokens = self._global_tokens()
        self.claims.provide(self.state.cover, self.mailbox.work)
        self._finish()
        self.metrics.add(*drain(self.mailbox.metrics))
        self.metrics.put(now)

    def _global_tokens(self) -> int:
        """Tokens trained by all live sites, covered by commits or not yet."""
        live = self.neighbours.alive().values()
        theirs = sum(beat.uncovered_tokens for beat in live if beat.site != self.who.site)
        mine = self._accounts.uncovered(self.mailbox.report.trained)
        return self.state.cover.tokens + theirs + mine

    def _look(self) -> None:
        self.neighbours.look()
        mine = self.neighbours.mine()
        if mine and (mine.session, mine.nonce) > (self.who.session, self.who.nonce):
            raise RunError(
                f"another process has joined as {self.who.site!r}: this one stops. "
                "Give each site its own --name"
            )
        self.claims.hear(beat.next_unit for beat in self.neighbours.beats())

    # Contributing

    def _is_wanted(self, fragment: int) -> bool:
        """Whether the training thread should capture this fragment now."""
        if fragment in self._sent:
            return False
        if fragment in self._opened:
            return True
        idle = self.mailbox.report.state == "waiting"
        return idle and (self._pending(fragment) > 0 or bool(self._abandoned(fragment)))

    def _contribute_captured(self, now: float) -> None:
        """Contribute what the training thread captured; what fails stays for the next time.

        A capture that a commit has overtaken is dropped: its correction is on the way, and what was
        trained goes out with the next one.
        """
        self._captures.extend(drain(self.mailbox.captures))
        while self._captures:
            capture = self._captures[0]
            in_time = capture.base == self.state.applied[capture.fragment]
            if in_time and capture.fragment not in self._sent:
                self._contribute(capture, now)
            self._captures.popleft()

    def remember(self, fragment: int, round_: int) -> None:
        """An earlier session of this site has contributed to an open round: this one can't."""
        self._contributed[fragment] = round_
        self._sent[fragment] = _Sent(0, None, None, {})

    def _contribute(self, capture: Capture, now: float) -> None:
        """Encode and put this site's contribution to the fragment's next round."""
        fragment, round_ = capture.fragment, self.state.next_round(capture.fragment)
        ranges = self._accounts.ranges(fragment, capture.trained)
        tokens = sum(piece.stop - piece.start for piece in ranges)
        payload, left = b"", self._residual.get(fragment)
        if tokens:
            update = self.state.parameters[fragment] - capture.values
            if left is not None:
                update += left
            payload = self.state.codec.encode(update)
            left = update - self.state.codec.decode(payload, len(update))
            left *= np.float32(self.state.codec.feedback_decay)
        header = Contribution(
            site=self.who.site,
            session=self.who.session,
            round=round_,
            base=self.state.applied[fragment],
            tokens=tokens,
            ranges=ranges,
            loss=capture.loss,
            codec=self.state.codec.name,
            values=self.state.fragments[fragment].values if tokens else 0,
        )
        values: Vector | None = capture.values
        if not self.ledger.put_contribution(header, payload):
            values = None  # an earlier session of this site was first
        self._sent[fragment] = _Sent(tokens, values, left, capture.trained)
        self._contributed[fragment] = round_
        self._opened.setdefault(fragment, (round_, now))
        self._contributed_at = now
        self.news = True

    def _pending(self, fragment: int) -> int:
        return self._accounts.pending(fragment, self.mailbox.report.trained)

    # Following rounds

    def _follow(self, fragment: int, now: float) -> None:
        """Apply the commits that are there, and do merge duty for the open round if it is ours."""
        while self._committed_elsewhere(fragment):
            if not self._apply_next(fragment):
                break
        round_ = self.state.next_round(fragment)
        if not self._contributors(fragment, round_):
            self._opened.pop(fragment, None)
            return
        opened, since = self._opened.get(fragment, (round_, now))
        if opened != round_:
            since = now
        self._opened[fragment] = (round_, since)
        if fragment in self._sent and self._my_turn(fragment, round_, now - since):
            self._merge(fragment, round_)

    def _contributors(self, fragment: int, round_: int) -> dict[str, int]:
        """The sites, gone ones too, that have contributed to the round, each with its session."""
        others = self.neighbours.others()
        found = {b.site: b.session for b in others if b.contributed.get(fragment) == round_}
        if self._contributed.get(fragment) == round_:
            found[self.who.site] = self.who.session
        return dict(sorted(found.items()))

    def _committed_elsewhere(self, fragment: int) -> bool:
        round_ = self.state.next_round(fragment)
        return any(beat.applied.get(fragment, -1) >= round_ for beat in self.neighbours.beats())

    def _my_turn(self, fragment: int, round_: int, open_seconds: float) -> bool:
        """Whether this site should merge now: in its turn, when all are in or late."""
        here = self.neighbours.awaited()
        turn = merge_order(here, fragment).index(self.who.site)
        grace = grace_seconds(here.values(), self.spec.heartbeat_seconds)
        others = [beat for site, beat in here.items() if site != self.who.site]
        if turn == 0 and all(beat.contributed.get(fragment) == round_ for beat in others):
            return True
        return open_seconds > grace * (turn + 1)

    def _merge(self, fragment: int, round_: int) -> None:
        """Merge what has come in for the round and put the commit."""
        merge = Merge(self.state, round_, self.state.cover)
        for site, session in self._contributors(fragment, round_).items():
            try:
                found = self.ledger.contribution(round_, site)
                if found and (stranger := self._not_the_claimant(found[0])):
                    raise IntegrityError(stranger)
            except IntegrityError as error:
                merge.refuse(site, session, str(error))
                continue
            if found:
                merge.take(*found)
        last, residual = self._merge_residual.get(fragment, (-1, None))
        if last != self.state.applied[fragment]:
            residual = None
        releases = self._releases(fragment, merge.merged)
        outcome = merge.commit(self.who.site, releases, residual)
        if self.ledger.put_commit(outcome.commit, outcome.payload):
            self.commits_put += 1
            self._merge_residual[fragment] = (round_, outcome.residual)
            self._take_in(outcome.commit, outcome.preview)
        else:
            self._apply_next(fragment)

    def _not_the_claimant(self, header: Contribution) -> str | None:
        """Why this site may not contribute those units, or None."""
        for piece in header.ranges:
            if self.claims.holder(piece.unit, piece.generation) != header.site:
                return f"unit {piece.unit} is not claimed by {header.site}"
        return None

    def _abandoned(self, fragment: int) -> list[ClaimKey]:
        """This fragment's claimed and uncovered units whose sites are gone."""
        live = self.neighbours.alive()
        found = []
        for unit in self.state.cover.open_units(self.claims.next_unit):
            if unit % self.spec.fragments != fragment:
                continue
            generation, _ = self.state.cover.position(unit)
            holder = self.claims.holder(unit, generation)
            if holder is None or holder in live:
                continue
            if self.neighbours.knows(holder):
                found.append((unit, generation))
            else:
                self.neighbours.see(holder)  # it joined since the last LIST: not gone, but new
        return found

    def _releases(self, fragment: int, merged: list[Contribution]) -> list[Release]:
        """The claims that the commit takes from sites that are gone, after what it merges."""
        stops = {piece.unit: piece.stop for header in merged for piece in header.ranges}
        releases = []
        for unit, generation in self._abandoned(fragment):
            at = stops.get(unit, self.state.cover.position(unit)[1])
            if at < self.spec.unit_length(unit):
                releases.append(Release(unit=unit, generation=generation, at=at))
        return releases

    # Applying

    def _apply_next(self, fragment: int) -> bool:
        """Apply the next commit of a fragment, if it exists."""
        found = self.ledger.commit(self.state.next_round(fragment))
        if found is None:
            return False
        commit, payload = found
        self._take_in(commit, self.state.preview(fragment, payload))
        return True

    def _take_in(self, commit: Commit, preview: Preview) -> None:
        """Make a commit part of this site's state, and tell training."""
        fragment = commit.round % self.spec.fragments
        sent = self._sent.pop(fragment, None)
        self._opened.pop(fragment, None)
        self._check_still_ours(commit)
        base = self.state.parameters[fragment]
        self.state.advance(commit, preview)
        merged = {(header.site, header.session) for header in commit.merged}
        if sent and sent.values is not None and (self.who.site, self.who.session) in merged:
            if sent.tokens:
                base = sent.values
            if sent.residual is not None:
                self._residual[fragment] = sent.residual
            for key in self._accounts.merged(fragment, sent.trained):
                self.claims.held.discard(key)
                self.mailbox.settled.put(key)
        self.mailbox.corrections.put(Correction(fragment, commit.round, preview.parameters - base))
        self.claims.unblock(fragment)
        self.news = True
        self.metrics.add({"applied": commit.round, "digest": commit.digest, "by": commit.by})
        if commit.by == self.who.site:
            self._snapshot_if_due(commit)

    def _check_still_ours(self, commit: Commit) -> None:
        for refusal in commit.refused:
            if (refusal.site, refusal.session) == (self.who.site, self.who.session):
                raise Superseded(f"round {commit.round} refused this site: {refusal.reason}")
        held = self.claims.held
        for release in commit.released:
            if (release.unit, release.generation) in held:
                raise Superseded(f"unit {release.unit} was released while this site was away")

    # Snapshots and the end

    def _snapshot_if_due(self, commit: Commit) -> None:
        cycle, fragment = divmod(commit.round, self.spec.fragments)
        last = fragment == self.spec.fragments - 1
        if last and (cycle + 1) % self.spec.snapshot_every_cycles == 0:
            self._snapshot(final=False)

    def _snapshot(self, *, final: bool) -> None:
        number = max(self.state.applied) + 1
        files, facts = self.state.snapshot_files(), self.state.snapshot_facts()
        self.ledger.put_snapshot(number, files, final=final, **facts)
        self._collect(number)

    def _collect(self, newest: int) -> None:
        """Delete what no join needs any more: the contributions to rounds that the newest snapshot
        includes and, unless the run keeps its history, the snapshots between the first and the
        last two."""
        if not self.spec.keep_history:
            for number in self.ledger.snapshot_numbers()[1:-2]:
                self.ledger.delete_snapshot(number)
        since = max(0, newest - 2 * self.spec.snapshot_every_cycles * self.spec.fragments)
        count = self.spec.fragments
        self.ledger.delete_contributions(
            round_
            for round_ in range(since, newest)
            if round_ <= self.state.applied[round_ % count]
        )

    def _finish(self) -> None:
        """When all is trained and merged, put the final snapshot, or wait for it."""
        if not self.state.cover.complete or self._sent:
            return
        live = self.neighbours.active()
        pending = [beat.pending_tokens for site, beat in live.items() if site != self.who.site]
        if any(pending) or any(self._pending(f) for f in self._fragments):
            return
        if merge_order(live, 0)[0] == self.who.site:
            self._snapshot(final=True)
            self.mailbox.finished.set()
            return
        manifest = self.ledger.snapshot(max(self.state.applied) + 1)
        if manifest and manifest.final:
            self.mailbox.finished.set()

    def leave(self, now: float, state: str) -> None:
        """Put what the training thread has handed over, and say goodbye: "left" or "done"."""
        self._contribute_captured(now)
        self.metrics.add(*drain(self.mailbox.metrics))
        self.metrics.put(now, all_of_them=True)
        self.beat(state)
