"""What a run's ledger proves: every token's fate, from the commits alone.

Written apart from `Cover`, so that a fault there shows here.
"""

from collections import defaultdict
from dataclasses import dataclass

from archipel.ledger.record import Ledger
from archipel.ledger.schema import Commit, RunSpec


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


def read_commits(ledger: Ledger) -> list[Commit]:
    """All commits of the run, fragment by fragment, each chain in order."""
    commits = []
    for fragment in range(ledger.spec.fragments):
        round_ = fragment
        while found := ledger.commit(round_):
            commits.append(found[0])
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
