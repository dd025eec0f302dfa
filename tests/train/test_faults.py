"""Real sites on S3 behind a proxy that breaks things: no token is trained twice or skipped."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.store import Store
from tests.faulty_proxy import FaultyProxy
from tests.train.processes import PATIENCE, Site, audited, create, merged_sessions, wait_for

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FaultyProxy]:
    """What stands between the sites and the store; the test itself goes past it."""
    with FaultyProxy(s3_endpoint) as proxy:
        yield proxy


class Run:
    """A run with its sites; none outlives the test."""

    def __init__(self, url: str, endpoint: str, logs: Path) -> None:
        self.url = url
        self.sites: dict[str, Site] = {}
        self._endpoint = endpoint
        self._logs = logs

    def start(self, *names: str) -> None:
        """Start sites that reach the store through the proxy."""
        for name in names:
            self.sites[name] = Site(self.url, name, self._logs, AWS_ENDPOINT_URL=self._endpoint)

    def commits(self) -> int:
        return len(read_commits(Ledger.open(Store(self.url))))

    def until(self, *sessions: tuple[str, int]) -> None:
        """Wait until these sessions are merged."""
        wait_for(lambda: merged_sessions(self.url) >= set(sessions), [*self.sites.values()])

    def until_more(self, commits: int) -> None:
        """Wait for so many more commits."""
        target = self.commits() + commits
        wait_for(lambda: self.commits() >= target, [*self.sites.values()])


@pytest.fixture
def run(s3_bucket: str, proxy: FaultyProxy, corpus: Path, tmp_path: Path) -> Iterator[Run]:
    run = Run(f"{s3_bucket}/run", proxy.url, tmp_path)
    create(run.url, corpus, tokens=60_000_000, sync=64)
    yield run
    for site in run.sites.values():
        if site.process.poll() is None:
            site.process.kill()
            site.process.wait(PATIENCE)


def test_faults_one_after_the_other_cost_no_token(run: Run, proxy: FaultyProxy) -> None:
    run.start("a", "b", "c")
    run.until(("a", 0), ("b", 0), ("c", 0))

    proxy.set(errors=0.2, truncate=0.2, lose_reply=0.2, at_most=60)
    run.until_more(4)
    proxy.set(errors=0.0, truncate=0.0, lose_reply=0.0)

    run.sites["c"].process.send_signal(signal.SIGSTOP)
    run.until_more(4)
    run.sites["c"].process.send_signal(signal.SIGCONT)

    proxy.set(cut="refuse")
    for name in ("a", "b", "c"):
        run.sites[name].says("Training goes on; trying again")
    proxy.set(cut="")
    run.until_more(4)

    old = run.sites["a"]
    run.start("a")
    assert old.process.wait(PATIENCE) == 1
    assert "another process has joined as 'a'" in old.log.read_text(encoding="utf-8")
    run.until(("a", 1))

    for site in run.sites.values():
        site.end(signal.SIGKILL)
    run.start("a", "b", "c")
    run.until(("a", 2), ("b", 1), ("c", 1))
    for site in run.sites.values():
        assert site.end(signal.SIGINT) == 0, site.log.read_text(encoding="utf-8")
    figures = audited(run.url)
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    # The process that replaced another under its name may have begun with what that one handed in.
    refused = figures["refused"]
    assert isinstance(refused, list)
    assert [reason for reason in refused if ": a: unit" not in reason] == []
