"""Merge duty's arithmetic: contributions in, commit out. Pure.

Knows nothing about the store, clocks or who is on duty.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from archipel.errors import IntegrityError
from archipel.ledger import Commit, Contribution, Cover, Refusal, Release
from archipel.train.fragments import Vector
from archipel.train.state import GlobalState, Preview


@dataclass
class Merge:
    """A round under merge: what was taken in so far."""

    state: GlobalState
    round: int
    cover: Cover
    merged: list[Contribution] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    _parts: list[tuple[int, bytes]] = field(default_factory=list)
    _norms: list[float] = field(default_factory=list)
    _units: set[int] = field(default_factory=set)

    @property
    def fragment(self) -> int:
        """The fragment that the round moves."""
        return self.round % self.state.spec.fragments

    def take(self, header: Contribution, payload: bytes | memoryview) -> None:
        """Take in one contribution, or refuse it with its reason."""
        try:
            self._check(header)
            values = self.state.codec.decode(payload, header.values)
        except IntegrityError as error:
            self.refuse(header.site, header.session, str(error))
            return
        self.merged.append(header)
        self._units.update(piece.unit for piece in header.ranges)
        self._norms.append(float(np.linalg.norm(values)))
        if header.tokens:
            self._parts.append((header.tokens, bytes(payload)))

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

    def commit(self, by: str, releases: Iterable[Release], residual: Vector | None) -> "Outcome":
        """The commit of what was taken in.

        The update is the mean of the pseudo-gradients weighted by tokens, plus `residual`, the
        error of this fragment's commit before, where this site made that too.
        """
        payload, left = b"", residual
        values = self.state.fragments[self.fragment].values
        if self._parts:
            payload, left = self.state.codec.combine(self._parts, residual, values)
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
            norms=tuple(self._norms),
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
