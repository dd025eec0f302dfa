"""Merge duty's arithmetic: contributions in, commit out. Pure.

Knows nothing about the store, clocks or who is on duty.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from archipel.errors import IntegrityError
from archipel.files import sha256_bytes
from archipel.ledger import Commit, Contribution, Cover, Range, Refusal, Release
from archipel.train.fragments import Vector
from archipel.train.guard import Candidate, Known, refusals
from archipel.train.state import GlobalState, Preview


@dataclass(frozen=True)
class _Taken:
    """A contribution that fits the round; one of no tokens has no payload and no candidate."""

    header: Contribution
    payload: bytes | memoryview
    candidate: Candidate | None


@dataclass
class Merge:
    """A round under merge: take contributions in, then see what is `merged`, then commit.

    `cover` is the data cover as it stands at the round; the state's own may go on meanwhile.
    `trained` counts the tokens that all sites have trained, covered by commits or not yet. `duty`
    is the site on merge duty and `own` its pseudo-gradient before its codec, if it has one: the
    guard judges sparse contributions by it. `witness` gives the gradient on some ranges' tokens,
    for a contribution that is like nothing else.
    """

    state: GlobalState
    round: int
    cover: Cover
    trained: int = 0
    duty: str = ""
    own: Vector | None = None
    witness: Callable[[Sequence[Range]], Vector] = lambda ranges: np.zeros(0, np.float32)
    refused: list[Refusal] = field(default_factory=list)
    _taken: list[_Taken] = field(default_factory=list)
    _units: set[int] = field(default_factory=set)

    @property
    def fragment(self) -> int:
        """The fragment that the round moves."""
        return self.round % self.state.spec.fragments

    def take(
        self, header: Contribution, payload: bytes | memoryview, put_at: float | None = None
    ) -> None:
        """Take in one contribution, or refuse it with its reason.

        `put_at` is when the store says that it was put, in seconds, for who copied from whom.
        """
        candidate = None
        try:
            self._check(header)
            if header.tokens:
                values = self.state.codec.decode(payload, header.values)
                digest = sha256_bytes(payload)
                candidate = Candidate(header.site, header.tokens, digest, values, put_at)
        except IntegrityError as error:
            self.refuse(header.site, header.session, str(error))
            return
        self._taken.append(_Taken(header, payload, candidate))
        self._units.update(piece.unit for piece in header.ranges)

    def refuse(self, site: str, session: int, reason: str) -> None:
        """Note a contribution that can't be merged."""
        self.refused.append(Refusal(site=site, session=session, reason=reason))

    def _check(self, header: Contribution) -> None:
        expected = self.state.fragments[self.fragment].values if header.tokens else 0
        if header.base != self.state.applied[self.fragment]:
            raise IntegrityError(
                f"it builds on round {header.base}, the fragment is at "
                f"{self.state.applied[self.fragment]}"
            )
        if header.codec != self.state.codec.name or header.values != expected:
            raise IntegrityError(
                f"{header.values} values in {header.codec!r} instead of {expected} in "
                f"{self.state.codec.name!r}"
            )
        reason = self.cover.refusal(header)
        if reason:
            raise IntegrityError(reason)
        taken = self._units.intersection(piece.unit for piece in header.ranges)
        if taken:
            raise IntegrityError(f"another site's contribution already holds unit {min(taken)}")

    @property
    def merged(self) -> list[Contribution]:
        """What goes into the commit, once all is taken in: what the guard lets through."""
        return [taken.header for taken in self._passed]

    @cached_property
    def _passed(self) -> list[_Taken]:
        judged = [taken for taken in self._taken if taken.candidate]
        ranges = {taken.header.site: taken.header.ranges for taken in judged}
        known = Known(
            momentum=self.state.momentum[self.fragment],
            history=self.state.history[self.fragment],
            trained=self.trained,
            duty=self.duty,
            own=self.own,
            witness=lambda site: self.witness(ranges[site]),
        )
        found = refusals([taken.candidate for taken in judged if taken.candidate], known)
        for index, reason in found.items():
            self.refuse(judged[index].header.site, judged[index].header.session, reason)
        out = {judged[index].header.site for index in found}
        return [taken for taken in self._taken if taken.header.site not in out]

    def commit(self, by: str, releases: Iterable[Release], residual: Vector | None) -> "Outcome":
        """The commit of what is `merged`.

        The update is the mean of the pseudo-gradients weighted by tokens a round, plus `residual`,
        the error of this fragment's commit before, where this site made that too.
        """
        parts = [(t.header.weight, bytes(t.payload)) for t in self._passed if t.candidate]
        values = self.state.fragments[self.fragment].values
        payload, left = b"", residual
        if parts:
            payload, left = self.state.codec.combine(parts, residual, values)
        preview = self.state.preview(self.fragment, payload)
        commit = Commit(
            round=self.round,
            base=self.state.applied[self.fragment],
            by=by,
            merged=tuple(self.merged),
            refused=tuple(self.refused),
            released=tuple(releases),
            codec=self.state.codec.name,
            values=values if payload else 0,
            norms=tuple(t.candidate.norm if t.candidate else 0.0 for t in self._passed),
            payloads=tuple(sha256_bytes(t.payload) for t in self._passed),
            digest=preview.digest,
        )
        return Outcome(commit, payload, preview, left)


@dataclass(frozen=True)
class Outcome:
    """A commit with its payload, what it makes of the fragment, and the error that its encoding
    leaves for the next one."""

    commit: Commit
    payload: bytes
    preview: Preview
    residual: Vector | None
