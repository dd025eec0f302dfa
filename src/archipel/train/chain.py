"""One fragment's rounds, as a site sees them: its contribution, the commit, merge duty.

Bulk work runs as jobs of an executor; `follow` starts them and takes in what they brought. It
has no clock, no thread and no randomness of its own.
"""

import math
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from archipel.errors import IntegrityError, StoreError
from archipel.files import sha256_bytes
from archipel.ledger import Commit, Contribution
from archipel.ledger.duty import grace_seconds, merge_order
from archipel.train.accounts import Trained
from archipel.train.desk import Desk, Superseded
from archipel.train.duty import Found, MergeDuty, Own, abandoned, gather
from archipel.train.fragments import Vector
from archipel.train.mailbox import Capture, Correction
from archipel.train.state import Preview

_ASKED_FOR = (
    8  # contributions at most that are asked for before their sites say that they are there
)


@dataclass
class _Sent:
    """A contribution on its way or awaiting its commit."""

    trained: Trained
    header: Contribution | None = None  # None: an earlier session's, whose contents are unknown
    values: Vector | None = None
    since: float = 0.0
    putting: "Future[_Put] | None" = None
    put: "_Put | None" = None

    def is_in(self, commit: Commit) -> bool:
        """Whether the commit merged this very contribution, not an earlier session's.

        Judged by what it says: the reply to a put may have been lost.
        """
        if self.header is None or self.put is None:
            return False
        mine = (self.header, sha256_bytes(self.put.payload))
        return mine in zip(commit.merged, commit.payloads, strict=True)


@dataclass(frozen=True)
class _Put:
    """What was put: the payload, the error that its encoding leaves, and whether it was ours."""

    payload: bytes
    residual: Vector | None
    fresh: bool


class Chain:
    """One fragment's rounds."""

    def __init__(self, fragment: int, desk: Desk) -> None:
        self.fragment = fragment
        self.contributed: int | None = None  # the last round that this site contributed to
        self.commits_put = 0
        self.exchange_seconds = 0.0  # from a capture until the contribution was there
        self._desk = desk
        self._sent: _Sent | None = None
        self._residual: Vector | None = None
        self._merged = desk.state.applied[fragment]  # the round that this site was last merged in
        self._merge_residual: tuple[int, Vector | None] = (-1, None)
        self._opened: tuple[int, float] | None = None
        self._incoming: Future[tuple[Commit, Preview] | None] | None = None
        self._gathering: Future[dict[str, Found]] | None = None
        self._gathered: dict[str, Found] = {}
        self._ask_at = -math.inf
        self._duty: MergeDuty | None = None

    @property
    def in_flight(self) -> bool:
        """Whether a contribution of this site awaits its commit."""
        return self._sent is not None

    @property
    def _round(self) -> int:
        return self._desk.state.next_round(self.fragment)

    def pending(self) -> int:
        """Tokens trained here that no commit of this fragment holds."""
        return self._desk.accounts.pending(self.fragment, self._desk.mailbox.report.trained)

    def is_wanted(self) -> bool:
        """Whether the training thread should capture this fragment now."""
        if self._sent:
            return False
        if self._opened:
            return True
        idle = self._desk.mailbox.report.state == "waiting"
        return idle and (self.pending() > 0 or bool(abandoned(self._desk, self.fragment)))

    # Contributing

    def remember(self) -> None:
        """An earlier session of this site has contributed to the open round: this one can't."""
        self.contributed = self._round
        self._sent = _Sent(trained={})

    def contribute(self, capture: Capture, now: float) -> None:
        """Begin to bring this site's contribution to the open round.

        A capture that a commit has overtaken is dropped: its correction is on the way, and what was
        trained goes out with the next one.
        """
        state = self._desk.state
        if self._sent or capture.base != state.applied[self.fragment]:
            return
        ranges = self._desk.accounts.ranges(self.fragment, capture.trained)
        tokens = sum(piece.stop - piece.start for piece in ranges)
        header = Contribution(
            site=self._desk.who.site,
            session=self._desk.who.session,
            round=self._round,
            base=capture.base,
            tokens=tokens,
            ranges=ranges,
            spans=(self._round - self._merged) // state.spec.fragments,
            loss=capture.loss,
            codec=state.codec.name,
            values=state.fragments[self.fragment].values if tokens else 0,
        )
        self._sent = _Sent(capture.trained, header, capture.values, now)
        self._start_put(self._sent)

    def _start_put(self, sent: _Sent) -> None:
        parameters, residual = self._desk.state.parameters[self.fragment], self._residual
        assert sent.header is not None
        assert sent.values is not None
        work = partial(self._encode_and_put, sent.header, parameters, sent.values, residual)
        sent.putting = self._desk.executor.submit(work)

    def _encode_and_put(
        self, header: Contribution, parameters: Vector, values: Vector, residual: Vector | None
    ) -> _Put:
        codec = self._desk.state.codec
        payload = b""
        if header.tokens:
            update = parameters - values
            if residual is not None:
                update += residual
            payload = codec.encode(update)
            residual = update - codec.decode(payload, len(update))
            residual *= codec.feedback_decay
        return _Put(payload, residual, self._desk.ledger.put_contribution(header, payload))

    def finish_put(self, now: float) -> bool:
        """Take note of a contribution that is there now; whether it opened the round.

        Raises:
            StoreError: it could not be brought; it is on its way again.
        """
        sent = self._sent
        if sent is None or sent.putting is None or not sent.putting.done():
            return False
        assert sent.header is not None
        try:
            sent.put = sent.putting.result()
        except StoreError:
            self._start_put(sent)
            raise
        sent.putting = None
        self.contributed = sent.header.round
        self.exchange_seconds = max(now - sent.since, 0.8 * self.exchange_seconds)
        self._ask_at = now
        return self._opened is None

    def wait_for_put(self, now: float) -> None:
        """Wait until a contribution that is on its way is there.

        Raises:
            StoreError: it could not be brought.
        """
        if self._sent and self._sent.putting:
            self._sent.putting.exception()
            self.finish_put(now)

    # Following

    def next_ask(self) -> float | None:
        """When to ask the store next for what this site waits for; None: it waits for nothing."""
        asking = self._incoming or self._gathering or self._duty
        return self._ask_at if self._is_here() and not asking else None

    def _is_here(self) -> bool:
        """Whether this site's contribution is in the store, its commit not."""
        return self._sent is not None and self._sent.putting is None

    def follow(self, now: float, ask_seconds: float) -> Commit | None:
        """Do what is due; the commit that was taken in, if one was.

        What this site waits for it asks the store for every `ask_seconds`, since the heartbeats
        that tell of it come later: merge duty for the contributions, the others for the commit.

        Raises:
            StoreError, IntegrityError: something could not be brought; look again later.
            Superseded: this site must join again.
        """
        taken = self._finish_duty() or self._finish_fetch()
        self._finish_gathering()
        if self._incoming or self._duty:
            return taken
        if self._is_committed_elsewhere():
            self._incoming = self._desk.executor.submit(partial(self._fetch, self._round))
            return taken
        if not self._contributors():
            self._opened = None
            return taken
        round_, since = self._opened or (self._round, now)
        self._opened = (self._round, since if round_ == self._round else now)
        if self._is_here() and not self._gathering:  # what is on its way is not fetched twice
            if self._my_turn(now - self._opened[1]):
                self._start_duty()
            elif now >= self._ask_at:
                self._ask_at = now + ask_seconds
                self._ask()
        return taken

    def _ask(self) -> None:
        """Look whether what this site waits for is there."""
        desk, round_ = self._desk, self._round
        here = desk.neighbours.awaited()
        if not here or merge_order(here, self.fragment)[0] != desk.who.site:
            self._incoming = desk.executor.submit(partial(self._fetch, round_))
            return
        missing = [site for site in here if site != desk.who.site and site not in self._gathered]
        if len(missing) > _ASKED_FOR:
            missing = [site for site in self._contributors() if site in missing]
        if missing:
            self._gathering = desk.executor.submit(partial(gather, desk, round_, missing))

    def _finish_gathering(self) -> None:
        """Take in the contributions that were found, but for those to a round that is decided."""
        if self._gathering is None or not self._gathering.done():
            return
        future, self._gathering = self._gathering, None
        found = future.result()
        self._gathered |= {s: each for s, each in found.items() if each[0].round == self._round}

    def _contributors(self) -> dict[str, int]:
        """The sites, gone ones too, that have contributed to the round, each with its session."""
        round_, who = self._round, self._desk.who
        others = self._desk.neighbours.others()
        found = {b.site: b.session for b in others if b.contributed.get(self.fragment) == round_}
        found |= {site: header.session for site, (header, _, _) in self._gathered.items()}
        if self.contributed == round_:
            found[who.site] = who.session
        return dict(sorted(found.items()))

    def _is_committed_elsewhere(self) -> bool:
        beats = self._desk.neighbours.beats()
        return any(beat.applied.get(self.fragment, -1) >= self._round for beat in beats)

    def _fetch(self, round_: int) -> tuple[Commit, Preview] | None:
        found = self._desk.ledger.commit(round_)
        if found is None:
            return None
        commit, payload = found
        return commit, self._desk.state.preview(self.fragment, payload)

    def _finish_fetch(self) -> Commit | None:
        if self._incoming is None or not self._incoming.done():
            return None
        future, self._incoming = self._incoming, None
        found = future.result()
        if found and self._must_be_put_first(found[0]):
            self._incoming = future
            return None
        return self._take_in(*found) if found else None

    def _must_be_put_first(self, commit: Commit) -> bool:
        """Whether the commit has merged a contribution whose put this site has no reply to yet."""
        who, sent = self._desk.who, self._sent
        merged = {(header.site, header.session) for header in commit.merged}
        return bool(sent and sent.putting) and (who.site, who.session) in merged

    # Merge duty

    def _my_turn(self, open_seconds: float) -> bool:
        """Whether this site should merge now: in its turn, when all are in or late."""
        here = self._desk.neighbours.awaited()
        if self._desk.who.site not in here:
            return False  # its own heartbeat is not seen yet: it judges nobody
        turn = merge_order(here, self.fragment).index(self._desk.who.site)
        grace = grace_seconds(here.values(), self._desk.ledger.spec.heartbeat_seconds)
        if turn == 0 and self._contributors().keys() >= here.keys():
            return True
        return open_seconds > grace * (turn + 1)

    def _start_duty(self) -> None:
        state, sent = self._desk.state, self._sent
        last, residual = self._merge_residual
        own = None
        if sent and sent.header and sent.put and sent.put.fresh and sent.values is not None:
            dense = state.parameters[self.fragment] - sent.values
            own = Own(sent.header, sent.put.payload, dense)
        self._duty = MergeDuty(
            self._desk,
            self._round,
            self._contributors(),
            self._gathered,
            own,
            residual if last == state.applied[self.fragment] else None,
        )

    def _finish_duty(self) -> Commit | None:
        if self._duty is None or (won := self._duty.decided()) is None:
            return None
        duty, self._duty = self._duty, None
        if not won:
            self._incoming = self._desk.executor.submit(partial(self._fetch, duty.round))
            return None
        assert duty.outcome is not None
        self.commits_put += 1
        self._merge_residual = (duty.round, duty.outcome.residual)
        return self._take_in(duty.outcome.commit, duty.outcome.preview)

    # Applying

    def _take_in(self, commit: Commit, preview: Preview) -> Commit:
        """Make a commit part of this site's state, and tell training."""
        state = self._desk.state
        sent, self._sent, self._opened = self._sent, None, None
        self._gathered = {}
        self._check_still_ours(commit, sent)
        base = state.parameters[self.fragment]
        try:
            state.advance(commit, preview)
        except IntegrityError as error:
            raise Superseded(str(error)) from error
        if sent and sent.put and sent.is_in(commit):
            assert sent.header is not None
            assert sent.values is not None
            if sent.header.tokens:
                base = sent.values
            self._residual = sent.put.residual
            self._merged = commit.round
            for key in self._desk.accounts.merged(self.fragment, sent.trained):
                self._desk.claims.held.discard(key)
                self._desk.mailbox.settled.put(key)
        correction = Correction(self.fragment, commit.round, preview.parameters - base)
        self._desk.mailbox.corrections.put(correction)
        self._desk.claims.unblock(self.fragment)
        return commit

    def _check_still_ours(self, commit: Commit, sent: _Sent | None) -> None:
        who, held = self._desk.who, self._desk.claims.held
        forged = sent and sent.put and not sent.put.fresh  # another's object under this site's name
        for refusal in commit.refused:
            if (refusal.site, refusal.session) == (who.site, who.session) and not forged:
                raise Superseded(f"round {commit.round} refused this site: {refusal.reason}")
        for release in commit.released:
            if (release.unit, release.generation) in held:
                raise Superseded(f"unit {release.unit} was released while this site was away")
