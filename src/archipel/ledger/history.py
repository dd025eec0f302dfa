"""What the sites' metrics say of a run so far: pieces of JSON lines, each read once and folded.

Bounded in memory however long the run. Metrics are for screens and anyone who may write to the
store may have written them: a line that says nothing sensible is counted and left out.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from archipel.ledger.curve import Curve
from archipel.ledger.record import Ledger
from archipel.ledger.schema import Commit, Count, Digest, Heartbeat, Name, RunSpec

ROUNDS_KEPT = 512

_ROUNDS_AHEAD = 1000  # of the heartbeats that were read a moment before
_AT_ONCE = 256
_SHARE = 64
_FOLLOWED = 16
_READERS = 8
_BEFORE_ALL = (0, -1)

Place = tuple[int, int]  # of a piece among a site's: session, number
_Where = tuple[str, Place]
_T = TypeVar("_T")
_Amount = Annotated[int, Field(ge=0, le=1 << 62)]


class _Point(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class TrainingPoint(_Point):
    """How training went at one moment; numbers beside these are kept in `model_extra`."""

    time: float = Field(ge=0, le=1e11)  # by the site's own clock, seconds since 1970
    tokens: _Amount  # that this process has trained
    global_tokens: _Amount
    loss: float = Field(ge=0, le=1e6)
    tokens_per_second: float = Field(ge=0, le=1e15)
    bytes_out: _Amount = 0
    bytes_in: _Amount = 0
    sync_steps: _Amount = 0


class CommitPoint(_Point):
    """A round as the site saw it that put the commit."""

    round: Count
    merged: tuple[Name, ...]
    refused: tuple[tuple[Name, str], ...]
    by: Name


class AppliedPoint(_Point):
    """A commit that a site has applied, and the digest that it then had."""

    applied: Count
    digest: Digest
    by: Name


Point = TrainingPoint | CommitPoint | AppliedPoint
_POINT: TypeAdapter[Point] = TypeAdapter(Point)


@dataclass(frozen=True)
class Piece:
    """One object of a site's metrics."""

    site: str
    place: Place
    lines: bytes

    def points(self) -> Iterator[Point | None]:
        """Its points in order; None for a line that is not one."""
        for line in self.lines.splitlines():
            try:
                yield _POINT.validate_json(line)
            except ValidationError:
                yield None


@dataclass
class Process:
    """One process of a site: when its metrics begin and end, what it has trained and moved."""

    first: float | None = None
    last: float | None = None
    tokens: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    @property
    def seconds(self) -> float:
        """Between its first metrics and its last."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first

    def note(self, seen: TrainingPoint | Heartbeat) -> None:
        """Take in counters, of which the greatest is the newest."""
        self.tokens = max(self.tokens, seen.tokens)
        self.bytes_out = max(self.bytes_out, seen.bytes_out)
        self.bytes_in = max(self.bytes_in, seen.bytes_in)


@dataclass
class Round:
    """What is known of one round. `merged` is None until its committer's metrics were read."""

    number: int
    by: str
    time: float | None = None
    merged: tuple[str, ...] | None = None
    refused: tuple[tuple[str, str], ...] = ()
    digests: dict[str, str] = field(default_factory=dict)  # by the site that applied it

    @property
    def late(self) -> tuple[str, ...]:
        """Sites that took part in the run then, but had nothing in this round."""
        if self.merged is None:
            return ()
        here = {*self.merged, *(site for site, _ in self.refused)}
        return tuple(sorted(self.digests.keys() - here))


class History:
    """The metrics folded; the order of pieces makes no difference to what it says."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.curve = Curve(spec.inner.batch_tokens)
        self.processes: dict[str, dict[int, Process]] = {}
        self.rounds: dict[int, Round] = {}
        self.contributed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.sync_steps = 0  # H as the newest metrics have it
        self.unreadable = 0
        self._newest = 0.0
        self._newest_round = -1

    def take(self, piece: Piece) -> None:
        """Fold a piece in."""
        time = None
        waiting: list[CommitPoint] = []
        for point in piece.points():
            match point:
                case None:
                    self.unreadable += 1
                case _ if self._is_absurd(point):
                    self.unreadable += 1
                case TrainingPoint():
                    self._train(piece, point)
                    time = time or point.time
                case AppliedPoint():
                    self._round(point.applied, point.by).digests[piece.site] = point.digest
                case CommitPoint():
                    waiting.append(point)
        for commit in waiting:  # a commit has no time of its own: its piece covers a few seconds
            self._commit(commit, time)
        for number in sorted(self.rounds)[:-ROUNDS_KEPT]:
            del self.rounds[number]

    def hear(self, beat: Heartbeat) -> None:
        """Fold a heartbeat in: it is newer than the metrics, and gone when the next one comes."""
        self._process(beat.site, beat.session).note(beat)
        self._newest_round = max(self._newest_round, *beat.applied.values(), -1)

    def decide(self, commit: Commit) -> None:
        """Fold in a round from its commit, where its committer's metrics never came."""
        self._commit(
            CommitPoint(
                round=commit.round,
                merged=tuple(header.site for header in commit.merged),
                refused=tuple((refusal.site, refusal.reason) for refusal in commit.refused),
                by=commit.by,
            ),
            time=None,
        )

    def diverged(self) -> list[int]:
        """The rounds after which sites had different parameters. There should be none."""
        return [n for n, found in self.rounds.items() if len(set(found.digests.values())) > 1]

    def _is_absurd(self, point: Point) -> bool:
        """Whether it lies so far ahead of the run that it would only displace what is true."""
        match point:
            case TrainingPoint():
                return point.global_tokens > 2 * self._spec.budget_tokens
            case CommitPoint():
                return point.round > self._newest_round + _ROUNDS_AHEAD
            case AppliedPoint():
                return point.applied > self._newest_round + _ROUNDS_AHEAD

    def _train(self, piece: Piece, point: TrainingPoint) -> None:
        process = self._process(piece.site, piece.place[0])
        process.first = min(process.first or point.time, point.time)
        process.last = max(process.last or point.time, point.time)
        process.note(point)
        if point.time >= self._newest:
            self._newest, self.sync_steps = point.time, point.sync_steps
        self.curve.add(
            piece.site,
            tokens=point.global_tokens,
            time=point.time,
            loss=point.loss,
            weight=point.tokens_per_second,
        )

    def _commit(self, point: CommitPoint, time: float | None) -> None:
        found = self._round(point.round, point.by)
        if found.merged is None:
            self.contributed.update(point.merged)
            self.refused.update(site for site, _ in point.refused)
        found.by, found.merged, found.refused = point.by, point.merged, point.refused
        found.time = time if found.time is None else found.time

    def _process(self, site: str, session: int) -> Process:
        return self.processes.setdefault(site, {}).setdefault(session, Process())

    def _round(self, number: int, by: str) -> Round:
        return self.rounds.setdefault(number, Round(number, by))


class MetricsReader:
    """Reads the pieces of all sites' metrics, each once.

    After the first time a look costs a GET for a site, and one more for each new piece. Where a
    long run has many pieces, the first look takes the newest and some between, the looks after it
    the rest, a part each. With `in_order` a look takes all there is, oldest first, from those
    behind `after` on.
    """

    def __init__(
        self, ledger: Ledger, *, in_order: bool = False, after: dict[str, Place] | None = None
    ) -> None:
        self._ledger = ledger
        self._in_order = in_order
        self._read_to: dict[str, Place] = {}
        self._after = after or {}
        self._backlog: list[tuple[str, Place]] = []
        self._found: list[Piece] = []

    @property
    def behind(self) -> int:
        """Pieces that are there and not read yet."""
        return len(self._backlog)

    def read(self, sessions: Mapping[str, int]) -> list[Piece]:
        """The pieces since the last time, of the sites with their newest sessions.

        Raises:
            StoreError: the store can't be read; nothing is lost, call again.
        """
        share = self._see(sessions.keys() - self._read_to.keys())
        with ThreadPoolExecutor(_READERS) as readers:
            found = [*readers.map(self._get, self._backlog[:share])]
            self._found += filter(None, found)
            self._backlog = self._backlog[share:]
            if not (self._in_order and self._backlog):
                far_behind = [*readers.map(self._follow, sessions.items())]
                for site in itertools.compress(sessions, far_behind):
                    self._catch_up(site)
        pieces, self._found = self._found, []
        return sorted(pieces, key=lambda piece: (piece.site, piece.place))

    def _see(self, new: Set[str]) -> int:
        """List the sites that are new; how many pieces of the backlog to read now."""
        after = {site: self._after.get(site, _BEFORE_ALL) for site in sorted(new)}
        listed = {site: self._list(site, place) for site, place in after.items()}
        for site, places in listed.items():
            self._read_to[site] = max(places, default=after[site])
        turns = itertools.zip_longest(*(self._ordered(*item) for item in listed.items()))
        self._backlog = [piece for turn in turns for piece in turn if piece] + self._backlog
        return _AT_ONCE if new or self._in_order else _SHARE

    def _catch_up(self, site: str) -> None:
        """List what a site has put since it was last read, where that is much."""
        places = self._list(site, self._read_to[site])
        self._read_to[site] = max(places, default=self._read_to[site])
        self._backlog = self._ordered(site, places) + self._backlog

    def _list(self, site: str, after: Place) -> list[Place]:
        return [place for place in self._ledger.metrics_places(site) if place > after]

    def _ordered(self, site: str, places: Sequence[Place]) -> list[_Where]:
        """Pieces in the order in which to read them."""
        return [(site, p) for p in (places if self._in_order else spread(places, _AT_ONCE))]

    def _follow(self, newest: tuple[str, int]) -> bool:
        """Read a site's pieces beyond those that were listed; whether there are many more."""
        site, last_session = newest
        for _ in range(_FOLLOWED):
            session, number = self._read_to[site]
            piece = self._get((site, (session, number + 1)))
            if piece:
                self._found.append(piece)
                self._read_to[site] = piece.place
            elif session < last_session:
                self._read_to[site] = (session + 1, -1)
            else:
                return False
        return True

    def _get(self, where: _Where) -> Piece | None:
        site, place = where
        lines = self._ledger.metrics_piece(site, *place)
        return None if lines is None else Piece(site, place, lines)


def spread(pieces: Sequence[_T], count: int) -> list[_T]:
    """`pieces`, oldest first, in another order: the first `count` or so are the newest and, evenly,
    some of the others, so that they show the whole."""
    newest = pieces[-(count // 2) :]
    older = pieces[: -(count // 2)]
    step = max(1, -(-len(older) // (count // 2)))
    rest = [piece for index, piece in enumerate(older) if index % step]
    return [*newest, *older[::step], *reversed(rest)]
