"""The units that this site claims, ahead of need so that training never waits for the store."""

from collections.abc import Iterable

from archipel.errors import IntegrityError, StoreError
from archipel.ledger import Claim, Cover, Ledger
from archipel.train.mailbox import ClaimKey

UNREADABLE = ""  # no site is called this
_READS = 3
_REMEMBERED = 4096  # units whose holders are kept in memory


class Claims:
    """Claims made, heard of and still to be tried."""

    def __init__(self, ledger: Ledger, site: str, session: int, next_unit: int) -> None:
        self.next_unit = next_unit
        self.held: set[ClaimKey] = set()
        self._ledger = ledger
        self._site = site
        self._session = session
        self._resumed: list[Claim] = []
        self._blocked: dict[int, list[Claim]] = {}
        self._holders: dict[ClaimKey, str] = {}

    def resume(self, claim: Claim, *, after_round_of: int | None) -> None:
        """Take up a claim of this site's earlier session again.

        Where a contribution of that session is still undecided, only after the next commit of the
        fragment `after_round_of` has settled what it covers.
        """
        self.held.add((claim.unit, claim.generation))
        if after_round_of is None:
            self._resumed.append(claim)
        else:
            self._blocked.setdefault(after_round_of, []).append(claim)

    def unblock(self, fragment: int) -> None:
        """A commit of this fragment was applied."""
        self._resumed += self._blocked.pop(fragment, [])

    def hear(self, next_units: Iterable[int]) -> None:
        """Take note of how far other sites have claimed."""
        self.next_unit = max(self.next_unit, *next_units, 0)

    def holder(self, unit: int, generation: int) -> str | None:
        """The site that claimed this generation of the unit, or None.

        UNREADABLE where the claim arrives damaged again and again: then nobody can show that it is
        theirs.
        """
        key = (unit, generation)
        for _ in range(_READS):
            if key in self._holders:
                return self._holders[key]
            try:
                claim = self._ledger.claim(unit, generation)
            except IntegrityError:
                continue
            if claim is None:
                return None
            self._holders[key] = claim.site
        return self._holders.get(key, UNREADABLE)

    def take(self, cover: Cover, count: int) -> list[Claim]:
        """Claim up to `count` units, as long as there are any."""
        found: list[Claim] = []
        try:
            while len(found) < count and (claim := self._next(cover)):
                found.append(claim)
        except (StoreError, IntegrityError):
            self._resumed += found  # they are this site's: the next call gives them
            raise
        old = self.next_unit - _REMEMBERED
        for key in list(self._holders):  # a copy: jobs look holders up at the same time
            if key[0] < old and cover.is_covered(key[0]):
                del self._holders[key]
        return found

    def _next(self, cover: Cover) -> Claim | None:
        while self._resumed:
            old = self._resumed.pop()
            generation, start = cover.position(old.unit)
            if generation == old.generation and not cover.is_covered(old.unit):
                return old.model_copy(update={"start": start, "session": self._session})
        for unit, generation, start in cover.free():
            if (unit, generation) not in self._holders:
                claim = self._try(unit, generation, start)
                if claim:
                    return claim
        while self.next_unit < cover.spec.units:
            claim = self._try(self.next_unit, 0, 0)
            self.next_unit += 1
            if claim:
                return claim
        return self._forgotten(cover)

    def _forgotten(self, cover: Cover) -> Claim | None:
        """A claim of this site's that it doesn't know of: the reply to it was lost, or it arrived
        after this session had joined."""
        for unit in cover.open_units(self.next_unit):
            generation, start = cover.position(unit)
            key = (unit, generation)
            if key not in self.held and self.holder(unit, generation) == self._site:
                self.held.add(key)
                return self._claim(unit, generation, start)
        return None

    def _try(self, unit: int, generation: int, start: int) -> Claim | None:
        claim = self._claim(unit, generation, start)
        if self._ledger.put_claim(claim):
            self._holders[(unit, generation)] = self._site
            self.held.add((unit, generation))
            return claim
        self.holder(unit, generation)
        return None

    def _claim(self, unit: int, generation: int, start: int) -> Claim:
        return Claim(
            site=self._site, session=self._session, unit=unit, generation=generation, start=start
        )
