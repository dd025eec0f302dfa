"""The whole audit of a run: everything in its ledger that counts is read and checked.

What does not verify but was accepted nowhere is `ignored`: anybody who can write to the store can
leave such objects. What was accepted and should not have been is a violation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field, replace
from operator import le
from typing import TypeVar

from archipel.errors import IntegrityError
from archipel.ledger.audit import Audit, Stretch, audit, stretches
from archipel.ledger.cover import Cover
from archipel.ledger.members import member_names, read_member
from archipel.ledger.record import Ledger
from archipel.ledger.schema import Claim, Commit, Contribution, Member, SnapshotManifest
from archipel.ledger.snapshots import PARAMETERS

_READS = 8  # at the same time

Progress = Callable[[str, int, int], None]  # what is read, how many of how many
K = TypeVar("K")
V = TypeVar("V")
Chain = list[Commit]  # one fragment's commits, in order


@dataclass
class Findings:
    """What the examination has found so far."""

    violations: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    signatures: int = 0  # that are good

    def check(self, holds: bool, otherwise: str) -> bool:
        """Note a violation unless something holds."""
        if not holds and otherwise not in self.violations:
            self.violations.append(otherwise)
        return holds


@dataclass(frozen=True)
class Proof:
    """What a run's ledger proves."""

    audit: Audit
    finished: bool
    eras: int
    members: tuple[str, ...]
    claims: int
    snapshots: int
    contributions_left: int  # that were not collected yet, checked too
    abandoned_commits: int  # behind a rollback's target
    signatures: int
    ignored: tuple[str, ...]
    violations: tuple[str, ...]


def prove(ledger: Ledger, progress: Progress) -> Proof:
    """Read and check a run's whole record but the payloads.

    Raises:
        IntegrityError: the eras don't follow each other.
        StoreError: the store can't be read.
    """
    with ThreadPoolExecutor(_READS) as pool:
        return _Examination(ledger, progress, pool).run()


class _Examination:
    def __init__(self, ledger: Ledger, progress: Progress, pool: ThreadPoolExecutor) -> None:
        self._spec = ledger.spec
        self._ledger = ledger
        self._progress = progress
        self._pool = pool
        self._found = Findings()
        self._commits: list[Commit] = []
        self._digests: dict[tuple[int, int], str] = {}  # (fragment, round): of the parameters
        self._members: list[str] = []
        self._claims = self._snapshots = self._left = self._abandoned = 0
        self._final = False

    def run(self) -> Proof:
        self._members = self._read_members()
        line = stretches(self._ledger)
        cover = Cover(self._spec)
        for stretch in line:
            cover = self._examine(stretch, cover)
        self._count_abandoned({stretch.ledger.era_number for stretch in line})
        found = audit(self._spec, self._commits, finished=self._final)
        self._check_tokens(found, cover)
        return Proof(
            audit=found,
            finished=self._final,
            eras=1 + len(self._ledger.eras()),
            members=tuple(self._members),
            claims=self._claims,
            snapshots=self._snapshots,
            contributions_left=self._left,
            abandoned_commits=self._abandoned,
            signatures=self._found.signatures,
            ignored=tuple(self._found.ignored),
            violations=tuple(self._found.violations),
        )

    def _count_abandoned(self, counting: set[int]) -> None:
        """Eras that a later one went back beyond don't count with anything."""
        for era in self._ledger.eras():
            if era.number not in counting:
                self._abandoned += len(self._ledger.in_era(era).rounds()[0])

    def _check_tokens(self, found: Audit, cover: Cover) -> None:
        check = self._found.check
        check(found.duplicate_tokens == 0, f"{found.duplicate_tokens:,} tokens were trained twice")
        check(found.skipped_tokens == 0, f"{found.skipped_tokens:,} tokens were skipped")
        if not self._found.violations:
            check(found.tokens == cover.tokens, "two ways of counting the tokens differ")

    def _read_members(self) -> list[str]:
        seal = replace(self._ledger.seal, without=())
        store = self._ledger.store
        read = self._read("members", member_names(store), lambda n: read_member(store, n, seal))
        good = [name for name, member in read if isinstance(member, Member)]
        self._ignore(f"member {name}: {why}" for name, why in read if isinstance(why, Exception))
        self._found.signatures += len(good) + len(self._ledger.eras())
        return good

    def _examine(self, stretch: Stretch, cover: Cover) -> Cover:
        """One era: what of it counts, from the cover before it to the one after it."""
        # Snapshots are looked for first: all that one includes is then found decided, even if the
        # run goes on meanwhile.
        numbers = stretch.ledger.snapshot_numbers()
        manifests = self._read("snapshots", numbers, stretch.ledger.snapshot)
        decided, contributions = stretch.ledger.rounds()
        chains = self._chains(stretch, set(decided))
        for chain in chains:
            self._commits += chain
        self._check_claims(stretch, chains)
        self._check_contributions(stretch, chains, contributions)
        if stretch.ledger.era:
            cover.reopen()
        self._follow(stretch, chains, cover, manifests)
        return cover

    # Commits

    def _chains(self, stretch: Stretch, decided: set[int]) -> list[Chain]:
        """Each fragment's commits that count, as far as they follow each other."""
        count = self._spec.fragments
        wanted = []
        for fragment in range(count):
            round_ = stretch.start[fragment] + count
            while round_ in decided and stretch.goes_to(round_):
                wanted.append(round_)
                round_ += count
            later = [r for r in decided if r >= round_ and r % count == fragment]
            counting = [r for r in later if stretch.goes_to(r)]
            promised = stretch.stop is not None and stretch.stop[fragment] >= round_
            self._found.check(
                not counting and not promised,
                f"commit {round_} is missing, though the run went on after it",
            )
            self._abandoned += len(later) - len(counting)
        chains: list[Chain] = [[] for _ in range(count)]
        broken = set()
        for round_, commit in self._read("commits", wanted, stretch.ledger.commit_header):
            fragment = round_ % count
            if fragment in broken:
                continue
            if commit is None or isinstance(commit, IntegrityError):
                self._found.violations.append(f"commit {round_}: {commit or 'it is gone'}")
                broken.add(fragment)
                continue
            self._found.signatures += 1
            self._check_commit(stretch, commit)
            chains[fragment].append(commit)
        return chains

    def _check_commit(self, stretch: Stretch, commit: Commit) -> None:
        name, check = f"commit {commit.round}", self._found.check
        before = commit.round - self._spec.fragments
        check(commit.base == before, f"{name} builds on {commit.base} instead of {before}")
        sites = [header.site for header in commit.merged]
        check(len(sites) == len(set(sites)), f"{name} merges a site twice")
        for header in commit.merged:
            check(
                (header.round, header.base) == (commit.round, before),
                f"{name} merges {header.site}'s contribution to round {header.round}",
            )
            check(
                self._may_take_part(stretch, header.site),
                f"{name} merges {header.site}, which may not take part",
            )
            held = sum(piece.stop - piece.start for piece in header.ranges)
            check(header.tokens == held, f"{name}: {header.site} claims {header.tokens} tokens")

    def _may_take_part(self, stretch: Stretch, site: str) -> bool:
        era = stretch.ledger.era
        return site in self._members and not (era and site in era.without)

    # Claims and contributions

    def _check_claims(self, stretch: Stretch, chains: Sequence[Chain]) -> None:
        """Whatever was merged was claimed before, by the site that trained it."""
        merged: dict[tuple[int, int], dict[str, int]] = {}  # the first token, by site
        for fragment, chain in enumerate(chains):
            for header in (header for commit in chain for header in commit.merged):
                for piece in header.ranges:
                    if piece.unit % self._spec.fragments == fragment:
                        by_site = merged.setdefault((piece.unit, piece.generation), {})
                        by_site.setdefault(header.site, piece.start)
        self._claims += len(merged)
        for key, claim in self._read("claims", list(merged), lambda k: stretch.ledger.claim(*k)):
            self._check_claim(f"unit {key[0]}, generation {key[1]}", claim, merged[key])

    def _check_claim(
        self, name: str, claim: Claim | IntegrityError | None, merged: Mapping[str, int]
    ) -> None:
        self._found.signatures += isinstance(claim, Claim)
        for site, start in merged.items():
            if claim is None or isinstance(claim, IntegrityError):
                why = claim or "there is no claim"
                self._found.violations.append(f"{name} was merged from {site}: {why}")
                continue
            self._found.check(
                claim.site == site and claim.start <= start,
                f"{name} was merged from {site} at {start}, but {claim.site} claimed it at "
                f"{claim.start}",
            )

    def _check_contributions(
        self, stretch: Stretch, chains: Sequence[Chain], there: list[tuple[int, str]]
    ) -> None:
        """The contributions that are still there are those that the commits say they merged."""
        merged = {
            (commit.round, header.site): header
            for chain in chains
            for commit in chain
            for header in commit.merged
        }
        counting = [key for key in there if stretch.goes_to(key[0])]
        read = self._read(
            "contributions", counting, lambda k: stretch.ledger.contribution_header(*k)
        )
        for key, header in read:
            name = f"contribution of {key[1]} to round {key[0]}"
            if isinstance(header, Contribution):
                self._left += 1
                self._found.signatures += 1
                self._found.check(
                    merged.get(key, header) == header, f"{name} is not the one that was merged"
                )
            elif header and key in merged:
                self._found.violations.append(f"{name} was merged, but {header}")
            elif header:
                self._ignore([f"{name}: {header}"])

    # Snapshots, and the cover that they and the commits come to

    def _follow(
        self,
        stretch: Stretch,
        chains: Sequence[Chain],
        cover: Cover,
        manifests: Iterable[tuple[int, SnapshotManifest | IntegrityError | None]],
    ) -> None:
        """Apply the commits to the cover, and compare it with every snapshot on the way."""
        for fragment, chain in enumerate(chains):
            self._digests |= {(fragment, commit.round): commit.digest for commit in chain}
        begin, at = deepcopy(cover), stretch.start
        for number, manifest in manifests:
            if isinstance(manifest, IntegrityError):
                self._ignore([f"snapshot {number}: {manifest}"])
            elif manifest and all(map(stretch.goes_to, manifest.rounds)):
                self._found.signatures += 1
                self._snapshots += 1
                here, rounds = cover, manifest.rounds
                if all(map(le, at, rounds)):
                    self._apply(cover, stretch, chains, (at, rounds))
                    at = rounds
                else:  # another site's, who had applied other fragments' commits first
                    here = deepcopy(begin)
                    self._apply(here, stretch, chains, (stretch.start, rounds))
                self._check_snapshot(number, manifest, here)
        end = tuple(chain[-1].round if chain else at[f] for f, chain in enumerate(chains))
        self._apply(cover, stretch, chains, (at, end))

    def _apply(
        self,
        cover: Cover,
        stretch: Stretch,
        chains: Sequence[Chain],
        between: tuple[tuple[int, ...], tuple[int, ...]],
    ) -> None:
        """Apply the commits after one round of each fragment up to another."""
        after, upto = between
        for fragment, chain in enumerate(chains):
            first = (after[fragment] - stretch.start[fragment]) // self._spec.fragments
            last = (upto[fragment] - stretch.start[fragment]) // self._spec.fragments
            for commit in chain[first:last]:
                try:
                    cover.apply(commit)
                except IntegrityError as error:
                    self._found.check(False, str(error))

    def _check_snapshot(self, number: int, manifest: SnapshotManifest, cover: Cover) -> None:
        name, check = f"snapshot {number}", self._found.check
        check(manifest.cover == cover.to_json(), f"{name} says other tokens are trained")
        self._final = manifest.final
        if manifest.final:
            check(cover.complete, f"{name} says the run is finished, but tokens are missing")
        for fragment, round_ in enumerate(manifest.rounds):
            file = manifest.files.get(f"{PARAMETERS}.{fragment}")
            if not check(file is not None, f"{name} lacks fragment {fragment}") or file is None:
                continue
            if round_ < 0:  # as in the run's first snapshot, whose digest only a replay can check
                self._digests.setdefault((fragment, round_), file.sha256)
            check(
                self._digests.get((fragment, round_)) == file.sha256,
                f"{name} holds other parameters of fragment {fragment} than commit {round_}",
            )

    def _ignore(self, names: Iterable[str]) -> None:
        self._found.ignored += names

    def _read(
        self, what: str, keys: Sequence[K], read: Callable[[K], V | None]
    ) -> list[tuple[K, V | IntegrityError | None]]:
        """Read objects side by side; one that does not verify gives its error."""

        def one(key: K) -> V | IntegrityError | None:
            try:
                return read(key)
            except IntegrityError as error:
                return error

        found = []
        for done, value in enumerate(self._pool.map(one, keys), 1):
            found.append((keys[done - 1], value))
            self._progress(what, done, len(keys))
        return found
