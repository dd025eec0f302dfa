"""Rolling a run back: its state at an earlier point, from which a new era begins.

Only the run's owner can. Sites that are running see the new era and join again, in it.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

from archipel.errors import ConfigError, RunError
from archipel.ledger import Cover, Era, Ledger
from archipel.ledger.keys import OWNER
from archipel.ledger.members import member_names
from archipel.ledger.snapshots import Snapshot
from archipel.train.fragments import Fragment
from archipel.train.join import read_snapshot
from archipel.train.state import GlobalState


@dataclass(frozen=True)
class Target:
    """How far back: the last round, or the most tokens, that shall count. Neither: all of it."""

    round: int | None = None
    tokens: int | None = None

    def holds(self, rounds: Sequence[int], cover: Cover) -> bool:
        """Whether a state after these rounds, with this cover, does not go beyond the target."""
        if self.round is not None and max(rounds) > self.round:
            return False
        return self.tokens is None or cover.tokens <= self.tokens


@dataclass(frozen=True)
class Begun:
    """A new era, and how much of the run it starts with."""

    ledger: Ledger
    era: Era
    tokens: int


def roll_back(
    ledger: Ledger,
    fragments: Sequence[Fragment],
    target: Target,
    *,
    without: Sequence[str] = (),
    reason: str = "",
    say: Callable[[str], None],
) -> Begun:
    """Begin a new era at the target, in which the sites `without` may not take part.

    Works while sites are running and when none is. Interrupted, nothing has happened.

    Raises:
        ConfigError: there is no such site.
        RunError: `ledger` is not its owner's, or was rolled back by somebody else just now.
        IntegrityError: the record up to the target is damaged.
        StoreError: the store can't be read or written.
    """
    if ledger.name != OWNER:
        raise RunError("only the run's owner can roll it back")
    for site in sorted(set(without) - set(member_names(ledger.store))):
        raise ConfigError(f"{site!r} was never invited into this run: see `archipel run watch`")
    parent, state = state_at(ledger, fragments, target, say)
    state.cover.reopen()
    excluded = set(without) | set(ledger.era.without if ledger.era else ())
    era = Era(
        number=ledger.era_number + 1,
        parent=parent.era_number,
        rounds=tuple(state.applied),
        without=tuple(sorted(excluded)),
        reason=reason,
    )
    facts = {"final": False, **state.snapshot_facts()}
    first = Snapshot(max(state.applied) + 1, state.snapshot_files(), facts)
    say(f"putting the first snapshot of era {era.number}")
    return Begun(ledger.begin_era(era, first), era, state.cover.tokens)


def state_at(
    ledger: Ledger, fragments: Sequence[Fragment], target: Target, say: Callable[[str], None]
) -> tuple[Ledger, GlobalState]:
    """The newest state that does not go beyond the target, and the run in the era that holds it.

    From the nearest snapshot before it and the commits since, in the order of their rounds.

    Raises:
        RunError: the run's first snapshot is already beyond the target.
        IntegrityError: the record up to the target is damaged.
    """
    parent, number = _snapshot_before(ledger, target)
    say(f"reading snapshot {number} of era {parent.era_number}")
    state = read_snapshot(parent, number, fragments)
    going = set(range(ledger.spec.fragments))
    while going:
        fragment = min(going, key=state.next_round)
        round_ = state.next_round(fragment)
        header = parent.commit_header(round_) if target.holds([round_], state.cover) else None
        if header is None:
            going.discard(fragment)
            continue
        after = deepcopy(state.cover)
        after.apply(header)
        if not target.holds([round_], after):
            break
        found = parent.commit(round_)
        assert found is not None
        say(f"applying commit {round_}")
        state.apply(*found)
    return parent, state


def _snapshot_before(ledger: Ledger, target: Target) -> tuple[Ledger, int]:
    """The newest snapshot that does not go beyond the target, in this era or one it came from."""
    eras = {era.number: era for era in ledger.eras()}
    while True:
        for number in reversed(ledger.snapshot_numbers()):
            manifest = ledger.snapshot(number)
            if manifest is None:
                continue  # collected since the LIST
            cover = Cover.from_json(ledger.spec, manifest.cover)
            if target.holds(manifest.rounds, cover):
                return ledger, number
        if ledger.era is None:
            raise RunError("the run has no snapshot that early: it begins after that")
        ledger = ledger.in_era(eras.get(ledger.era.parent))
