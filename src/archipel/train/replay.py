"""A run computed again from its first snapshot and its commits, every digest compared.

Decoding and the outer step are NumPy in a fixed order: so the result must be the same bit for bit.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from archipel.errors import IntegrityError
from archipel.ledger import Ledger
from archipel.ledger.audit import Stretch, stretches
from archipel.ledger.proof import Progress
from archipel.ledger.snapshots import MOMENTUM, PARAMETERS
from archipel.models.digest import digest_of_all
from archipel.train.fragments import Fragment
from archipel.train.join import read_snapshot
from archipel.train.state import GlobalState, digest

# By fragment and round: the number of a snapshot, a kind of its files, that one's digest.
_Expected = dict[tuple[int, int], list[tuple[int, str, str]]]


@dataclass(frozen=True)
class Replay:
    """What came of it; `digest` is of all parameters at the end, as in `initial_digest`."""

    commits: int
    snapshot_files: int  # that were compared
    tokens: int
    digest: str
    violations: tuple[str, ...]


def replay(ledger: Ledger, fragments: Sequence[Fragment], progress: Progress) -> Replay:
    """Compute the run's parameters again, era by era.

    Raises:
        IntegrityError: its first snapshot is missing or damaged.
        StoreError: the store can't be read.
    """
    line = stretches(ledger)
    state = read_snapshot(line[0].ledger, 0, fragments)
    again = _Again(state, progress)
    if digest_of_all(state.tensors()) != ledger.spec.initial_digest:
        again.violations.append("the first snapshot holds other parameters than run.json says")
    for stretch in line:
        again.go(stretch)
    return Replay(
        commits=again.commits,
        snapshot_files=again.compared,
        tokens=state.cover.tokens,
        digest=digest_of_all(state.tensors()),
        violations=tuple(again.violations),
    )


class _Again:
    def __init__(self, state: GlobalState, progress: Progress) -> None:
        self.violations: list[str] = []
        self.commits = 0
        self.compared = 0
        self._state = state
        self._progress = progress

    def go(self, stretch: Stretch) -> None:
        """Apply what counts of an era, and compare with its snapshots."""
        if stretch.ledger.era:
            self._state.cover.reopen()
        expected = self._read_manifests(stretch)
        decided = sorted(filter(stretch.goes_to, stretch.ledger.rounds()[0]))
        for fragment in range(self._state.spec.fragments):
            self._compare(fragment, expected)
        broken = set()
        for done, round_ in enumerate(decided, 1):
            fragment = round_ % self._state.spec.fragments
            if fragment in broken:
                continue
            try:
                found = stretch.ledger.commit(round_)
                if found is None:
                    raise IntegrityError("it is gone")
                self._state.apply(*found)
            except IntegrityError as error:
                self.violations.append(f"commit {round_} can't be replayed: {error}")
                broken.add(fragment)
                continue
            self.commits += 1
            self._compare(fragment, expected)
            self._progress("commits replayed", done, len(decided))

    def _read_manifests(self, stretch: Stretch) -> _Expected:
        expected: _Expected = defaultdict(list)
        for number in stretch.ledger.snapshot_numbers():
            try:
                manifest = stretch.ledger.snapshot(number)
            except IntegrityError:
                continue  # it counts for nothing, and the audit without replay names it
            for fragment, round_ in enumerate(manifest.rounds if manifest else ()):
                for kind in (PARAMETERS, MOMENTUM):
                    file = manifest and manifest.files.get(f"{kind}.{fragment}")
                    sha256 = file.sha256 if file else ""
                    expected[fragment, round_].append((number, kind, sha256))
        return expected

    def _compare(self, fragment: int, expected: _Expected) -> None:
        """Compare with the snapshots of a fragment after the round that it is at now."""
        state = self._state
        vectors = {PARAMETERS: state.parameters, MOMENTUM: state.momentum}
        for number, kind, sha256 in expected.pop((fragment, state.applied[fragment]), []):
            self.compared += 1
            if digest(vectors[kind][fragment]) != sha256:
                self.violations.append(
                    f"snapshot {number}: {kind}.{fragment} is not what the commits come to"
                )
