"""The faults themselves, done to sites, links and the store of one run."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import RunError
from archipel.ledger import Ledger
from benchmarks.chaos.poison import Mallory, Outcome
from benchmarks.chaos.schedule import Fault
from benchmarks.network import Network, Site
from benchmarks.network.hosts import run
from benchmarks.network.rounds import just_opened, on_duty

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_OFF_BY = "-5h"
_ROUND_SECONDS = 60.0
_OLDER_ENDS_SECONDS = 120.0  # Python and torch load slowly on a share of a core
_POISON = "poison: "
_NEVER = float("inf")


@dataclass(frozen=True)
class Disturbance:
    """A stretch of time in which these sites could not take part; wall-clock seconds."""

    kind: str
    sites: tuple[str, ...]
    since: float
    until: float


@dataclass(frozen=True)
class Done:
    """A fault as it came about; `trouble` says what went otherwise than it should."""

    kind: str
    site: str
    since: float
    until: float
    poison: Outcome | None
    trouble: str


class Acts:
    """Everything that can be done to a run's sites. Faults run in threads and may overlap."""

    def __init__(self, network: Network, sites: Sequence[Site], ledger: Ledger) -> None:
        """Invite the hostile member; nothing is done yet."""
        self.disturbances: list[Disturbance] = []
        self.done: list[Done] = []
        self.stop = threading.Event()
        self._network = network
        self._sites = {site.name: site for site in sites}
        self._ledger = ledger
        self._proxy = network.proxy
        self._mallory = Mallory(ledger.store.url, list(self._sites), ledger.spec.seed)
        self._poisoning = threading.Lock()
        self._taken: Counter[str] = Counter()  # faults that keep a site's process from running
        self._taking = threading.Lock()
        self._acts: dict[str, Callable[[Fault], str | None]] = {
            "kill": self._kill,
            "kill all": self._kill_all,
            "kill on merge duty": self._kill_on_merge_duty,
            "freeze": self._freeze,
            "wrong clock": self._wrong_clock,
            "same name": self._same_name,
            "full disk": self._full_disk,
            "cut": self._cut,
            "slow store": self._slow_store,
            "store down": self._store_down,
            "errors": self._errors,
            "truncated replies": self._truncated_replies,
            "lost replies": self._lost_replies,
        }

    def act(self, fault: Fault) -> None:
        """Do one fault to its end; what goes wrong with it is noted, not raised."""
        since, outcome, site, trouble = time.time(), None, fault.site, ""
        try:
            if fault.kind.startswith(_POISON):
                with self._poisoning:
                    outcome = self._mallory.attack(fault.kind.removeprefix(_POISON))
            else:
                site = self._acts[fault.kind](fault) or site
        except Exception as error:  # noqa: BLE001 - a fault that fails must not end the run; reported
            trouble = f"{type(error).__name__}: {error}"
        self.done.append(Done(fault.kind, site, since, time.time(), outcome, trouble))

    def keeps_down(self, site: str) -> bool:
        """Whether a fault keeps the site from running, and will start it."""
        return self._taken[site] > 0

    def disturbs(self, site: str) -> bool:
        """Whether a fault keeps the site from taking part just now."""
        return any(site in d.sites and d.until == _NEVER for d in list(self.disturbances))

    @contextmanager
    def _disturbing(self, kind: str, *names: str) -> Iterator[None]:
        """Note that these sites can't take part meanwhile."""
        since = time.time()
        self.disturbances.append(Disturbance(kind, names, since, _NEVER))
        try:
            yield
        finally:
            self.disturbances.remove(Disturbance(kind, names, since, _NEVER))
            self.disturbances.append(Disturbance(kind, names, since, time.time()))

    # Processes

    def _kill(self, fault: Fault) -> None:
        self._kill_and_restart(fault, fault.site)

    def _kill_and_restart(self, fault: Fault, *names: str) -> None:
        with self._killed(fault.kind, *names):
            self.stop.wait(fault.seconds)

    @contextmanager
    def _killed(self, kind: str, *names: str, **environment: str) -> Iterator[None]:
        """Kill sites; afterwards start those that no other fault keeps down."""
        with self._disturbing(kind, *names):
            with self._taking:
                self._taken.update(names)
                for name in names:
                    self._sites[name].kill()
            try:
                yield
            finally:
                with self._taking:
                    self._taken.subtract(names)
                    for name in names:
                        if not self._taken[name]:
                            self._sites[name].start(**environment)

    def _kill_all(self, fault: Fault) -> None:
        self._kill_and_restart(fault, *self._sites)

    def _kill_on_merge_duty(self, fault: Fault) -> str:
        names = [name for name, site in self._sites.items() if site.running]
        name = on_duty(self._ledger, names, just_opened(self._ledger, names, _ROUND_SECONDS))
        self._kill_and_restart(fault, name)
        return name

    def _freeze(self, fault: Fault) -> None:
        site = self._sites[fault.site]
        with self._disturbing(fault.kind, fault.site):
            site.signal(signal.SIGSTOP)
            self.stop.wait(fault.seconds)
            site.signal(signal.SIGCONT)

    def _wrong_clock(self, fault: Fault) -> None:
        """Its clock is hours off from a restart on; put right by another."""
        wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": _OFF_BY, "DONT_FAKE_MONOTONIC": "1"}
        with self._killed(fault.kind, fault.site, **wrong):
            pass
        self.stop.wait(fault.seconds)
        with self._killed(fault.kind, fault.site):
            pass

    def _same_name(self, fault: Fault) -> None:
        """A second process joins under the name: the first has to end by itself."""
        site = self._sites[fault.site]
        with self._disturbing(fault.kind, fault.site):
            with self._taking:
                if not site.running:
                    raise RunError(f"{fault.site} was not running")
                older = site.displace()
            end = time.monotonic() + _OLDER_ENDS_SECONDS
            while older.poll() is None and time.monotonic() < end and not self.stop.is_set():
                time.sleep(0.1)
        if older.poll() is None:
            older.kill()
            older.wait()
            raise RunError(f"the older {fault.site} did not end in {_OLDER_ENDS_SECONDS:.0f} s")

    def _full_disk(self, fault: Fault) -> None:
        """The site's home has no room left; it goes on training, so this is no disturbance."""
        ballast = self._sites[fault.site].home / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
        except OSError:
            self.stop.wait(fault.seconds)
        finally:
            ballast.unlink(missing_ok=True)

    # Links and the store

    def _cut(self, fault: Fault) -> None:
        with self._disturbing(fault.kind, fault.site):
            self._network.cut(fault.site, True)
            self.stop.wait(fault.seconds)
            self._network.cut(fault.site, False)

    def _slow_store(self, fault: Fault) -> None:
        self._with_faults(fault, {"delay_seconds": 0.5}, {"delay_seconds": 0.0})

    def _store_down(self, fault: Fault) -> None:
        with self._disturbing(fault.kind, *self._sites):
            self._with_faults(fault, {"cut": "refuse"}, {"cut": ""})

    def _errors(self, fault: Fault) -> None:
        self._with_faults(fault, {"errors": 0.3}, {"errors": 0.0})

    def _truncated_replies(self, fault: Fault) -> None:
        self._with_faults(fault, {"truncate": 0.2}, {"truncate": 0.0})

    def _lost_replies(self, fault: Fault) -> None:
        self._with_faults(fault, {"lose_reply": 0.2}, {"lose_reply": 0.0})

    def _with_faults(
        self, fault: Fault, during: dict[str, object], after: dict[str, object]
    ) -> None:
        self._proxy.set(**during)
        self.stop.wait(fault.seconds)
        self._proxy.set(**after)


def available(kinds: Sequence[str]) -> list[str]:
    """The kinds that can be done on this machine: a wrong clock needs libfaketime."""
    return [kind for kind in kinds if kind != "wrong clock" or FAKETIME.exists()]


@contextmanager
def small_disks(sites: Sequence[Site], megabytes: int) -> Iterator[None]:
    """Homes of the sites that are small disks of their own."""
    with ExitStack() as stack:
        for site in sites:
            site.home.mkdir(exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "archipel-chaos", site.home)
            stack.callback(run, "umount", "--lazy", site.home)
        yield
