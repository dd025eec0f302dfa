"""A run as one sees it from outside, from its heartbeats and metrics: for screens, not decisions.

`view` is pure; `Watcher` reads what it needs, each thing once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from archipel.errors import IntegrityError
from archipel.ledger.curve import CurvePoint
from archipel.ledger.duty import Sighting, alive, merge_order
from archipel.ledger.history import ROUNDS_KEPT, History, MetricsReader, Round
from archipel.ledger.record import Ledger
from archipel.ledger.schema import Era, Heartbeat, RunSpec

_ROUNDS_SHOWN = 60
_REFUSALS_SHOWN = 20
_LOOKS_FOR_METRICS = 5
_COMMITS_A_LOOK = 8
_READERS = 8


@dataclass(frozen=True)
class Prices:
    """What an hour of a site costs, in any currency."""

    default: float = 0.0
    of_site: Mapping[str, float] = field(default_factory=dict)

    def of(self, site: str) -> float:
        """The price of one hour of this site."""
        return self.of_site.get(site, self.default)


@dataclass(frozen=True)
class SiteView:
    """One site: its last heartbeat, whether it is alive, the fragments it merges, its history.

    `hours` are those between the first and the last metrics of each of its processes; what their
    heartbeats and metrics say that they moved and trained is summed over its processes.
    """

    heartbeat: Heartbeat
    alive: bool
    duty: tuple[int, ...]
    seen: datetime
    contributed: int = 0
    refused: int = 0
    hours: float = 0.0
    cost: float = 0.0
    trained_tokens: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    curve: tuple[CurvePoint, ...] = ()

    @property
    def state(self) -> str:
        """What its heartbeat says, or "gone" where that is too old."""
        said = self.heartbeat.state
        return said if self.alive or said in ("left", "done") else "gone"

    @property
    def is_current(self) -> bool:
        """Whether what it last said of its link and of how busy it is still holds."""
        return self.state not in ("gone", "left")

    @property
    def tokens_per_second(self) -> float:
        """Its speed just now."""
        return self.heartbeat.tokens_per_second if self.state == "training" else 0.0


@dataclass(frozen=True)
class RefusalView:
    """A contribution that was not merged."""

    round: int
    site: str
    reason: str


@dataclass(frozen=True)
class RunView:
    """All sites of a run, and how far the run has come."""

    spec: RunSpec
    sites: tuple[SiteView, ...]
    tokens: int
    rounds: int
    curve: tuple[CurvePoint, ...] = ()
    recent: tuple[Round, ...] = ()
    refusals: tuple[RefusalView, ...] = ()  # newest first
    diverged: tuple[int, ...] = ()
    sync_steps: int = 0  # H as it is now, 0 where no metrics say so
    era: Era | None = None
    pieces_behind: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def budget_tokens(self) -> int:
        """What the run trains in all."""
        return self.spec.budget_tokens

    @property
    def state(self) -> Literal["empty", "training", "idle", "finished"]:
        """Whether anybody has joined, trains, or has trained it to the end."""
        if not self.sites:
            return "empty"
        if any(site.state in ("joining", "training", "waiting") for site in self.sites):
            return "training"
        return "finished" if any(site.state == "done" for site in self.sites) else "idle"

    @property
    def tokens_per_second(self) -> float:
        """All live sites together."""
        return sum(site.tokens_per_second for site in self.sites)

    @property
    def loss(self) -> float | None:
        """Mean training loss of the live sites, by their speed, or the last that was heard."""
        said = [(s.tokens_per_second, s.heartbeat.loss) for s in self.sites]
        known = [(rate, loss) for rate, loss in said if rate and loss is not None]
        if known:
            return sum(rate * loss for rate, loss in known) / sum(rate for rate, _ in known)
        return self.curve[-1].loss if self.curve else None

    @property
    def eta_seconds(self) -> float | None:
        """Until the budget is trained at the speed of now."""
        rate = self.tokens_per_second
        return max(0, self.budget_tokens - self.tokens) / rate if rate else None

    @property
    def utilisation(self) -> float | None:
        """Mean share of the training sites' time that goes into inner steps."""
        shares = [
            s.heartbeat.busy for s in self.sites if s.state == "training" and s.heartbeat.busy
        ]
        return sum(shares) / len(shares) if shares else None

    @property
    def bytes_per_token(self) -> float | None:
        """To and from the store, joining included, by token trained."""
        tokens = sum(site.trained_tokens for site in self.sites)
        moved = sum(site.bytes_out + site.bytes_in for site in self.sites)
        return moved / tokens if tokens else None

    @property
    def hours(self) -> float:
        """Site-hours so far."""
        return sum(site.hours for site in self.sites)

    @property
    def cost(self) -> float:
        """Of all sites' hours."""
        return sum(site.cost for site in self.sites)


def view(
    spec: RunSpec,
    sightings: Mapping[str, Sighting],
    history: History,
    *,
    now: datetime,
    prices: Prices,
) -> RunView:
    """The run as heartbeats and metrics show it. `now` is judged against the store's times."""
    live = alive(sightings, now=now, dead_after=timedelta(seconds=spec.dead_after_seconds))
    here = {site: beat for site, beat in live.items() if beat.state != "done"}
    duty = {f: merge_order(here, f)[0] for f in range(spec.fragments) if here}
    beats = [seen.heartbeat for seen in sightings.values()]
    applied = _applied(spec, beats)
    known = [history.rounds[number] for number in sorted(history.rounds)]
    refusals = [
        RefusalView(found.number, site, reason)
        for found in reversed(known)
        for site, reason in found.refused
    ]
    sites = tuple(
        _site(seen, history, prices.of(name), duty=duty, is_alive=name in live)
        for name, seen in sorted(sightings.items())
    )
    return RunView(
        spec=spec,
        sites=sites,
        tokens=max((b.global_tokens for b in beats), default=0),
        rounds=sum(last // spec.fragments + 1 for last in applied),
        curve=history.curve.of_all(),
        recent=tuple(known[-_ROUNDS_SHOWN:]),
        refusals=tuple(refusals[:_REFUSALS_SHOWN]),
        diverged=tuple(history.diverged()),
        sync_steps=spec.sync_steps or history.sync_steps,
    )


def _site(
    seen: Sighting, history: History, price: float, *, duty: Mapping[int, str], is_alive: bool
) -> SiteView:
    name = seen.heartbeat.site
    processes = history.processes.get(name, {}).values()
    measured = [p for p in processes if p.bytes_out or p.bytes_in]
    hours = sum(process.seconds for process in processes) / 3600
    return SiteView(
        heartbeat=seen.heartbeat,
        alive=is_alive,
        duty=tuple(f for f, on_duty in duty.items() if on_duty == name),
        seen=seen.modified,
        contributed=history.contributed[name],
        refused=history.refused[name],
        hours=hours,
        cost=hours * price,
        trained_tokens=sum(process.tokens for process in measured),
        bytes_out=sum(process.bytes_out for process in measured),
        bytes_in=sum(process.bytes_in for process in measured),
        curve=history.curve.of(name),
    )


class Watcher:
    """Looks at one run again and again, and remembers what it has read."""

    def __init__(self, ledger: Ledger, prices: Prices | None = None) -> None:
        self._prices = prices or Prices()
        self._unreadable: list[str] = []
        self._begin(ledger)

    def _begin(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._history = History(ledger.spec)
        self._metrics = MetricsReader(ledger)
        self._sightings: dict[str, Sighting] = {}
        self._missed: Counter[int] = Counter()
        self._asked: set[int] = set()

    def look(self, now: datetime) -> RunView:
        """Read what is new: a heartbeat and a piece of metrics or so of each site.

        Raises:
            StoreError: the store can't be read just now; nothing is lost, look again.
        """
        self._unreadable = []
        newest = self.ledger.newest()
        if newest.era != self.ledger.era:  # rolled back: what counts begins anew
            self._begin(newest)
        with ThreadPoolExecutor(_READERS) as readers:
            for seen in filter(None, readers.map(self._sight, self.ledger.site_names())):
                self._sightings[seen.heartbeat.site] = seen
                self._history.hear(seen.heartbeat)
        sessions = {name: seen.heartbeat.session for name, seen in self._sightings.items()}
        for piece in self._metrics.read(sessions):
            self._history.take(piece)
        self._read_commits()
        if self._history.unreadable:
            count = self._history.unreadable
            self._unreadable.append(f"{count:,} lines of metrics say nothing sensible")
        return replace(
            view(self.ledger.spec, self._sightings, self._history, now=now, prices=self._prices),
            unreadable=tuple(self._unreadable),
            pieces_behind=self._metrics.behind,
            era=self.ledger.era,
        )

    def _sight(self, site: str) -> Sighting | None:
        with self._noted(f"heartbeat of {site}"):
            return self.ledger.sighting(site)
        return None

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        """One bad object must not blind the screen: it is shown beside what can be read."""
        try:
            yield
        except IntegrityError as error:
            self._unreadable.append(f"{what}: {error}")

    def _read_commits(self) -> None:
        """Read the headers of commits of which no metrics tell: their committers were killed."""
        applied = _applied(self.ledger.spec, [s.heartbeat for s in self._sightings.values()])
        newest = max(applied, default=-1)
        known = self._history.rounds
        reads = 0
        count = _ROUNDS_SHOWN if self._metrics.behind else ROUNDS_KEPT
        for number in range(max(0, newest - count + 1), newest + 1):
            told = number in known and known[number].merged is not None
            if told or number in self._asked or number > applied[number % len(applied)]:
                continue
            self._missed[number] += 1
            if self._missed[number] >= _LOOKS_FOR_METRICS and reads < _COMMITS_A_LOOK:
                reads += 1
                with self._noted(f"commit of round {number}"):
                    if commit := self.ledger.commit_header(number):
                        self._history.decide(commit)
                self._asked.add(number)


def _applied(spec: RunSpec, beats: Sequence[Heartbeat]) -> list[int]:
    """The newest round of each fragment that a site has applied, -1 where there is none."""
    return [max((b.applied.get(f, -1) for b in beats), default=-1) for f in range(spec.fragments)]
