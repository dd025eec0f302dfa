"""Which tokens of the run are covered by commits, and whose the rest are. Pure.

Only commits move it, and unit u only those of fragment u mod F: so every reader of the ledger comes
to the same answer, without a clock.
"""

from dataclasses import dataclass, field
from typing import Any

from archipel.errors import IntegrityError
from archipel.ledger.schema import Commit, Contribution, RunSpec

UNIT_STEPS = 32  # inner steps in a unit, the stretch of data that a site claims, if nobody says


@dataclass
class _Unit:
    generation: int = 0
    covered: int = 0
    released: bool = False


@dataclass
class Cover:
    """The state of the data after the commits applied so far."""

    spec: RunSpec
    _below: int = 0  # every unit below this one is fully covered
    _units: dict[int, _Unit] = field(default_factory=dict)
    _reclaimed: dict[int, int] = field(default_factory=dict)  # generations of covered units, if > 0

    def position(self, unit: int) -> tuple[int, int]:
        """The unit's current generation and how far it is covered."""
        if unit < self._below:
            return self._reclaimed.get(unit, 0), self.spec.unit_length(unit)
        state = self._units.get(unit, _Unit())
        return state.generation, state.covered

    def is_covered(self, unit: int) -> bool:
        """Whether commits cover the whole unit."""
        return self.position(unit)[1] >= self.spec.unit_length(unit)

    @property
    def complete(self) -> bool:
        """Whether the whole token budget is covered."""
        return self._below >= self.spec.units

    @property
    def tokens(self) -> int:
        """Tokens covered."""
        below = min(self._below * self.spec.unit_tokens, self.spec.budget_tokens)
        return below + sum(state.covered for state in self._units.values())

    @property
    def reach(self) -> int:
        """Every unit from this one on is as it was at the run's start."""
        return max(self._below, 1 + max(self._units, default=-1))

    def reopen(self) -> None:
        """Take all claims back: each unit that was begun is free from its covered token on, under
        the generation that it has.

        For a record without claims, where commits of this cover are the last ones that count.
        """
        for unit in range(self._below, self.reach):
            self._units.setdefault(unit, _Unit()).released = True

    def free(self) -> list[tuple[int, int, int]]:
        """Released units, each with the generation to claim and the token to start from."""
        return [
            (unit, state.generation, state.covered)
            for unit, state in sorted(self._units.items())
            if state.released and not self.is_covered(unit)
        ]

    def open_units(self, stop: int) -> list[int]:
        """The units below `stop` that are not fully covered."""
        stop = min(stop, self.spec.units)
        return [unit for unit in range(self._below, stop) if not self.is_covered(unit)]

    def refusal(self, header: Contribution) -> str | None:
        """Why merge duty must refuse this contribution, or None.

        A contribution cites current generations only, and in its own fragment's units it goes on
        exactly where the commits end: so no token is merged twice and none is left out.
        """
        if header.tokens != sum(piece.stop - piece.start for piece in header.ranges):
            return f"it claims {header.tokens} tokens, its ranges hold another number"
        for piece in header.ranges:
            if piece.generation != self.position(piece.unit)[0]:
                return f"unit {piece.unit} was released from generation {piece.generation}"
        return self._break(header)

    def _break(self, header: Contribution) -> str | None:
        """How the header breaks the chain of its own fragment's units, or None.

        The same for every reader, however far it has come with other fragments.
        """
        for piece in header.ranges:
            if piece.unit >= self.spec.units:
                return f"the run has no unit {piece.unit}"
            if not piece.start < piece.stop <= self.spec.unit_length(piece.unit):
                return f"unit {piece.unit} has no tokens {piece.start}..{piece.stop}"
            if not self._accounted_in(header.round, piece.unit):
                continue
            generation, covered = self.position(piece.unit)
            if (piece.generation, piece.start) != (generation, covered):
                return (
                    f"unit {piece.unit} is covered up to {covered} in generation {generation}, "
                    f"this starts at {piece.start} in generation {piece.generation}"
                )
        return None

    def _accounted_in(self, round_: int, unit: int) -> bool:
        return unit % self.spec.fragments == round_ % self.spec.fragments

    def apply(self, commit: Commit) -> None:
        """Take in one commit.

        Raises:
            IntegrityError: the commit contradicts those before it.
        """
        for header in commit.merged:
            reason = self._break(header)
            if reason:
                raise IntegrityError(f"commit {commit.round} merged {header.site}: {reason}")
            for piece in header.ranges:
                if self._accounted_in(commit.round, piece.unit):
                    state = self._units.setdefault(piece.unit, _Unit())
                    state.covered, state.released = piece.stop, False
        for release in commit.released:
            unit = self._units.setdefault(release.unit, _Unit())
            if (release.generation, release.at) != (unit.generation, unit.covered):
                raise IntegrityError(f"commit {commit.round} released unit {release.unit} wrongly")
            unit.generation, unit.released = unit.generation + 1, True
        self._compact()

    def to_json(self) -> dict[str, Any]:
        """The state as plain JSON, for a snapshot's manifest."""
        return {
            "below": self._below,
            "units": {
                str(unit): [state.generation, state.covered, int(state.released)]
                for unit, state in self._units.items()
            },
            "reclaimed": {str(unit): count for unit, count in self._reclaimed.items()},
        }

    @classmethod
    def from_json(cls, spec: RunSpec, value: dict[str, Any]) -> "Cover":
        """The inverse of `to_json`.

        Raises:
            IntegrityError: the value is of another shape.
        """
        try:
            units = {
                int(unit): _Unit(int(generation), int(covered), bool(released))
                for unit, (generation, covered, released) in value["units"].items()
            }
            reclaimed = {int(unit): int(count) for unit, count in value["reclaimed"].items()}
            return cls(spec, int(value["below"]), units, reclaimed)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError("a snapshot's manifest has an unreadable `cover`") from error

    def _compact(self) -> None:
        while self._below < self.spec.units and self.is_covered(self._below):
            generation = self._units.pop(self._below, _Unit()).generation
            if generation:
                self._reclaimed[self._below] = generation
            self._below += 1
