"""Merge duty for one round: fetch the contributions, merge them, put the commit. Jobs.

Knows nothing about what the commit does to this site's own training.
"""

import copy
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from archipel.errors import IntegrityError, StoreError
from archipel.ledger import Contribution, Release
from archipel.train.claims import UNREADABLE
from archipel.train.desk import Desk
from archipel.train.fragments import Vector
from archipel.train.mailbox import ClaimKey
from archipel.train.merge import Merge, Outcome

_READS = 3  # of a contribution that arrives damaged


@dataclass(frozen=True)
class Own:
    """This site's contribution: header, payload, and the pseudo-gradient before its codec."""

    header: Contribution
    payload: bytes
    dense: Vector


Found = tuple[Contribution, bytes | memoryview, float]  # the last: when the store saw it put


def gather(desk: Desk, round_: int, sites: Iterable[str]) -> dict[str, Found]:
    """Those of these sites' contributions to a round that are there, fetched side by side.

    One that arrives damaged counts as not there yet: merge duty reads it again.
    """

    def read(site: str) -> Found | None:
        try:
            return desk.ledger.contribution(round_, site)
        except IntegrityError:
            return None

    names = list(sites)
    found = zip(names, desk.readers.map(read, names), strict=True)
    return {site: contribution for site, contribution in found if contribution}


class MergeDuty:
    """One round, merged on copies of what may change meanwhile."""

    def __init__(
        self,
        desk: Desk,
        round_: int,
        contributors: Mapping[str, int],
        gathered: Mapping[str, Found],
        own: Own | None,
        residual: Vector | None,
    ) -> None:
        """Begin. `contributors` are sites with their sessions, some contributions are `gathered`
        already; `own`: None if it isn't at hand; `residual` is the error of the fragment's last
        commit, if this site made that."""
        self.round = round_
        self.outcome: Outcome | None = None
        self._desk = desk
        self._contributors = contributors
        self._gathered = gathered
        self._own = own
        self._residual = residual
        self._cover = copy.deepcopy(desk.state.cover)
        self._abandoned = abandoned(desk, round_ % desk.state.spec.fragments)
        self._won: Future[bool] = desk.executor.submit(self._merge_and_put)

    def decided(self) -> bool | None:
        """Whether this site's commit decided the round; None while it is under way.

        Raises:
            StoreError, IntegrityError: something could not be brought; it is being tried again.
        """
        if not self._won.done():
            return None
        try:
            return self._won.result()
        except (StoreError, IntegrityError):
            self._won = self._desk.executor.submit(self._merge_and_put)
            raise

    def _merge_and_put(self) -> bool:
        if self.outcome is None:
            self.outcome = self._merge()
        return self._desk.ledger.put_commit(self.outcome.commit, self.outcome.payload)

    def _merge(self) -> Outcome:
        desk = self._desk
        dense = self._own.dense if self._own else None
        merge = Merge(
            desk.state,
            self.round,
            self._cover,
            trained=desk.mailbox.global_tokens,
            duty=desk.who.site,
            own=dense,
            witness=partial(desk.witness, desk.state, self.round % desk.state.spec.fragments),
        )
        found = desk.readers.map(self._examine, self._contributors)
        for (site, session), seen in zip(self._contributors.items(), found, strict=True):
            if isinstance(seen, str):
                merge.refuse(site, session, seen)
            elif seen:
                merge.take(*seen)
        return merge.commit(desk.who.site, self._releases(merge.merged), self._residual)

    def _examine(self, site: str) -> Found | str | None:
        """A site's contribution, or why it must be refused, or None where there is none."""
        try:
            found = self._contribution(site)
        except IntegrityError as error:
            return str(error)
        return found and (self._not_the_claimant(found[0]) or found)

    def _contribution(self, site: str) -> Found | None:
        if self._own and site == self._desk.who.site:
            return self._own.header, self._own.payload, 0.0  # who copied it did so later
        if site in self._gathered:
            return self._gathered[site]
        for _ in range(_READS - 1):
            try:
                return self._desk.ledger.contribution(self.round, site)
            except IntegrityError:
                continue  # often it is the reply that was damaged, not the object
        return self._desk.ledger.contribution(self.round, site)

    def _not_the_claimant(self, header: Contribution) -> str | None:
        """Why this site may not contribute those units, or None."""
        claims = self._desk.claims
        for piece in header.ranges:
            if claims.holder(piece.unit, piece.generation) != header.site:
                return f"unit {piece.unit} is not claimed by {header.site}"
        return None

    def _releases(self, merged: list[Contribution]) -> list[Release]:
        """The claims that the commit takes from sites that are gone, after what it merges."""
        stops = {piece.unit: piece.stop for header in merged for piece in header.ranges}
        releases = []
        for unit, generation in self._abandoned:
            at = stops.get(unit, self._cover.position(unit)[1])
            if at < self._desk.state.spec.unit_length(unit):
                releases.append(Release(unit=unit, generation=generation, at=at))
        return releases


def abandoned(desk: Desk, fragment: int) -> list[ClaimKey]:
    """A fragment's claimed and uncovered units whose sites are gone.

    None as long as there are fresh units to claim: a site that was only cut off then merges what it
    trained, however long it was away.
    """
    state, claims, neighbours = desk.state, desk.claims, desk.neighbours
    if claims.next_unit < state.spec.units:
        return []
    live = neighbours.alive()
    found = []
    for unit in state.cover.open_units(claims.next_unit):
        if unit % state.spec.fragments != fragment:
            continue
        generation, _ = state.cover.position(unit)
        holder = claims.holder(unit, generation)
        if holder is None or holder in live:
            continue
        if holder == UNREADABLE or neighbours.knows(holder):
            found.append((unit, generation))
        else:
            neighbours.see(holder)  # it joined since the last LIST: not gone, but new
            live = neighbours.alive()
    return found
