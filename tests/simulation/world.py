"""One simulated run: a plan, a store, sites that come and go, and the verdict."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from archipel.errors import ArchipelError, StoreError
from archipel.ledger import InnerSpec, Ledger, OuterSpec, RunSpec
from archipel.ledger.keys import OWNER
from archipel.store.pace import Link
from archipel.train.desk import Superseded
from archipel.train.fragments import Fragment
from archipel.train.join import is_finished
from archipel.train.state import GlobalState
from tests.ledger.fake_keys import FakeKeys
from tests.simulation.bucket import Bucket, Client
from tests.simulation.clock import Clock, Event, Process
from tests.simulation.faults import HEARTBEAT_SECONDS, Blow, Plan, SitePlan, Weather, draw_plan
from tests.simulation.judge import Judge, Violation
from tests.simulation.paper import Disk, PaperSession, Surroundings
from tests.simulation.stand_ins import stand_ins
from tests.simulation.uptime import Uptime

_SEQUENCE_TOKENS = 4
_TAIL_SECONDS = 300.0  # after the last fault, by when the run must be finished


@dataclass(frozen=True)
class Verdict:
    """What came of one seed."""

    seed: int
    violation: str | None
    virtual_seconds: float
    operations: int
    commits: int


def simulate(seed: int, trace: Callable[[str], None] | None = None) -> Verdict:
    """Run one seed to its end. `trace` gets a line for all that happens."""
    world = World(seed, trace)
    with stand_ins(world.clock, world.fragments, world.plan.inline_bytes):
        try:
            world.run()
            violation = None
        except Violation as error:
            violation = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the protocol must not raise it
            lines = traceback.format_exception(error)
            violation = f"crash: {error!r}\n{''.join(lines[-3:])}"
        finally:
            world.close()
    return Verdict(
        seed=seed,
        violation=violation,
        virtual_seconds=world.clock.now,
        operations=world.weather.operations,
        commits=world.judge.commits,
    )


def run_spec(plan: Plan) -> RunSpec:
    """The spec of the run that a plan describes."""
    unit_tokens = plan.unit_steps * _SEQUENCE_TOKENS
    return RunSpec(
        owner="0" * 64,
        model={},
        fragments=plan.fragments,
        sync_steps=plan.sync_steps or None,
        inner=InnerSpec(
            learning_rate=1.0, warmup_tokens=0, batch_sequences=1, sequence_tokens=_SEQUENCE_TOKENS
        ),
        outer=OuterSpec(learning_rate=0.7, momentum=plan.momentum),
        codec=plan.codec,
        budget_tokens=(plan.units - 1) * unit_tokens + plan.last_unit_steps * _SEQUENCE_TOKENS,
        unit_tokens=unit_tokens,
        initial_digest="0" * 64,
        corpus_digest="0" * 64,
        tokenizer_digest="0" * 64,
        epoch_units=16,
        seed=0,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        dead_after_seconds=plan.dead_after,
        snapshot_every_cycles=plan.snapshot_every_cycles,
    )


class World:
    """Everything in one simulated run."""

    def __init__(self, seed: int, trace: Callable[[str], None] | None) -> None:
        self.random = Random(seed)
        self.plan = draw_plan(self.random)
        self.spec = run_spec(self.plan)
        self.fragments = [
            Fragment({f"p{number}": (self.plan.values,)}) for number in range(self.plan.fragments)
        ]
        zeros = {
            f"p{n}": np.zeros(self.plan.values, np.float32) for n in range(len(self.fragments))
        }
        start = GlobalState(self.spec, self.fragments, zeros)
        self.clock = Clock()
        self.judge = Judge(self.spec, start)
        self.weather = Weather(self.plan, self.clock, self.random, trace=trace)
        self.bucket = Bucket(self.clock, self.judge, self.plan.resolution)
        self.slots = [Slot(self, plan) for plan in self.plan.sites]
        self.finished: list[PaperSession] = []
        self.numbers = 0
        self.uptime = Uptime(self.plan)
        self.say = trace or (lambda line: None)
        direct = _Direct(self.bucket)
        self.judge.ledger = Ledger.create(direct, self.spec, FakeKeys(OWNER))
        self._start = start

    def run(self) -> None:
        """Let it all happen.

        Raises:
            Violation: an invariant is broken.
        """
        files, facts = self._start.snapshot_files(), self._start.snapshot_facts()
        self.judge.ledger.put_snapshot(0, files, final=False, **facts)
        for slot in self.slots:
            self.clock.at(slot.plan.start, slot.start_if_away)
        for blow in self.plan.blows:
            self.clock.at(blow.at, self.slots[blow.site].strike, blow)
        self.clock.at(self.plan.heals_at, self._heal)
        deadline = self.plan.heals_at + _TAIL_SECONDS
        self.clock.run(deadline)
        if any(slot.processes for slot in self.slots):
            lacks = self.judge.what_lacks()
            raise Violation(f"not finished {_TAIL_SECONDS:.0f} s after the last fault: {lacks}")
        self.judge.check_end(self.finished)
        lull = self.uptime.longest_lull(self.judge.commit_times, self.judge.commit_times[-1])
        if lull:
            raise Violation(lull)
        if self.plan.calm and (self.judge.refused or self.judge.released):
            raise Violation(
                f"on a calm day, {self.judge.released} released, refused: {self.judge.refused}"
            )

    def _heal(self) -> None:
        """The faults are over: some of those that are gone come back, one at least."""
        for slot in self.slots:
            if slot.plan.returns and slot.plan.start <= self.clock.now:
                slot.start_if_away()
        self.gone()

    def gone(self) -> None:
        """A site's process has ended: once the faults are over, somebody must be there."""
        healed = self.clock.now >= self.plan.heals_at
        if healed and not self.judge.final and not any(slot.processes for slot in self.slots):
            self.clock.after(1.0, self.slots[0].start_if_away)

    def close(self) -> None:
        """Throw away what still runs."""
        for slot in self.slots:
            for process in list(slot.processes):
                process.on_end = lambda: None
                process.kill()


class Slot:
    """One site's place: the processes under its name, and whoever starts them again."""

    def __init__(self, world: World, plan: SitePlan) -> None:
        self.world = world
        self.plan = plan
        self.processes: list[Process] = []
        self.stops: dict[Process, Event] = {}
        self.disk = Disk()

    def start(self) -> None:
        """Start a process, also beside one that runs."""
        process = Process(
            self.world.clock,
            self.plan.name,
            rate=self.plan.clock_rate,
            offset=self.plan.clock_offset,
        )
        self.processes.append(process)
        self.world.uptime.up(process, self.plan.name, self.world.clock.now)
        self.stops[process] = Event(process)
        process.on_end = partial(self._ended, process)
        process.spawn(partial(self._main, process))
        self.world.say(f"{self.world.clock.now:.4f} {self.plan.name} starts")

    def _ended(self, process: Process) -> None:
        """A kill has ended the process."""
        if process not in self.processes:
            return
        self._remove(process)
        self.world.say(f"{self.world.clock.now:.4f} {self.plan.name} killed")
        if process.away_seconds is not None:
            self._start_in(process.away_seconds)
        self.world.gone()

    def _thaw(self, process: Process) -> None:
        if process in self.processes and process.frozen_until <= self.world.clock.now:
            self.world.uptime.up(process, self.plan.name, self.world.clock.now)

    def _remove(self, process: Process) -> None:
        self.processes.remove(process)
        self.world.uptime.down(process, self.world.clock.now)

    def _start_in(self, seconds: float) -> None:
        self.world.clock.after(seconds, self.start_if_away)

    def start_if_away(self) -> None:
        if not self.processes:
            self.start()

    def _main(self, process: Process) -> None:
        """What `archipel site join` does, and the operator who starts it again after an error."""
        outcome = "ends"
        try:
            wait = 0.0
            while self._session(process):
                wait = min(max(1.0, 2 * wait), 8.0)
                self.stops[process].wait(wait)
        except ArchipelError as error:
            outcome = f"fails: {error}"
            if self.world.plan.calm:
                raise Violation(f"{self.plan.name} on a calm day: {error!r}") from error
            if "another process has joined" not in outcome:
                self._start_in(self.world.random.uniform(0.5, 3.0))
        self.world.say(f"{self.world.clock.now:.4f} {self.plan.name} {outcome}")
        process.alive = False
        self._remove(process)
        self.world.gone()

    def _session(self, process: Process) -> bool:
        """One session; whether another must follow."""
        world, stop = self.world, self.stops[process]
        world.numbers += 1
        client = Client(world.bucket, world.weather, process, world.random, world.numbers)
        session = None
        try:
            ledger = Ledger.open(client, FakeKeys(self.plan.name))
            if is_finished(ledger):
                return False
            around = Surroundings(
                process,
                client,
                world.judge,
                self.disk,
                self.plan.step_seconds,
                f"{world.random.getrandbits(64):016x}",
            )
            session = PaperSession(around, ledger, self.plan.name)
            session.run(stop)
        except (Superseded, StoreError) as event:
            world.say(f"{world.clock.now:.4f} {self.plan.name} joins again: {event!r}")
            if world.plan.calm:
                raise Violation(f"{self.plan.name} on a calm day: {event!r}") from event
            return not stop.is_set() and not (session and session.mailbox.finished.is_set())
        finally:
            if session and session.mailbox.finished.is_set():
                world.finished.append(session)
        return False

    def strike(self, blow: Blow) -> None:
        """Something happens to the process of this site that has run the longest."""
        world = self.world
        if blow.kind == "twin":
            self.start()
            return
        if not self.processes:
            return
        process = self.processes[0]
        world.say(f"{world.clock.now:.4f} {self.plan.name} {blow.kind}")
        if blow.kind == "kill":
            process.away_seconds = blow.seconds
            process.kill()
        elif blow.kind == "freeze":
            assert blow.seconds is not None
            process.frozen_until = min(world.clock.now + blow.seconds, world.plan.heals_at)
            world.uptime.down(process, world.clock.now)
            world.clock.at(process.frozen_until, self._thaw, process)
        else:
            self.stops[process].set()
            if blow.seconds is not None:
                self._start_in(blow.seconds + 3.0)


class _Direct:
    """The bucket without a network between."""

    url = "simulated://run"

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.read = bucket.objects.get
        self.list = bucket.list
        self.bytes_out = self.bytes_in = 0
        self.link = Link()

    def get(self, key: str) -> bytes | None:
        found = self._bucket.objects.get(key)
        return found.data if found else None

    def put(self, key: str, data: bytes) -> None:
        self._bucket.put(key, data, self)  # type: ignore[arg-type]

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._bucket.create(key, data, self)  # type: ignore[arg-type]

    def delete(self, keys: Iterable[str]) -> None:
        raise AssertionError("nobody deletes here")

    get_part, put_part = get, put
