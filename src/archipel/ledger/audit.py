"""What a run's ledger proves: every token's fate, from the commits alone.

Written apart from `Cover`, so that a fault there shows here.
"""

from collections import defaultdict
from dataclasses import dataclass

from archipel.errors import IntegrityError
from archipel.ledger.record import Ledger
from archipel.ledger.schema import Commit, Era, RunSpec


@dataclass(frozen=True)
class Audit:
    """The figures of a run so far."""

    commits: int
    tokens: int  # covered by commits, each once
    duplicate_tokens: int  # covered twice
    skipped_tokens: int  # holes below the furthest covered token; all that lacks in a finished run
    fragment_tokens: tuple[int, ...]  # merged into each fragment
    contributions: dict[str, int]  # merged, by site
    refused: tuple[str, ...]
    merged_by: dict[str, int]  # commits put, by site


@dataclass(frozen=True)
class Stretch:
    """What of an era counts: of fragment f, the rounds after `start[f]` up to `stop[f]`; None: to
    the end."""

    ledger: Ledger
    start: tuple[int, ...]
    stop: tuple[int, ...] | None

    def goes_to(self, round_: int) -> bool:
        """Whether a round counts that is not before the start."""
        return self.stop is None or round_ <= self.stop[round_ % len(self.stop)]


def stretches(ledger: Ledger) -> list[Stretch]:
    """The run's history as it counts: the eras that the newest one goes back to, in order.

    Raises:
        IntegrityError: the eras don't follow each other.
    """
    count = ledger.spec.fragments
    eras = {era.number: era for era in ledger.eras()}
    line: list[Era] = []
    number = max(eras, default=0)
    while number:
        line.insert(0, eras[number])
        if len(line[0].rounds) != count or line[0].parent >= number:
            raise IntegrityError(
                f"era {number} is not one of this run's: its record makes no sense"
            )
        number = line[0].parent
    starts = [tuple(range(-count, 0)), *(era.rounds for era in line)]
    stops = [*starts[1:], None]
    ledgers = [ledger.in_era(None), *(ledger.in_era(era) for era in line)]
    return [Stretch(*each) for each in zip(ledgers, starts, stops, strict=True)]


def read_commits(ledger: Ledger) -> list[Commit]:
    """All commits that count, fragment by fragment and era by era, each chain in order."""
    commits = []
    for fragment in range(ledger.spec.fragments):
        for stretch in stretches(ledger):
            round_ = stretch.start[fragment] + ledger.spec.fragments
            while stretch.goes_to(round_) and (found := stretch.ledger.commit_header(round_)):
                commits.append(found)
                round_ += ledger.spec.fragments
    return commits


def audit(spec: RunSpec, commits: list[Commit], *, finished: bool) -> Audit:
    """Go through all commits of a run. Pure."""
    pieces: dict[int, list[tuple[int, int]]] = defaultdict(list)
    fragment_tokens = [0] * spec.fragments
    contributions: dict[str, int] = defaultdict(int)
    merged_by: dict[str, int] = defaultdict(int)
    refused = []
    for commit in commits:
        fragment = commit.round % spec.fragments
        merged_by[commit.by] += 1
        refused += [f"round {commit.round}: {r.site}: {r.reason}" for r in commit.refused]
        for header in commit.merged:
            contributions[header.site] += 1
            fragment_tokens[fragment] += header.tokens
            for piece in header.ranges:
                if piece.unit % spec.fragments == fragment:
                    pieces[piece.unit].append((piece.start, piece.stop))
    duplicate = covered = holes = 0
    for unit in range(spec.units if finished else max(pieces, default=-1) + 1):
        once, twice, end = _measure(pieces.get(unit, []))
        covered, duplicate = covered + once, duplicate + twice
        holes += (spec.unit_length(unit) if finished else end) - once
    return Audit(
        commits=len(commits),
        tokens=covered,
        duplicate_tokens=duplicate,
        skipped_tokens=holes,
        fragment_tokens=tuple(fragment_tokens),
        contributions=dict(sorted(contributions.items())),
        refused=tuple(refused),
        merged_by=dict(sorted(merged_by.items())),
    )


def _measure(pieces: list[tuple[int, int]]) -> tuple[int, int, int]:
    """Of one unit's pieces: tokens covered, tokens covered more than once, the furthest token."""
    covered = duplicate = end = 0
    for start, stop in sorted(pieces):
        fresh = max(0, stop - max(start, end))
        covered += fresh
        duplicate += (stop - start) - fresh
        end = max(end, stop)
    return covered, duplicate, end
