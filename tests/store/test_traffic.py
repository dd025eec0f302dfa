"""Parts and small operations of several threads at once."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from archipel.errors import ConfigError
from archipel.store import Link, Store, traffic
from archipel.store.pace import Lane
from archipel.store.traffic import Traffic


@contextmanager
def in_a_thread(call: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def both() -> Traffic:
    return Traffic(time.monotonic, Lane(), Lane())


def part_of(
    both: Traffic, started: threading.Event, size_bytes: int = 20_000
) -> Callable[[], None]:
    def move() -> None:
        with both.part(both.up) as moved:
            started.set()
            moved.size_bytes = size_bytes

    return move


def test_a_part_does_not_start_before_a_small_operation_has_ended(both: Traffic) -> None:
    started = threading.Event()
    with ExitStack() as thread:
        with both.small():
            thread.enter_context(in_a_thread(part_of(both, started)))
            assert not started.wait(0.2)
        assert started.wait(10)


def test_a_small_operation_that_does_not_end_holds_parts_up_for_a_while_only(
    both: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "PATIENCE_SECONDS", 0.1)
    started = threading.Event()
    with both.small(), in_a_thread(part_of(both, started)):
        assert started.wait(10)


def test_a_small_operation_never_waits_for_a_part(both: Traffic) -> None:
    done = threading.Event()

    def small() -> None:
        with both.small():
            done.set()

    with both.part(both.up), both.part(both.down), in_a_thread(small):
        assert done.wait(10)


def test_what_fails_is_not_measured(both: Traffic) -> None:
    with pytest.raises(OSError, match="down"), both.part(both.up):
        raise OSError("down")
    with pytest.raises(OSError, match="down"), both.small():
        raise OSError("down")
    assert both.link == Link(0.0, 0.0, 0.0)
    part_of(both, threading.Event())()
    assert both.link.up_bytes_per_second > 0


def test_a_store_measures_its_link_in_both_directions() -> None:
    store = Store("memory:///")
    assert store.link == Link()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.put_part(f"part-{n}", bytes(100_000)), range(8)))
        assert list(pool.map(lambda n: store.get_part(f"part-{n}"), range(8))) == 8 * [
            bytes(100_000)
        ]
    assert store.get_part("part-8") is None
    store.put("beat", b"1")
    link = store.link
    assert min(link.up_bytes_per_second, link.down_bytes_per_second) > 100_000
    assert 0 < link.round_trip_seconds < 1
    assert (store.bytes_out, store.bytes_in) == (800_001, 800_000)


def test_the_link_is_measured_without_parts_too() -> None:
    store = Store("memory:///")
    store.put("beat", bytes(1000))
    assert store.get("beat") == bytes(1000)
    assert (store.link.up_bytes_per_second, store.link.down_bytes_per_second) == (0.0, 0.0)
    store.put("frame", bytes(50_000))
    assert store.get("frame") == bytes(50_000)
    assert min(store.link.up_bytes_per_second, store.link.down_bytes_per_second) > 100_000


def test_limits_of_a_store_cap_its_parts_but_not_its_small_operations() -> None:
    store = Store("memory:///", up_limit=1_000_000, down_limit=500_000)
    began = time.monotonic()
    for number in range(4):
        store.put_part(f"part-{number}", bytes(100_000))
        store.put(f"beat-{number}", bytes(1000))
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    for _ in range(3):
        store.get_part("part-0")
    assert time.monotonic() - began >= 0.4
    assert store.link.up_bytes_per_second == 1_000_000
    assert store.link.down_bytes_per_second == 500_000


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="use 0 for none"):
        Store("memory:///", up_limit=-1)
