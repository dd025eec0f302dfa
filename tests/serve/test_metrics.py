"""`archipel serve` with `[metrics]`, as a process: what it counts, and what it never shows."""

import hashlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from archipel.database import Database
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.opened import open_accounts
from tests.serve.accounts.test_access import Supplier
from tests.serve.scripted import ScriptedService, hosted_in_thread
from tests.serve.test_start import failure

Archipel = Callable[..., subprocess.Popen[str]]


def _sample(name: str, **labels: str) -> str:
    """As Prometheus' format writes it."""
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"archipel_serve_{name}" + (f"{{{inner}}}" if inner else "")


def _ended(model: str, outcome: str, code: str = "") -> str:
    labels = {"model": model, "endpoint": "/v1/chat/completions"}
    return _sample("requests_total", **labels, outcome=outcome, code=code)


@dataclass
class Watched:
    """A running service, its key, and where its metrics are."""

    url: str
    metrics_url: str
    key: str
    accounts: Database

    def text(self) -> str:
        found = httpx.get(self.metrics_url)
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
        return found.text

    def numbers(self) -> dict[str, float]:
        """Each sample by its name and labels as they are written."""
        lines = [line for line in self.text().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def until(self, sample: str, value: float) -> dict[str, float]:
        """All samples, once this one has this value."""
        deadline = time.monotonic() + 20
        while (found := self.numbers()).get(sample) != value:
            assert time.monotonic() < deadline, (sample, found)
        return found

    def ask(self, model: str, key: str | None = None, **fields: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/chat/completions", **self._request(model, key, fields))

    def streaming(self, model: str) -> AbstractContextManager[httpx.Response]:
        fields = {"stream": True}
        return httpx.stream(
            "POST", f"{self.url}/chat/completions", **self._request(model, None, fields)
        )

    def _request(self, model: str, key: str | None, fields: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": "user", "content": "a private question"}]
        return {
            "json": {"model": model, "messages": messages, **fields},
            "headers": {"Authorization": f"Bearer {self.key if key is None else key}"},
            "timeout": 20,
        }


@pytest.fixture
def watched(archipel: Archipel, scripted: ScriptedService, tmp_path: Path) -> Iterator[Watched]:
    """Three routes: a supplier that answers, one that the test plays, one that is gone."""
    supplier, database = Supplier(), f"sqlite:///{tmp_path / 'service.db'}"
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    accounts = open_accounts(database)
    with accounts.writing() as connection:
        office = Office(connection, "tester", time.time())
        office.add_project("site", "ours")
        key = office.add_key(NewKey("a key", "site"), hashlib.sha256(b"a secret").digest())
        office.set_limit(f"key:{key[:13]}", "tokens/month=1000000")
    with hosted_in_thread(app) as url:
        file = tmp_path / "service.toml"
        file.write_text(
            f"""
            providers.near.url = "{url}/v1"
            providers.played.url = "{scripted.url}"
            providers.gone = {{url = "http://127.0.0.1:9/v1", key_env = "GONE_KEY"}}
            routes.chat.targets = [{{provider = "near", model = "m"}}]
            routes.played.targets = [{{provider = "played", model = "m"}}]
            routes.lost.targets = [{{provider = "gone", model = "m"}}]
            accounts.database = "{database}"
            metrics.listen = "127.0.0.1:0"
            """
        )
        environment = {"GONE_KEY": "sk-never-shown", "ARCHIPEL_SECRET": "a secret"}
        process = archipel("serve", "--config", file, "--port", 0, **environment)
        assert process.stdout is not None
        assert process.stderr is not None
        metrics_url = next(line for line in process.stderr if "metrics: " in line).split()[-1]
        yield Watched(process.stdout.readline().split()[1], metrics_url, key, accounts)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    accounts.close()


def test_each_request_is_counted_by_how_it_ended(watched: Watched) -> None:
    assert watched.ask("chat").status_code == 200
    with watched.streaming("chat") as answer:
        assert "five" in answer.read().decode()
    assert watched.ask("chat", max_tokens=2_000_000).status_code == 429
    assert watched.ask("chat", temperature=7).status_code == 400
    assert watched.ask("no-such-model").status_code == 404
    assert watched.ask("chat", "arch-" + 43 * "a").status_code == 401
    for _ in range(6):
        assert watched.ask("lost").status_code == 503
    found = watched.until(_ended("chat", "answered"), 2)
    expected = {
        _ended("chat", "refused", "rate_limit_exceeded"): 1,
        _ended("", "refused", "invalid_value"): 1,
        _ended("", "refused", "model_not_found"): 1,
        _ended("", "refused", "invalid_api_key"): 1,
        _ended("lost", "failed", "provider_unavailable"): 6,
        _sample("tokens_total", model="chat", kind="prompt"): 6,
        _sample("tokens_total", model="chat", kind="completion"): 10,
        _sample("first_byte_seconds_count", model="chat"): 2,
        _sample("request_seconds_count", model="chat"): 2,
        _sample("provider_requests_total", provider="near", result="answered"): 2,
        _sample("provider_requests_total", provider="gone", result="failed"): 5,
        _sample("breaker_open", provider="near", provider_model="m"): 0,
        _sample("breaker_open", provider="gone", provider_model="m"): 1,
        _sample("reservation_seconds_count"): 9,
        _sample("books_failures_total"): 0,
        _sample("requests_under_way"): 0,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_streams_that_are_left_or_break_off_are_told_apart(
    watched: Watched, scripted: ScriptedService
) -> None:
    def beginning(pool: Executor, streams: ExitStack) -> httpx.Response:
        answering = pool.submit(streams.enter_context, watched.streaming("played"))
        scripted.asked()
        scripted.say("a beginning")
        return answering.result(20)

    with ThreadPoolExecutor() as pool:
        with ExitStack() as streams:
            beginning(pool, streams)
            found = watched.numbers()
            assert found[_sample("requests_under_way")] == 1
            assert found[_sample("first_byte_seconds_count", model="played")] == 1
        watched.until(_ended("played", "left"), 1)
        with ExitStack() as streams:
            answer = beginning(pool, streams)
            scripted.send(ConnectionError("it crashed"))
            assert "broke off" in answer.read().decode()
    found = watched.until(_ended("played", "failed", "provider_unavailable"), 1)
    assert found[_sample("requests_under_way")] == 0


def test_a_providers_own_code_is_no_label(watched: Watched, scripted: ScriptedService) -> None:
    scripted.refusal = 422, {"error": {"message": "no", "code": "anything a-private-code"}}
    assert watched.ask("played").status_code == 422
    found = watched.until(_ended("played", "refused", "422"), 1)
    gave = _sample("provider_requests_total", provider="played", result="refused")
    assert found[gave] == 1
    assert "a-private-code" not in watched.text()


def test_books_that_fail_are_counted(watched: Watched) -> None:
    with watched.accounts.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE reservations RENAME TO elsewhere")
    assert watched.ask("chat").json()["error"]["code"] == "accounts_unavailable"
    found = watched.until(_ended("chat", "failed", "accounts_unavailable"), 1)
    assert found[_sample("books_failures_total")] >= 1


def test_nothing_secret_is_shown_and_nothing_to_outsiders(watched: Watched) -> None:
    for model in ("chat", "lost", "a private name"):
        watched.ask(model)
    watched.ask("chat", "arch-a-wrong-key")
    text = watched.text()
    for secret in (watched.key[:13], "sk-never", "private", "one two", "wrong-key"):
        assert secret not in text
    public = watched.url.removesuffix("/v1")
    for path in ("/metrics", "/v1/metrics"):
        assert httpx.get(f"{public}{path}").status_code == 404
    foreign = httpx.get(watched.metrics_url, headers={"Host": "rebound.example"})
    assert foreign.status_code == 400


def _file(folder: Path, listen: str) -> Path:
    file = folder / "service.toml"
    file.write_text(
        f"""
        providers.far.url = "http://127.0.0.1:9/v1"
        routes.chat.targets = [{{provider = "far", model = "m"}}]
        metrics.listen = "{listen}"
        """
    )
    return file


def test_a_taken_port_is_named(archipel: Archipel, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = _file(tmp_path, f"127.0.0.1:{port}")
        said = failure(archipel("serve", "--config", file, "--port", 0))
    assert f"port {port} is taken" in said
    assert "metrics.listen" in said


@pytest.mark.parametrize("listen", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:65536", "a:b"])
def test_an_address_that_is_none_is_named(archipel: Archipel, tmp_path: Path, listen: str) -> None:
    said = failure(archipel("serve", "--config", _file(tmp_path, listen), "--check"))
    assert f"metrics.listen: Value error, '{listen}' is not HOST:PORT" in said


def test_a_check_takes_it(archipel: Archipel, tmp_path: Path) -> None:
    process = archipel("serve", "--config", _file(tmp_path, "[::1]:9464"), "--check")
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "all is right; it would serve chat\n")
