"""What must hold in every run, whatever goes wrong, checked as it happens.

Works from the objects in the bucket and from what sites believe, with arithmetic of its own where
the protocol's could be wrong: who covered which token, what a mean is.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from archipel.ledger import Commit, Contribution, Ledger, Release, RunSpec
from archipel.ledger.audit import audit, read_commits
from archipel.train.fragments import Vector
from archipel.train.mailbox import Capture
from archipel.train.outer import outer_step
from archipel.train.state import GlobalState, digest
from tests.simulation.bucket import Client
from tests.simulation.paper import PaperSession


class Violation(Exception):
    """An invariant of the protocol is broken."""


@dataclass
class _Chain:
    """One fragment's history: its state after each round."""

    parameters: dict[int, Vector]
    momentum: dict[int, Vector]
    digests: dict[int, str]
    last: int
    traces: dict[tuple[int, int], Vector] = field(default_factory=dict)  # by session and round


@dataclass
class _Unit:
    generation: int = 0
    covered: int = 0


class Judge:
    """Sees everything, tells nobody but the simulation."""

    def __init__(self, spec: RunSpec, start: GlobalState) -> None:
        self.spec = spec
        self.ledger: Ledger  # reads the bucket without a network between
        self.commits = 0
        self.commit_times: list[float] = []
        self.released = 0
        self.refused: list[str] = []
        self.final = False  # whether there was ever a final snapshot
        self._exact = start.codec.name == "none"
        self._start = start
        self._chains = [
            _Chain({r: p}, {r: m}, {r: digest(p)}, r)
            for r, p, m in zip(start.applied, start.parameters, start.momentum, strict=True)
        ]
        self._units: dict[int, _Unit] = defaultdict(_Unit)
        self._contributions: dict[tuple[int, str], tuple[Contribution, int]] = {}
        self._stops: dict[tuple[int, int, int, int], int] = {}
        self._merged_last: dict[tuple[int, int], int] = {}  # of each session and fragment: a round
        self._traces: dict[tuple[int, int], Vector] = defaultdict(
            lambda: np.zeros(start.fragments[0].values, np.float32)
        )  # of each session and fragment: what commits hold
        self._collected: set[int] = set()  # snapshots that were deleted
        self._believed: dict[int, list[int]] = {}
        self._beats: dict[str, float] = {}  # when each site's heartbeat was last written
        self._silent: set[str] = set()  # sites that have been silent for long, or said goodbye

    # The bucket's changes

    def written(self, key: str, old: bytes | None, new: bytes, by: Client) -> None:
        if old is not None and old != new and (key.endswith("/commit") or "claims/" in key):
            raise Violation(f"{key} was decided before, and {by.process.name} overwrote it")
        if key.endswith("/commit") and old is None:
            self.commit_times.append(by.process.clock.now)
            self._committed(int(key.split("/")[1]))
        elif key.endswith(".delta"):
            self._contributed(key, by)
        elif key.startswith("sites/"):
            self._beaten(key.split("/")[1].removesuffix(".json"), by.process.clock.now)
        elif key.endswith("manifest.json"):
            self._snapshot(int(key.split("/")[1]))

    def deleted(self, key: str, by: Client) -> None:
        if key.endswith("/commit") or "claims/" in key or key.startswith("snapshots/00000000/"):
            raise Violation(f"{by.process.name} deleted {key}")
        if key.endswith("manifest.json"):
            self._collected.add(int(key.split("/")[1]))
        if key.endswith(".delta"):
            round_ = int(key.split("/")[1])
            if round_ > self._chains[round_ % self.spec.fragments].last:
                raise Violation(f"{by.process.name} deleted {key} before the round's commit")

    def _beaten(self, site: str, now: float) -> None:
        """A site that never was silent for long must not be taken for dead."""
        sighting = self.ledger.sighting(site)
        left = sighting is None or sighting.heartbeat.state == "left"
        if left or now - self._beats.get(site, now) > self.spec.dead_after_seconds - 1:
            self._silent.add(site)
        self._beats[site] = now

    def _contributed(self, key: str, by: Client) -> None:
        round_, site = int(key.split("/")[1]), by.process.name
        if round_ <= self._chains[round_ % self.spec.fragments].last:
            return  # too late for anybody to read; its parts may be collected already
        found = self.ledger.contribution(round_, site)
        if found is None:
            raise Violation(f"{site} wrote {key}")
        header, payload, _ = found
        if self._exact and header.tokens:
            sent = self._start.codec.decode(payload, header.values)
            if not _is_near(sent, self._amount(header)):
                raise Violation(
                    f"{key} says {sent}, its ranges amount to {self._amount(header)}: {header}"
                )
        self._contributions[round_, site] = header, by.number

    def _amount(self, header: Contribution) -> Vector:
        """What training on a contribution's ranges leaves in a vector."""
        amount = np.zeros(self._start.fragments[0].values, np.float32)
        for piece in header.ranges:
            amount[piece.unit % len(amount)] += piece.stop - piece.start
        return amount

    # Commits

    def _committed(self, round_: int) -> None:
        found = self.ledger.commit(round_)
        assert found is not None
        commit, payload = found
        chain = self._chains[round_ % self.spec.fragments]
        if round_ != chain.last + self.spec.fragments or commit.base != chain.last:
            raise Violation(f"commit {round_} on {commit.base} follows {chain.last}")
        self.commits += 1
        self.released += len(commit.released)
        self.refused += [f"{r.site}: {r.reason}" for r in commit.refused]
        for header in commit.merged:
            self._merged(header, commit)
        for release in commit.released:
            unit = self._units[release.unit]
            if (release.generation, release.at) != (unit.generation, unit.covered):
                raise Violation(f"commit {round_} releases {release}, but {unit}")
            self._check_gone(release)
            unit.generation += 1
        self._move(chain, commit, payload)

    def _check_gone(self, release: Release) -> None:
        claim = self.ledger.claim(release.unit, release.generation)
        if claim is None:
            raise Violation(f"{release} was never claimed")
        last = self._beats.get(claim.site, 0.0)
        silent = self.commit_times[-1] - last > self.spec.dead_after_seconds - 1
        if not silent and claim.site not in self._silent:
            raise Violation(f"{claim.site} lost {release}, but never was silent")

    def _merged(self, header: Contribution, commit: Commit) -> None:
        where = f"commit {commit.round} merged {header.site}"
        if [h.site for h in commit.merged].count(header.site) > 1:
            raise Violation(f"{where} twice")
        put, session = self._contributions.get((commit.round, header.site), (None, -1))
        if put != header:
            raise Violation(f"{where} as {header}, who had put {put}")
        fragment = commit.round % self.spec.fragments
        last = self._merged_last.get((session, fragment))
        if last is not None and header.spans != (commit.round - last) // self.spec.fragments:
            raise Violation(f"{where}, which spans {header.spans} rounds since {last}")
        self._merged_last[session, fragment] = commit.round
        for piece in header.ranges:
            claim = self.ledger.claim(piece.unit, piece.generation)
            if claim is None or claim.site != header.site:
                raise Violation(f"{where} with unit {piece.unit}, whose claim is {claim}")
            key = (session, fragment, piece.unit, piece.generation)
            if piece.start != self._stops.get(key, piece.start) or piece.start < claim.start:
                raise Violation(f"{where}, {piece} does not go on at {self._stops.get(key)}")
            self._stops[key] = piece.stop
            unit = self._units[piece.unit]
            if piece.unit % self.spec.fragments == fragment:
                if (piece.generation, piece.start) != (unit.generation, unit.covered):
                    raise Violation(f"{where}: {piece} does not continue {unit}")
                unit.covered = piece.stop
        self._traces[session, fragment] = self._traces[session, fragment] - self._amount(header)

    def _move(self, chain: _Chain, commit: Commit, payload: bytes | memoryview) -> None:
        parameters, momentum = chain.parameters[chain.last], chain.momentum[chain.last]
        tokens = sum(header.tokens for header in commit.merged)
        if bool(tokens) != bool(payload):
            raise Violation(f"commit {commit.round} has {tokens} tokens, {len(payload)} bytes")
        if payload:
            update = self._start.codec.decode_commit(payload, commit.values)
            if self._exact:
                trained = [header for header in commit.merged if header.tokens]
                parts = [header.weight * self._amount(header) for header in trained]
                mean: Vector = np.add.reduce(parts) / np.float32(sum(h.weight for h in trained))
                if not _is_near(update, mean):
                    raise Violation(f"commit {commit.round} moves by {update}, not by {mean}")
            parameters, momentum = outer_step(self.spec.outer, parameters, momentum, update)
        if digest(parameters) != commit.digest:
            raise Violation(f"commit {commit.round} has a digest that its payload does not give")
        chain.last = commit.round
        chain.parameters[commit.round], chain.momentum[commit.round] = parameters, momentum
        chain.digests[commit.round] = commit.digest
        fragment = commit.round % self.spec.fragments
        for session, part in self._traces:
            if part == fragment:
                chain.traces[session, commit.round] = self._traces[session, part]

    def _snapshot(self, number: int) -> None:
        if number in self._collected:
            # A request on its way for long put the manifest back. Nobody joins by it: it is old.
            if number >= self.ledger.snapshot_numbers()[-1]:
                raise Violation(f"the newest snapshot {number} was collected before")
            return
        manifest = self.ledger.snapshot(number)
        assert manifest is not None
        files = {name: self.ledger.snapshot_file(number, manifest, name) for name in manifest.files}
        state = GlobalState.from_snapshot(self.spec, self._start.fragments, manifest, files)
        self._check_state(state, f"snapshot {number}")
        self.final = self.final or manifest.final
        if manifest.final and not state.cover.complete:
            raise Violation(f"snapshot {number} is final before the budget is covered")

    def _check_state(self, state: GlobalState, whose: str) -> None:
        for fragment, chain in enumerate(self._chains):
            applied = state.applied[fragment]
            if chain.digests.get(applied) != digest(state.parameters[fragment]):
                raise Violation(f"{whose} differs from the commits at round {applied}")
            if not np.array_equal(chain.momentum[applied], state.momentum[fragment]):
                raise Violation(f"{whose} has another momentum than the commits at {applied}")

    # What sites believe

    def believes(self, session: PaperSession) -> None:
        state = session.exchange.state
        if self._believed.get(session.number) == state.applied:
            return
        self._believed[session.number] = list(state.applied)
        self._check_state(state, session.process.name)

    def captured(self, session: PaperSession, capture: Capture) -> None:
        """Local parameters = global ones + what this session trained and no commit holds."""
        chain = self._chains[capture.fragment]
        held = chain.traces.get((session.number, capture.base), np.float32(0))
        expected = chain.parameters[capture.base] + session.traces - held
        if not _is_near(capture.values, expected):
            raise Violation(
                f"{session.process.name}: fragment {capture.fragment} at {capture.base} is "
                f"{capture.values}, should be {expected}"
            )

    # The end

    def what_lacks(self) -> str:
        """The units that no commit covers, and whose they are."""
        found = []
        for number in range(self.spec.units):
            unit, length = self._units[number], self.spec.unit_length(number)
            if unit.covered < length:
                claim = self.ledger.claim(number, unit.generation)
                holder = f"{claim.site} session {claim.session}" if claim else "nobody"
                found.append(
                    f"unit {number} at {unit.covered} of {length}, "
                    f"generation {unit.generation} held by {holder}"
                )
        return "; ".join(found[:5]) or "nothing is uncovered"

    def check_end(self, sessions: list[PaperSession]) -> None:
        """The run is finished: everything is covered once, everybody has the same."""
        commits = read_commits(self.ledger)
        found = audit(self.spec, commits, finished=True)
        if (found.tokens, found.duplicate_tokens, found.skipped_tokens) != (
            self.spec.budget_tokens,
            0,
            0,
        ):
            raise Violation(f"audit: {found}")
        replay = GlobalState(self.spec, self._start.fragments, self._start.tensors())
        for fragment in range(self.spec.fragments):
            while step := self.ledger.commit(replay.next_round(fragment)):
                replay.apply(*step)
        self._check_state(replay, "the replay")
        for session in sessions:
            if session.exchange.state.applied == replay.applied:
                self._check_same(session.exchange.state, replay, session.process.name)
        manifest = self.ledger.snapshot(self.ledger.snapshot_numbers()[-1])
        if manifest is None or not manifest.final:
            raise Violation("the newest snapshot is not final")

    def _check_same(self, state: GlobalState, replay: GlobalState, whose: str) -> None:
        if state.cover.to_json() != replay.cover.to_json():
            raise Violation(f"{whose} believes {state.cover}, the commits say {replay.cover}")


def _is_near(found: Vector, expected: Vector) -> bool:
    """Whether two vectors differ by rounding at most: a token lost or doubled makes 1 and more."""
    return bool(np.abs(found - expected).max() < 0.1)
