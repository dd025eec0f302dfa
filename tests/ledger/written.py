"""A run written by hand, round by round, with real keys, codec, merge and digests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archipel.ledger import Claim, Commit, Contribution, Ledger, Range, RunSpec
from archipel.ledger.invite import create_as_owner, open_as_owner, open_as_site
from archipel.ledger.keyring import Keyring
from archipel.models.digest import digest_of_all
from archipel.store import Store
from archipel.train.fragments import Fragment
from archipel.train.merge import Merge
from archipel.train.state import GlobalState

VALUES = 50


class WrittenRun:
    """A run of small vectors whose sites do what they are told."""

    def __init__(self, folder: Path, spec: RunSpec, url: str | None = None) -> None:
        self.fragments = [Fragment({f"p{n}": (VALUES,)}) for n in range(spec.fragments)]
        random = np.random.default_rng(7)
        start = {f"p{n}": random.standard_normal(VALUES, np.float32) for n in range(spec.fragments)}
        spec = spec.model_copy(update={"initial_digest": digest_of_all(start)})
        self.store = Store(url or str(folder / "run"))
        self.keyring = Keyring(folder / "keys")
        owner = create_as_owner(
            self.store, self.keyring, lambda key: spec.model_copy(update={"owner": key})
        )
        self.state = GlobalState(owner.spec, self.fragments, start)
        owner.put_snapshot(0, self.state.snapshot_files(), **self._facts())
        self.ledgers: dict[str, Ledger] = {}

    @property
    def owner(self) -> Ledger:
        return open_as_owner(self.store, self.keyring)

    def site(self, name: str) -> Ledger:
        """A site's ledger, in the run's newest era."""
        if name not in self.ledgers:
            self.ledgers[name] = open_as_site(self.store, self.keyring, name)
        return self.ledgers[name]

    def reopen(self, state: GlobalState) -> None:
        """Go on in a new era, from this state."""
        self.ledgers.clear()
        self.state = state

    def round(
        self, number: int, work: Mapping[str, tuple[Range, ...]], by: str = "a"
    ) -> tuple[Commit, bytes]:
        """One round: claims, contributions, and a commit by `by`; what was committed."""
        merge = Merge(self.state, number, self.state.cover)
        for site, ranges in work.items():
            self.contribute(number, site, ranges)
            found = self.site(site).contribution(number, site)
            assert found
            merge.take(*found)
        outcome = merge.commit(by, [], None)
        self.site(by).put_commit(outcome.commit, outcome.payload)
        self.state.advance(outcome.commit, outcome.preview)
        return outcome.commit, outcome.payload

    def contribute(self, number: int, site: str, ranges: tuple[Range, ...]) -> None:
        """A contribution to a round, with claims for what has none."""
        ledger = self.site(site)
        for piece in ranges:
            claim = Claim(site=site, session=0, **piece.model_dump(exclude={"stop"}))
            ledger.put_claim(claim)
        random = np.random.default_rng([number, len(site), *site.encode()])
        update = random.standard_normal(VALUES, np.float32) * np.float32(0.1)
        header = Contribution(
            site=site,
            session=0,
            round=number,
            base=number - self.state.spec.fragments,
            tokens=sum(piece.stop - piece.start for piece in ranges),
            ranges=ranges,
            loss=1.0,
            codec=self.state.spec.codec,
            values=VALUES if ranges else 0,
        )
        payload = self.state.codec.encode(update) if ranges else b""
        assert ledger.put_contribution(header, payload)

    def units(self, start: int, stop: int, sites: tuple[str, ...] = ("a",)) -> None:
        """Train whole units, unit u in round u, by the sites in turn."""
        for unit in range(start, stop):
            whole = Range(unit=unit, generation=0, start=0, stop=self.state.spec.unit_length(unit))
            self.round(unit, {sites[unit % len(sites)]: (whole,)})

    def lagging_snapshot(self, state: GlobalState, number: int) -> None:
        """A snapshot of a site that had not yet applied all that others had."""
        facts = {"final": False, **state.snapshot_facts()}
        self.site("a").put_snapshot(number, state.snapshot_files(), **facts)

    def snapshot(self, *, final: bool = False) -> int:
        """A snapshot of the state now, by site a; its number."""
        number = max(self.state.applied) + 1
        facts = self._facts() | {"final": final}
        self.site("a").put_snapshot(number, self.state.snapshot_files(), **facts)
        return number

    def _facts(self) -> dict[str, object]:
        return {"final": False, **self.state.snapshot_facts()}
