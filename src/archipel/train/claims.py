"""The units that this site claims, ahead of need so that training never waits for the store."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

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

    def at_hand(self, cover: Cover) -> Claim | None:
        """A claim that is this site's already and that it does not train on yet.

        Not while `put_all` is under way, whose claims it would take for forgotten ones.
        """
        while self._resumed:
            old = self._resumed.pop()
            generation, start = cover.position(old.unit)
            if generation == old.generation and not cover.is_covered(old.unit):
                return old.model_copy(update={"start": start, "session": self._session})
        return None if self.fresh(cover, 1) else self._left_over(cover)

    def fresh(self, cover: Cover, count: int) -> list[Claim]:
        """Up to `count` claims to try: of released units, then of those that nobody has tried."""
        while self.next_unit < cover.spec.units and (self.next_unit, 0) in self._holders:
            self.next_unit += 1
        stop = min(self.next_unit + max(0, count), cover.spec.units)
        untried = [(unit, 0, 0) for unit in range(self.next_unit, stop)]
        found = [each for each in [*cover.free(), *untried] if each[:2] not in self._holders]
        return [self._claim(*each) for each in found[: max(0, count)]]

    def put_all(self, wanted: Sequence[Claim], readers: Executor) -> list[Claim]:
        """Put these claims side by side; those that are this site's now. A job.

        Raises:
            StoreError, IntegrityError: some could not be put; `at_hand` has the others.
        """
        outcomes = list(readers.map(self._try, wanted))
        won = [each for each in outcomes if isinstance(each, Claim)]
        for error in outcomes:
            if isinstance(error, Exception):
                self._resumed += won
                raise error
        return won

    def tried(self, wanted: Sequence[Claim], cover: Cover) -> None:
        """Take note that `put_all` has gone through: whoever claimed these, they are claimed."""
        self.hear(claim.unit + 1 for claim in wanted if claim.generation == 0)
        old = self.next_unit - _REMEMBERED
        for key in list(self._holders):  # a copy: jobs look holders up at the same time
            if key[0] < old and cover.is_covered(key[0]):
                del self._holders[key]

    def _left_over(self, cover: Cover) -> Claim | None:
        """A unit that this site holds without knowing: the reply to its claim was lost, or it
        arrived after this session had joined. Or one that nobody holds: whoever put the claims
        around it was cut off before this one."""
        for unit in cover.open_units(self.next_unit):
            generation, start = cover.position(unit)
            key = (unit, generation)
            if key in self.held:
                continue
            holder = self.holder(unit, generation)
            if holder == self._site:
                self.held.add(key)
                return self._claim(unit, generation, start)
            if holder is None:
                found = self._try(self._claim(unit, generation, start))
                if isinstance(found, Exception):
                    raise found
                if found:
                    return found
        return None

    def _try(self, claim: Claim) -> Claim | StoreError | IntegrityError | None:
        try:
            if self._ledger.put_claim(claim):
                self._holders[(claim.unit, claim.generation)] = self._site
                self.held.add((claim.unit, claim.generation))
                return claim
            self.holder(claim.unit, claim.generation)
        except (StoreError, IntegrityError) as error:
            return error
        return None

    def _claim(self, unit: int, generation: int, start: int) -> Claim:
        return Claim(
            site=self._site, session=self._session, unit=unit, generation=generation, start=start
        )
