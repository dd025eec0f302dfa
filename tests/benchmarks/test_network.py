"""The emulated network's pieces that need no root: metrics, the relay, the S3 server."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel.errors import ConfigError
from archipel.store import Store
from benchmarks.network import Network
from benchmarks.network.points import digests_equal_share, longest_pause, tokens_between
from benchmarks.network.relay import Relay

POINTS = [
    {"time": 10.0, "step": 1, "tokens": 100, "longest_pause_seconds": 0.1},
    {"time": 12.0, "step": 3, "tokens": 300, "longest_pause_seconds": 0.9},
    {"applied": 4, "digest": "x"},
    {"time": 14.0, "step": 1, "tokens": 50},  # a new process
    {"time": 15.0, "step": 2, "tokens": 150, "longest_pause_seconds": 0.2},
]


def test_tokens_between_two_moments_follow_the_points_and_start_over_with_a_process() -> None:
    assert tokens_between(POINTS, 0.0, 99.0) == pytest.approx(300)
    assert tokens_between(POINTS, 11.0, 14.5) == pytest.approx(100 + 50)
    assert tokens_between(POINTS, 20.0, 30.0) == 0


def test_the_longest_pause_is_of_the_points_within_the_time() -> None:
    assert longest_pause(POINTS, 0.0, 99.0) == 0.9
    assert longest_pause(POINTS, 13.0, 99.0) == 0.2
    assert longest_pause(POINTS, 50.0, 99.0) is None


def test_a_round_counts_as_equal_only_where_every_site_found_the_commits_digest() -> None:
    digests = {4: "x", 5: "y"}
    same = [{"applied": 4, "digest": "x"}, {"applied": 5, "digest": "y"}]
    other = [{"applied": 4, "digest": "x"}, {"applied": 5, "digest": "z"}]
    assert digests_equal_share(digests, {"a": same, "b": same}) == 1.0
    assert digests_equal_share(digests, {"a": same, "b": other}) == 0.5
    assert digests_equal_share(digests, {}) == 0.0


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[:2]
        server.shutdown()
        thread.join()


def free_address() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[:2]


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_the_relay_adds_the_round_trip_and_keeps_the_order(echo: tuple[str, int]) -> None:
    listen = free_address()
    sent = os.urandom(300_000)
    with Relay(listen, echo) as relay:
        relay.round_trip_seconds = 0.1
        with socket.create_connection(listen) as connection:
            began = time.monotonic()
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
            first = time.monotonic() - began
            began = time.monotonic()
            connection.sendall(b"y")
            assert connection.recv(1) == b"y"
            second = time.monotonic() - began
            threading.Thread(target=connection.sendall, args=(sent,)).start()
            got = b""
            while len(got) < len(sent):
                got += connection.recv(1 << 16)
    assert got == sent
    assert 0.2 <= first < 1.0  # with the handshake's
    assert 0.1 <= second < 0.9


def test_a_relay_ends_a_connection_whose_other_end_went_away() -> None:
    listen, target = free_address(), free_address()
    with (
        socket.create_server(target) as server,
        Relay(listen, target),
        socket.create_connection(listen, timeout=10) as connection,
    ):
        far, _ = server.accept()
        far.close()
        assert connection.recv(1) == b""


def test_of_conditional_puts_at_once_exactly_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = free_address()
    command = [sys.executable, "-m", "benchmarks.network.s3", host, str(port), "bucket"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "listening\n"
            for key, value in {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ALLOW_HTTP": "true",
            }.items():
                monkeypatch.setenv(key, value)
            stores = [Store("s3://bucket/run") for _ in range(4)]
            for number in range(10):
                assert sum(_all_at_once(stores, f"key-{number}")) == 1
        finally:
            server.kill()


def _all_at_once(stores: list[Store], key: str) -> list[bool]:
    won = [False] * len(stores)
    line = threading.Barrier(len(stores))

    def put(index: int) -> None:
        line.wait()
        won[index] = stores[index].put_if_absent(key, f"{index}".encode())

    threads = [threading.Thread(target=put, args=(index,)) for index in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_without_root_a_network_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="root"):
        Network(["a"], tmp_path / "log")
