"""The network itself: one namespace a site, its link to the store, its share of the CPU.

Knows nothing about what runs in it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from archipel.errors import ConfigError
from benchmarks.network.ports import answers, free_port
from benchmarks.network.relay import Relay
from tests.faulty_proxy import FaultyProxy

_CPU = Path("/sys/fs/cgroup/cpu")
_CPU_PERIOD_US = 20_000
_QUEUE_MILLISECONDS = 100  # what waits in a shaped link's queue before packets are dropped
_PORT = 8000
_PEER_PORT = 8001
_BUCKET = "archipel"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Link:
    """A site's way to the store: the rate each way (None: unlimited) and the round trip."""

    megabits_per_second: float | None = None
    round_trip_ms: float = 0.0


def need_root() -> None:
    """Make sure that this process may make network namespaces.

    Raises:
        ConfigError: it may not, with what to do.
    """
    if os.geteuid() != 0:
        raise ConfigError(
            "emulated networks need root, for namespaces and `tc`: run the same command with sudo, "
            "or in a container with --privileged"
        )


def run(*words: object) -> str:
    """Run a command and return what it prints.

    Raises:
        ConfigError: it failed.
    """
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"`{' '.join(map(str, words))}` failed: {done.stderr.strip()}")
    return done.stdout


class Network:
    """The sites' namespaces, joined to one S3 store that listens on this host's loopback."""

    def __init__(
        self, sites: Sequence[str], log: Path, faulty: Sequence[str] = (), *, peers: bool = False
    ) -> None:
        """Plan a network for these sites; the S3 server's output goes to `log`.

        The `faulty` among them reach the store by way of a proxy that can break requests. `peers`
        reach each other too, each by its own link and the other's, with one round trip.
        """
        need_root()
        self.sites = tuple(sites)
        self._log = log
        self._prefix = f"ar{os.getpid()}"
        self._subnet = f"10.{100 + os.getpid() % 100}"
        self._port = free_port()
        self.proxy = FaultyProxy(self.endpoint)
        self._faulty = frozenset(faulty)
        self._relays: dict[str, list[Relay]] = {}
        self._peers = peers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._store())
            parts = urlsplit(stack.enter_context(self.proxy).url)
            proxy = (parts.hostname or "", parts.port or 0)
            for site in self.sites:
                stack.callback(self._remove, site)
                self._add(site)
                store = proxy if site in self._faulty else ("127.0.0.1", self._port)
                relays = [Relay((self.gateway(site), _PORT), store)]
                if self._peers:
                    relays.append(Relay((self.gateway(site), _PEER_PORT), None))
                self._relays[site] = [stack.enter_context(relay) for relay in relays]
            if self._peers:
                stack.enter_context(self._redirected())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # The store

    @property
    def endpoint(self) -> str:
        """The S3 server as this process reaches it, past all links."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self, site: str | None = None) -> dict[str, str]:
        """What an S3 client needs: a site's by way of its link, or this process's own."""
        via_link = f"http://{self.gateway(site)}:{_PORT}" if site else self.endpoint
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ENDPOINT_URL": via_link,
        }

    def url(self, run_name: str) -> str:
        """The URL of a run."""
        return f"s3://{_BUCKET}/{run_name}"

    def _store(self) -> ExitStack:
        """Start the S3 server; it ends with what is returned."""
        command = [sys.executable, "-m", "benchmarks.network.s3", "127.0.0.1", str(self._port)]
        command.append(_BUCKET)
        stack = ExitStack()
        log = stack.enter_context(self._log.open("ab"))
        process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
        stack.callback(process.wait)
        stack.callback(process.kill)
        end = time.monotonic() + _START_SECONDS
        while not answers(self._port):
            if process.poll() is not None or time.monotonic() > end:
                stack.close()
                raise ConfigError(f"the S3 server did not start: see {self._log}")
            time.sleep(0.1)
        return stack

    # Links

    def shape(self, site: str, link: Link) -> None:
        """Give a site's link this rate and round trip from now on."""
        for relay in self._relays[site]:
            relay.round_trip_seconds = link.round_trip_ms / 1000
        for command in (["tc"], self.command(site, "tc")):
            device = self._outer(site) if command == ["tc"] else "wan"
            run(*command, "qdisc", "replace", "dev", device, "root", *_queue(link))

    def cut(self, site: str, is_cut: bool) -> None:
        """Let every packet of the link vanish, or let them through again."""
        run("ip", "link", "set", self._outer(site), "down" if is_cut else "up")

    def bytes(self, site: str) -> tuple[int, int]:
        """All bytes that ever left the site and that came to it, as its veth counted them."""
        counters = Path("/sys/class/net") / self._outer(site) / "statistics"
        sent, received = (counters / "rx_bytes", counters / "tx_bytes")  # seen from this end
        return int(sent.read_text()), int(received.read_text())

    def total_bytes(self) -> int:
        """All bytes on all sites' links, in both directions."""
        return sum(sum(self.bytes(site)) for site in self.sites)

    # Hosts

    def address(self, site: str) -> str:
        """The site's own address, by which its peers reach it."""
        return f"{self._subnet}.{self._index(site)}.2"

    def gateway(self, site: str) -> str:
        """This host's address on the site's link, by which all sites reach what listens here."""
        return f"{self._subnet}.{self._index(site)}.1"

    def command(self, site: str, *words: object) -> list[str]:
        """The command that runs `words` in the site's namespace, as the same process."""
        return ["ip", "netns", "exec", self._namespace(site), *map(str, words)]

    def limit(self, site: str, processor_share: float | None, pid: int) -> None:
        """Give the process and what it starts this much of one core (None: all there is)."""
        folder = self._cpu_group(site)
        quota = -1 if processor_share is None else int(processor_share * _CPU_PERIOD_US)
        try:
            (folder / "cpu.cfs_period_us").write_text(str(_CPU_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
            (folder / "cgroup.procs").write_text(str(pid))
        except ProcessLookupError:
            return  # it has ended meanwhile

    def _add(self, site: str) -> None:
        namespace, outer = self._namespace(site), self._outer(site)
        try:
            self._cpu_group(site).mkdir()
        except OSError as error:
            raise ConfigError(
                f"can't make a CPU group below {_CPU} ({error.strerror}): mount the cpu controller "
                "of cgroup v1 there, writable"
            ) from error
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", "wan", "netns", namespace)
        run("ip", "address", "add", f"{self.gateway(site)}/30", "dev", outer)
        run("ip", "link", "set", outer, "up")
        inside = ("ip", "-n", namespace)
        run(*inside, "address", "add", f"{self.address(site)}/30", "dev", "wan")
        for device in ("lo", "wan"):
            run(*inside, "link", "set", device, "up")
        run(*inside, "route", "add", "default", "via", self.gateway(site))

    @contextmanager
    def _redirected(self) -> Iterator[None]:
        """Send what sites open to one another through the relay of the one that opens it."""
        table = self._prefix
        rule = f"iifname {table}-* tcp dport != {_PORT} redirect to :{_PEER_PORT}"
        try:
            run("nft", "add", "table", "ip", table)
        except FileNotFoundError as error:
            raise ConfigError(
                "links between sites need nft: install the package nftables"
            ) from error
        try:
            hook = "{ type nat hook prerouting priority dstnat; }"
            run("nft", "add", "chain", "ip", table, "sites", hook)
            run("nft", "add", "rule", "ip", table, "sites", *rule.split())
            yield
        finally:
            run("nft", "delete", "table", "ip", table)

    def _remove(self, site: str) -> None:
        """Take down what there is of a site; nothing of it may be there."""
        namespace = self._namespace(site)
        listed = ["ip", "netns", "pids", namespace]
        found = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        for pid in found.split():
            subprocess.run(["kill", "-KILL", pid], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
        subprocess.run(
            ["ip", "link", "delete", self._outer(site)], capture_output=True, check=False
        )
        _remove_group(self._cpu_group(site))

    def _index(self, site: str) -> int:
        return self.sites.index(site)

    def _namespace(self, site: str) -> str:
        return f"{self._prefix}-{self._index(site)}"

    def _outer(self, site: str) -> str:
        return f"{self._prefix}-{self._index(site)}"

    def _cpu_group(self, site: str) -> Path:
        return _CPU / f"{self._prefix}-{self._index(site)}"


def _queue(link: Link) -> list[str]:
    """The queueing discipline of one end of a link."""
    if link.megabits_per_second is None:
        return ["pfifo"]
    rate = f"{link.megabits_per_second}mbit"
    return ["tbf", "rate", rate, "burst", "32kb", "latency", f"{_QUEUE_MILLISECONDS}ms"]


def _remove_group(folder: Path) -> None:
    """Remove a CPU group once the kernel has let the last of its processes go."""
    end = time.monotonic() + 5
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
