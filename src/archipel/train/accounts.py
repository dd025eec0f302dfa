"""What this site has trained, and how much of it each fragment's commits hold. Pure."""

from collections.abc import Mapping

from archipel.ledger import Range, RunSpec
from archipel.train.mailbox import ClaimKey

Trained = Mapping[ClaimKey, tuple[int, int]]  # start and stop within the unit


class Accounts:
    """For every fragment, how far each of this site's units is merged into it."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._included: list[dict[ClaimKey, int]] = [{} for _ in range(spec.fragments)]
        self._settled: set[ClaimKey] = set()

    def ranges(self, fragment: int, trained: Trained) -> tuple[Range, ...]:
        """What was trained since this site's last contribution that the fragment's commits hold."""
        included = self._included[fragment]
        return tuple(
            Range(unit=unit, generation=generation, start=begin, stop=stop)
            for (unit, generation), (start, stop) in sorted(trained.items())
            if (begin := included.get((unit, generation), start)) < stop
        )

    def pending(self, fragment: int, trained: Trained) -> int:
        """Tokens trained here that no commit of this fragment holds yet."""
        included = self._included[fragment]
        return sum(stop - included.get(key, start) for key, (start, stop) in trained.items())

    def uncovered(self, trained: Trained) -> int:
        """Tokens trained here that are not covered by a commit of their own fragment."""
        return sum(
            stop - self._included[key[0] % self._spec.fragments].get(key, start)
            for key, (start, stop) in trained.items()
        )

    def merged(self, fragment: int, trained: Trained) -> list[ClaimKey]:
        """Note a contribution that was merged; the units that every fragment now holds whole."""
        self._included[fragment].update({key: stop for key, (_, stop) in trained.items()})
        settled = [
            key
            for key in set.intersection(*map(set, self._included)) - self._settled
            if all(held[key] == self._spec.unit_length(key[0]) for held in self._included)
        ]
        self._settled.update(settled)
        return settled

    def forget(self, trained: Trained) -> None:
        """Drop the settled units that training has dropped too: no capture can list them again."""
        for key in [key for key in self._settled if key not in trained]:
            self._settled.remove(key)
            for included in self._included:
                included.pop(key, None)
