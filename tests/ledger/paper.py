"""A run whose record the test writes: heartbeats, metrics and commits, signed as real ones are."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from archipel.ledger import Commit, Contribution, Era, Heartbeat, Ledger, Refusal
from archipel.ledger.keys import OWNER, new_private_key, public_key
from archipel.ledger.members import put_member
from archipel.ledger.snapshots import Snapshot
from archipel.store import Store
from tests.ledger.conftest import make_spec

START = 1_790_000_000.0
DIGESTS = ("a" * 64, "b" * 64)


class PaperRun:
    """A run whose sites do what the test says."""

    def __init__(
        self, folder: Path, *, sites: Sequence[str] = ("paris", "tokyo"), **spec: object
    ) -> None:
        self.url = str(folder)
        self.store = Store(self.url)
        owner = new_private_key()
        facts = {"budget_tokens": 1_000_000, "unit_tokens": 10_000, "fragments": 2} | spec
        self.spec = make_spec(owner=public_key(owner), **facts)
        self.store.put("run.json", self.spec.to_json())
        own = Ledger.open_as(self.store, OWNER, owner)
        self._owner = own
        self.sites: dict[str, Ledger] = {}
        for name in sites:
            private = new_private_key()
            assert put_member(self.store, name, private, own.seal)
            self.sites[name] = Ledger.open_as(self.store, name, private)
        self._pieces: dict[tuple[str, int], int] = {}

    def open(self) -> Ledger:
        """The run as somebody reads it who has no key."""
        return Ledger.open(Store(self.url))

    def beat(self, site: str, **facts: object) -> None:
        """Put a heartbeat."""
        said: dict[str, object] = {
            "site": site,
            "session": 0,
            "nonce": "n",
            "state": "training",
            "hardware": "paper",
        }
        self.sites[site].put_heartbeat(Heartbeat.model_validate(said | facts))

    def metrics(self, site: str, *points: Mapping[str, object], session: int = 0) -> None:
        """Put a piece of metrics."""
        number = self._pieces.get((site, session), 0)
        self._pieces[site, session] = number + 1
        lines = "".join(json.dumps(point) + "\n" for point in points)
        self.sites[site].put_metrics(site, session, number, lines.encode())

    def commit(
        self, round_: int, by: str, merged: Sequence[str], refused: Mapping[str, str] | None = None
    ) -> Commit:
        """Put a commit; nobody's metrics tell of it."""
        commit = Commit(
            round=round_,
            base=round_ - self.spec.fragments,
            by=by,
            merged=tuple(self._contribution(round_, site) for site in merged),
            refused=tuple(
                Refusal(site=site, session=0, reason=why) for site, why in (refused or {}).items()
            ),
            released=(),
            codec=self.spec.codec,
            values=0,
            digest=DIGESTS[0],
        )
        assert self.sites[by].put_commit(commit, b"")
        return commit

    def roll_back(self, *, without: Sequence[str], reason: str) -> None:
        """Begin the first era after the beginning; the sites write into it from now on."""
        rounds = (-1,) * self.spec.fragments
        era = Era(number=1, parent=0, rounds=rounds, without=tuple(without), reason=reason)
        facts = {"rounds": rounds, "cover": {}, "final": False}
        self._owner.begin_era(era, Snapshot(0, {}, facts))
        self._pieces.clear()
        self.sites = {
            name: ledger.newest() for name, ledger in self.sites.items() if name not in without
        }

    def _contribution(self, round_: int, site: str) -> Contribution:
        return Contribution(
            site=site,
            session=0,
            round=round_,
            base=round_ - self.spec.fragments,
            tokens=0,
            ranges=(),
            loss=1.0,
            codec=self.spec.codec,
            values=0,
        )


def point(tokens: int, *, seconds: float | None = None, **facts: object) -> dict[str, object]:
    """A point of training when all sites together have trained so many tokens."""
    return {
        "time": START + (tokens / 1000 if seconds is None else seconds),
        "step": tokens // 20,
        "tokens": tokens // 2,
        "global_tokens": tokens,
        "loss": 2 + 4 * math.exp(-tokens / 200_000),
        "tokens_per_second": 500.0,
        "learning_rate": 1e-3,
    } | facts


def applied(round_: int, by: str, digest: str = DIGESTS[0]) -> dict[str, object]:
    """A commit that the site has taken in."""
    return {"applied": round_, "digest": digest, "by": by}


def committed(
    round_: int, by: str, merged: Sequence[str], refused: Sequence[tuple[str, str]] = ()
) -> dict[str, object]:
    """A commit as the site says that put it."""
    return {"round": round_, "merged": list(merged), "refused": list(refused), "by": by}
