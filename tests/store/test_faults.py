"""A store behind a bad network, by the faulty proxy: S3 and Azure."""

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from archipel.errors import StoreError
from archipel.store import Store, clients
from tests.conftest import AZURE_ACCOUNT
from tests.faulty_proxy import FaultyProxy, control

FIVE_MEGABITS = 625_000


@pytest.fixture(params=["s3", "azure"])
def faulty(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Store, FaultyProxy]]:
    """An empty store of each kind in turn, and the proxy through which it is reached."""
    if request.param == "s3":
        url = request.getfixturevalue("s3_bucket")
        with FaultyProxy(request.getfixturevalue("s3_endpoint"), seed=1) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
            yield Store(url + "/run"), proxy
    else:
        url = request.getfixturevalue("azure_container")
        with FaultyProxy(request.getfixturevalue("azure_endpoint"), seed=1) as proxy:
            monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{proxy.url}/{AZURE_ACCOUNT}")
            yield Store(url + "/run"), proxy


def test_a_put_whose_reply_was_lost_counts_as_written_once(
    faulty: tuple[Store, FaultyProxy],
) -> None:
    store, proxy = faulty
    proxy.set(lose_reply=1.0, at_most=1)
    assert store.put_if_absent("round/commit", b"mine")
    assert proxy.counts["lost_replies"] == 1
    assert not store.put_if_absent("round/commit", b"theirs")
    assert store.get("round/commit") == b"mine"


def test_a_put_whose_every_reply_was_lost_can_be_repeated(
    faulty: tuple[Store, FaultyProxy],
) -> None:
    store, proxy = faulty
    proxy.set(lose_reply=1.0)
    with pytest.raises(StoreError, match="can't write 'round/commit'"):
        store.put_if_absent("round/commit", b"mine")
    with pytest.raises(StoreError, match="can't write 'part'"):
        store.put_part("part", b"1" * 100_000)
    proxy.set(lose_reply=0.0)
    assert store.put_if_absent("round/commit", b"mine")
    assert not store.put_if_absent("round/commit", b"theirs")


def test_a_short_burst_of_server_errors_is_ridden_out(faulty: tuple[Store, FaultyProxy]) -> None:
    store, proxy = faulty
    store.put("here", b"1")
    store.put_part("part", b"2" * 300_000)
    for call, expected in (
        (lambda: store.put("here", b"1"), None),
        (lambda: store.put_if_absent("new", b"1"), True),
        (lambda: store.get("here"), b"1"),
        (lambda: len(store.list("")), 3),
        (lambda: store.put_part("part", b"2" * 300_000), None),
        (lambda: store.get_part("part"), b"2" * 300_000),
    ):
        proxy.set(errors=1.0, at_most=2)
        assert call() == expected
    assert proxy.counts["errors"] == 12


def test_a_store_that_answers_nothing_but_errors_says_so_soon(
    faulty: tuple[Store, FaultyProxy],
) -> None:
    store, proxy = faulty
    proxy.set(errors=1.0)
    began = time.monotonic()
    with pytest.raises(StoreError, match="503"):
        store.get("x")
    with pytest.raises(StoreError, match="503"):
        store.put_part("x", b"1")
    assert time.monotonic() - began < 10
    proxy.set(errors=0.0)
    assert store.get("x") is None


def test_a_conflict_over_an_object_that_is_not_there_decides_nothing(
    faulty: tuple[Store, FaultyProxy],
) -> None:
    store, proxy = faulty
    proxy.set(errors=1.0, at_most=1, error_status=409)
    with pytest.raises(StoreError, match="another write of it is under way"):
        store.put_if_absent("round/commit", b"mine")
    assert store.put_if_absent("round/commit", b"mine")


def test_truncated_bodies_are_never_returned(faulty: tuple[Store, FaultyProxy]) -> None:
    store, proxy = faulty
    data = bytes(range(256)) * 1000
    store.put_part("part", data)
    proxy.set(truncate=0.7)
    got = raised = 0
    for _ in range(6):
        for read in (store.get, store.get_part):
            try:
                assert read("part") == data
                got += 1
            except StoreError:
                raised += 1
    assert proxy.counts["truncated"] >= 6
    assert min(got, raised) > 0
    proxy.set(truncate=1.0)
    with pytest.raises(StoreError, match="can't list"):
        store.list("")


def test_a_part_that_is_cut_off_raises_and_is_not_there(faulty: tuple[Store, FaultyProxy]) -> None:
    store, proxy = faulty
    proxy.set(bytes_per_second=FIVE_MEGABITS)

    def cut() -> None:
        while proxy.counts["bytes_up"] < 100_000:
            pass
        proxy.set(cut="refuse")

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(StoreError, match="can't write 'part'"):
        store.put_part("part", b"1" * 1_000_000)
    thread.join()
    with pytest.raises(StoreError, match="can't read 'part'"):
        store.get_part("part")
    proxy.set(cut="", bytes_per_second=0.0)
    assert store.get_part("part") is None
    store.put_part("part", b"2")
    assert store.get_part("part") == b"2"


def test_a_link_that_falls_silent_is_noticed_and_used_again_when_it_is_back(
    s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_SILENCE", timedelta(seconds=0.4))
    monkeypatch.setattr(clients, "_SLOWEST_BYTES_PER_SECOND", 1_000_000)
    with FaultyProxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        store = Store(s3_bucket)
        store.put("beat", b"1")
        proxy.set(cut="silence")
        with pytest.raises(StoreError, match="can't read 'beat'"):
            store.get("beat")
        with pytest.raises(StoreError, match="can't write 'part'"):
            store.put_part("part", b"2")
        proxy.set(cut="")
        store.put("beat", b"2")
        assert store.get("beat") == b"2"


def test_heartbeats_pass_beside_a_bulk_upload_on_a_slow_link(
    s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyProxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        store = Store(s3_bucket)
        proxy.set(bytes_per_second=FIVE_MEGABITS, delay_seconds=0.02, queue_bytes=64 << 10)
        beats: list[float] = []
        with ThreadPoolExecutor(3) as pool:
            bulk = [pool.submit(store.put_part, f"part-{n}", bytes(150_000)) for n in range(9)]
            while wait(bulk, timeout=0.05).not_done:
                began = time.monotonic()
                store.put("beat", b"1" * 500)
                beats.append(time.monotonic() - began)
            for part in bulk:
                part.result()
    # In front of one is a queue of 64 KiB, a tenth of a second; all parts together take over two.
    assert len(beats) >= 5
    assert statistics.median(beats) < 1.0
    assert 0.5 * FIVE_MEGABITS < store.link.up_bytes_per_second < 1.15 * FIVE_MEGABITS


def test_the_round_trip_is_measured(
    s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyProxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.set(delay_seconds=0.04)
        store = Store(s3_bucket)
        for _ in range(3):
            store.get("run.json")
        assert 0.08 <= store.link.round_trip_seconds < 0.5


def test_the_proxy_runs_as_a_process_of_its_own(s3_endpoint: str) -> None:
    command = [sys.executable, "-m", "tests.faulty_proxy", "--target", s3_endpoint]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert httpx.get(said["url"]).status_code == 200
            control(said["control"], errors=1.0)
            assert httpx.get(said["url"]).status_code == 503
            state = control(said["control"], errors=0.0)
            assert (state["counts"]["requests"], state["counts"]["errors"]) == (2, 1)
            assert httpx.get(said["url"]).status_code == 200
        finally:
            process.terminate()
