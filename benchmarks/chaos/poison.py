"""A hostile member: its key is good, its heartbeats are good, its contributions are poison.

Everything goes into the ledger the way a site's own objects do; only a forged name is written past
it. Knows nothing about networks.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archipel import config
from archipel.errors import RunError
from archipel.ledger import Claim, Commit, Contribution, Heartbeat, Range
from archipel.ledger.invite import invite, open_as_site
from archipel.ledger.keyring import Keyring
from archipel.ledger.signed import SignedObjects
from archipel.store import Store
from archipel.train.codec import codec_named
from benchmarks.network.rounds import open_rounds
from benchmarks.network.stage import beats

NAME = "mallory"
_KNOWN_SECONDS = 5.0  # of heartbeats, until the others wait for this member's contributions
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.1
_FORGED_LOSS = 13.375  # tells a forged header from an honest one


@dataclass(frozen=True)
class Outcome:
    """What became of one poisoned contribution; `reason` is empty where no commit names it."""

    round: int
    accepted: bool
    reason: str


class Mallory:
    """The hostile member of one run, who joins for each attack and leaves after it."""

    def __init__(self, url: str, sites: Sequence[str], seed: int) -> None:
        """Be invited like any site; the owner's key must be in this process's home."""
        keyring = Keyring(config.home() / "keys")
        invite(Store(url), keyring, NAME, {})
        self._ledger = open_as_site(Store(url), keyring, NAME)
        self._sites = tuple(sites)
        self._random = np.random.default_rng(seed)
        self._session = 0
        self._contributed: dict[int, int] = {}

    def attack(self, kind: str) -> Outcome:
        """Poison one round, and see what its commit makes of it.

        Raises:
            RunError: no round opened, or the poisoned one was not decided in time.
            StoreError: the store can't be reached.
        """
        self._session += 1
        self._contributed = {}
        try:
            end = time.monotonic() + _KNOWN_SECONDS
            while time.monotonic() < end:
                self._beat("training")
                time.sleep(1.0)
            round_ = self._poison(kind)
            return _outcome(round_, self._decided(round_))
        finally:
            self._beat("left")

    def _poison(self, kind: str) -> int:
        """Contribute to the next round that an honest site opens; the round that was poisoned."""
        honest, good = self._next_contribution()
        if kind == "forged":
            return self._forge(honest, good)
        payload = self._payload(kind, honest, good)
        claimed = self._claim(honest.tokens)
        header = honest.model_copy(
            update={
                "site": NAME,
                "session": self._session,
                "tokens": claimed.stop,
                "ranges": (claimed,),
            }
        )
        self._ledger.put_contribution(header, payload)
        self._contributed[header.round % self._ledger.spec.fragments] = header.round
        self._beat("training")
        return header.round

    def _payload(self, kind: str, honest: Contribution, payload: memoryview) -> bytes:
        codec = codec_named(self._ledger.spec.codec)
        if kind == "stolen":
            return bytes(payload)
        if kind == "replayed":
            return bytes(self._earlier_payload(honest) or payload)
        if kind == "nan":
            return b"\xff" * len(payload)  # as fp32 or fp16 all of it is NaN
        values = codec.decode(payload, honest.values)
        if kind == "times 100":
            return codec.encode(np.float32(100) * values)
        noise = self._random.standard_normal(len(values)).astype(np.float32)
        length = np.linalg.norm(values) / np.linalg.norm(noise)
        return codec.encode(noise * np.float32(length))

    def _forge(self, honest: Contribution, payload: memoryview) -> int:
        """Take an honest site's place in the round after the next, under its name."""
        round_ = honest.round + self._ledger.spec.fragments
        header = honest.model_copy(update={"round": round_, "loss": _FORGED_LOSS})
        objects = SignedObjects(self._ledger.store, self._ledger.seal, "")
        objects.put_frame(f"rounds/{round_:08d}/{honest.site}.delta", header, bytes(payload))
        return round_

    def _claim(self, tokens: int) -> Range:
        """A range of so many tokens, or of a whole unit, properly claimed."""
        spec = self._ledger.spec
        found = beats(self._ledger, self._sites).values()
        unit = max((beat.next_unit for beat in found), default=0)
        while not self._ledger.put_claim(
            Claim(site=NAME, session=self._session, unit=unit, generation=0, start=0)
        ):
            unit += 1
        if unit >= spec.units:
            raise RunError("the run has no unit left to claim")
        return Range(unit=unit, generation=0, start=0, stop=min(tokens, spec.unit_length(unit)))

    # What honest sites do

    def _next_contribution(self) -> tuple[Contribution, memoryview]:
        """An honest contribution to a round that is still open."""
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            for round_, site in open_rounds(self._ledger, self._sites).items():
                found = self._ledger.contribution(round_, site)
                if found and found[0].tokens and not self._ledger.commit_header(round_):
                    return found[:2]
            self._beat("training")
            time.sleep(_POLL_SECONDS)
        raise RunError(f"no round opened in {_WAIT_SECONDS:.0f} s")

    def _earlier_payload(self, honest: Contribution) -> memoryview | None:
        """What the same site contributed to the round of this fragment before, if it is there."""
        before = honest.round - self._ledger.spec.fragments
        found = self._ledger.contribution(before, honest.site) if before >= 0 else None
        return found[1] if found and found[0].tokens else None

    def _decided(self, round_: int) -> Commit:
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            commit = self._ledger.commit_header(round_)
            if commit:
                return commit
            self._beat("training")
            time.sleep(_POLL_SECONDS)
        raise RunError(f"round {round_} was not decided in {_WAIT_SECONDS:.0f} s")

    def _beat(self, state: str) -> None:
        found = beats(self._ledger, self._sites).values()
        fragments = range(self._ledger.spec.fragments)
        applied = {f: max((b.applied.get(f, -1) for b in found), default=-1) for f in fragments}
        beat = Heartbeat.model_validate(
            {
                "site": NAME,
                "session": self._session,
                "nonce": secrets.token_hex(8),
                "state": state,
                "step": 100,
                "step_seconds": max((b.step_seconds for b in found), default=0.1),
                "contributed": self._contributed,
                "applied": applied,
            }
        )
        self._ledger.put_heartbeat(beat)


def _outcome(round_: int, commit: Commit) -> Outcome:
    accepted = any(h.site == NAME or h.loss == _FORGED_LOSS for h in commit.merged)
    reasons = [r.reason for r in commit.refused]
    mine = [r.reason for r in commit.refused if r.site == NAME]
    return Outcome(round_, accepted, next(iter([*mine, *reasons]), ""))
