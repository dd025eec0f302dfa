"""What goes wrong in one simulated run: a plan drawn from a seed, and what it does to a request.

All times are in seconds.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

from tests.simulation.clock import Clock, Process

HEARTBEAT_SECONDS = 1.0

PartitionKind = Literal["requests", "replies", "reads", "writes"]
_KINDS: tuple[PartitionKind, ...] = ("requests", "replies", "reads", "writes")
NoiseKind = Literal["lost_request", "lost_reply", "late", "doubled", "truncated", "slow"]
_NOISES: tuple[NoiseKind, ...] = get_args(NoiseKind)
_MOMENTS = ("commit", ".delta", "claims/", "manifest", ".safetensors", "sites/")


@dataclass(frozen=True)
class Noise:
    """How often a single request fails in each way, and how slow the store is."""

    shares: tuple[tuple[NoiseKind, float], ...] = ()
    latency: float = 0.02  # seconds each way

    @property
    def error_rate(self) -> float:
        """The share of requests that end in an error or with half an answer."""
        return sum(share for kind, share in self.shares if kind not in ("doubled", "slow"))


@dataclass(frozen=True)
class Blow:
    """One thing that happens to a site at a time."""

    at: float
    kind: Literal["kill", "freeze", "leave", "twin"]
    site: int
    seconds: float | None  # until it is back; None: it stays away until the faults end


@dataclass(frozen=True)
class Trap:
    """A kill at a site's n-th request to keys that contain `moment`."""

    site: int
    moment: str
    count: int
    where: Literal["before", "after"]
    seconds: float | None


@dataclass(frozen=True)
class Cut:
    """A time in which a site's requests, its replies, or one kind of request don't get through."""

    site: int
    start: float
    stop: float
    kind: PartitionKind


@dataclass(frozen=True)
class Storm:
    """A time in which the store fails this share of requests; 1: it is down."""

    start: float
    stop: float
    share: float


@dataclass(frozen=True)
class SitePlan:
    """One site: when it first joins, how fast it trains, how wrong its clock is."""

    name: str
    start: float
    step_seconds: float
    clock_rate: float
    clock_offset: float
    returns: bool


@dataclass(frozen=True)
class Plan:
    """Everything that one seed decides beforehand."""

    fragments: int
    values: int
    codec: str
    momentum: float
    units: int
    unit_steps: int
    last_unit_steps: int
    sync_steps: int  # 0: automatic
    snapshot_every_cycles: int
    dead_after: float
    resolution: float
    inline_bytes: int  # longer payloads travel in parts
    link_bytes_per_second: float  # as measured; 0: unknown
    sites: tuple[SitePlan, ...]
    noise: Noise
    blows: tuple[Blow, ...]
    traps: tuple[Trap, ...]
    cuts: tuple[Cut, ...]
    storms: tuple[Storm, ...]
    heals_at: float

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong."""
        return not (self.blows or self.traps or self.cuts or self.storms or self.noise.error_rate)


def draw_plan(random: Random) -> Plan:
    """Draw the shape of a run and its faults."""
    sites = _draw_sites(random)
    mix = random.choice(("calm", "one", "one", "some", "all", "all"))
    kinds = ("noise", "kill", "trap", "freeze", "leave", "cut", "storm", "twin")
    some = {
        "calm": (),
        "one": (random.choice(kinds),) * 2,
        "some": tuple(random.sample(kinds, 3)),
        "all": kinds,
    }[mix]
    span = random.uniform(8.0, 30.0) if some else 0.0
    faults = _Faults(random, len(sites), span, some)
    unit_steps = random.randint(1, 3)
    return Plan(
        fragments=random.choice((1, 2, 2, 3, 3, 4)),
        values=random.randint(4, 8),
        codec=random.choice(("none", "none", "none", "int8")),
        momentum=random.choice((0.0, 0.5, 0.9)),
        units=random.randint(6, 22),
        unit_steps=unit_steps,
        last_unit_steps=random.randint(1, unit_steps),
        sync_steps=random.choice((0, 1, 3, 6, 10)),
        snapshot_every_cycles=random.choice((1, 2, 4)),
        dead_after=random.choice((5.0, 8.0, 12.0)),
        resolution=random.choice((0.0, 0.0, 1.0)),
        inline_bytes=random.choice((8, 1000, 1000, 1000)),
        link_bytes_per_second=random.choice((0.0, 300.0, 3000.0)),
        sites=sites,
        noise=faults.noise(),
        blows=faults.blows(),
        traps=faults.traps(),
        cuts=faults.cuts(),
        storms=faults.storms(),
        heals_at=span,
    )


def _draw_sites(random: Random) -> tuple[SitePlan, ...]:
    count = random.choice((1, 2, 2, 2, 2, 3, 3, 3, 4, 5))
    pace = random.choice((0.15, 0.3, 0.5)) * count / 2
    equal = random.random() < 0.4
    wrong = random.random() < 0.5
    names = random.sample("abcdefghijklmnop", count)
    return tuple(
        SitePlan(
            name=name,
            start=0.0 if random.random() < 0.6 else random.uniform(0.0, 10.0),
            step_seconds=pace * (1.0 if equal else random.choice((1.0, 2.0, 4.0)) / 2),
            clock_rate=random.uniform(0.8, 1.25) if wrong else 1.0,
            clock_offset=random.uniform(-1e5, 1e5) if wrong else 0.0,
            returns=random.random() < 0.4,
        )
        for name in names
    )


@dataclass
class _Faults:
    """Draws the faults of the kinds in the mix."""

    random: Random
    sites: int
    span: float
    kinds: tuple[str, ...]

    def _times(self, kind: str, most: int) -> int:
        return self.random.randint(1, most) * self.kinds.count(kind) if kind in self.kinds else 0

    def _when(self) -> float:
        return self.random.uniform(0.0, self.span)

    def _away(self) -> float | None:
        return None if self.random.random() < 0.5 else self.random.uniform(0.2, 20.0)

    def noise(self) -> Noise:
        draw = self.random
        latency = draw.choice((0.005, 0.02, 0.1))
        if "noise" not in self.kinds:
            return Noise(latency=latency)
        level = draw.choice((0.005, 0.02, 0.06))
        shares = [(kind, draw.choice((0.0, 1.0, 1.0)) * level) for kind in _NOISES]
        return Noise(tuple(share for share in shares if share[1]), latency)

    def blows(self) -> tuple[Blow, ...]:
        found = []
        for kind, most in (("kill", 4), ("freeze", 3), ("leave", 2), ("twin", 2)):
            for _ in range(self._times(kind, most)):
                site = self.random.randrange(self.sites)
                away = self._away()
                if kind in ("freeze", "twin"):
                    away = self.random.uniform(1.0, 25.0)
                found.append(Blow(self._when(), kind, site, away))  # type: ignore[arg-type]
        if "kill" in self.kinds and self.random.random() < 0.3:
            at = self._when()
            found += [Blow(at, "kill", site, self._away()) for site in range(self.sites)]
        return tuple(found)

    def traps(self) -> tuple[Trap, ...]:
        return tuple(
            Trap(
                site=self.random.randrange(self.sites),
                moment=self.random.choice(_MOMENTS),
                count=self.random.randint(1, 8),
                where=self.random.choice(("before", "after")),
                seconds=self._away(),
            )
            for _ in range(self._times("trap", 4))
        )

    def cuts(self) -> tuple[Cut, ...]:
        found = []
        for _ in range(self._times("cut", 3)):
            start = self._when()
            stop = min(self.span, start + self.random.uniform(1.0, 20.0))
            site, kind = self.random.randrange(self.sites), self.random.choice(_KINDS)
            found.append(Cut(site, start, stop, kind))
        return tuple(found)

    def storms(self) -> tuple[Storm, ...]:
        found = []
        for _ in range(self._times("storm", 2)):
            start = self._when()
            stop = min(self.span, start + self.random.uniform(0.5, 15.0))
            found.append(Storm(start, stop, self.random.choice((0.3, 0.7, 1.0, 1.0))))
        return tuple(found)


@dataclass
class Fate:
    """What becomes of one request."""

    name: str
    effects: tuple[float, ...]  # seconds until each time that it takes effect
    reply_after: float  # from the first effect to the answer
    error_after: float | None = None  # seconds until the caller gives up
    truncated: float | None = None  # the share of the answer that arrives
    unsent_while_away: bool = False  # a freeze or kill catches it before it has left
    dies: Literal["", "before", "after"] = ""


@dataclass
class Weather:
    """The plan's faults as they apply now."""

    plan: Plan
    clock: Clock
    random: Random
    trace: Callable[[str], None] | None = None
    operations: int = 0
    counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        sites = [site.name for site in self.plan.sites]
        self._cuts = {name: [c for c in self.plan.cuts if sites[c.site] == name] for name in sites}
        self._traps = {
            name: [(n, t) for n, t in enumerate(self.plan.traps) if sites[t.site] == name]
            for name in sites
        }

    def is_down(self) -> bool:
        """Whether the store is down now."""
        now = self.clock.now
        return any(s.share >= 1 and s.start <= now < s.stop for s in self.plan.storms)

    def fate(self, process: Process, verb: str, key: str) -> Fate:
        """Decide about a request that this process sends now."""
        draw, latency, now = self.random.random, self.plan.noise.latency, self.clock.now
        self.operations += 1
        chance = draw()
        there, back = latency * (0.5 + chance), latency * (0.5 + draw())
        fate = Fate("", (there,), back, unsent_while_away=chance < 0.5)
        if now < self.plan.heals_at:
            if self._traps[process.name] and verb not in ("get", "list"):
                fate.dies = self._trap(process, key)
            self._obstruct(fate, process, verb)
            if self.plan.noise.shares and not fate.name:
                self._disturb(fate)
        if self.trace:
            times = " ".join(f"+{seconds:.4f}" for seconds in fate.effects)
            self.trace(f"{now:.4f} {process.name} {verb} {key} {times} {fate.name} {fate.dies}")
        return fate

    def _trap(self, process: Process, key: str) -> Literal["", "before", "after"]:
        for number, trap in self._traps[process.name]:
            if trap.moment not in key:
                continue
            self.counts[number] += 1
            if self.counts[number] == trap.count:
                process.away_seconds = trap.seconds
                return trap.where
        return ""

    def _obstruct(self, fate: Fate, process: Process, verb: str) -> None:
        """Apply partitions and storms."""
        now, draw = self.clock.now, self.random.random
        for storm in self.plan.storms:
            if storm.start <= now < storm.stop and draw() < storm.share:
                self._fail(fate, "the store answers 503", done=storm.share < 1 and draw() < 0.2)
        for cut in self._cuts[process.name]:
            if cut.start <= now < cut.stop:
                reads = verb in ("get", "list")
                if cut.kind in ("requests", "replies") or (cut.kind == "reads") == reads:
                    self._fail(fate, "no connection", done=cut.kind == "replies")

    def _fail(self, fate: Fate, name: str, *, done: bool) -> None:
        fate.name, fate.error_after = name, self.random.uniform(0.05, 2.0)
        if not done:
            fate.effects = ()

    def _disturb(self, fate: Fate) -> None:
        """Apply the noise on single requests."""
        draw = self.random
        chance, there = draw.random(), fate.effects[0]
        name = ""
        for kind, share in self.plan.noise.shares:
            if 0 <= chance < share:
                name = kind
            chance -= share
        if name in ("lost_request", "lost_reply", "late"):
            self._fail(fate, name, done=name != "lost_request")
        fate.name = name
        if name == "late":
            assert fate.error_after is not None
            fate.effects = (fate.error_after + draw.choice((0.1, 1.0, 15.0)) * draw.random(),)
            fate.unsent_while_away = False
        elif name == "doubled":
            fate.effects = (there, there + 10 * draw.random())
            fate.unsent_while_away = False
        elif name == "truncated":
            fate.truncated = draw.random()
        elif name == "slow":
            fate.effects = (there + 5 * draw.random(),)
