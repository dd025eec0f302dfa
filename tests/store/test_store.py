"""What the protocol relies on, the same for every kind of store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archipel.errors import ConfigError, StoreError
from archipel.store import Store


def test_what_is_put_can_be_got(store: Store) -> None:
    store.put("a/b", b"one")
    assert store.get("a/b") == b"one"
    store.put("a/b", b"two")
    assert store.get("a/b") == b"two"


def test_an_object_that_is_not_there_is_none(store: Store) -> None:
    assert store.get("nothing/here") is None
    assert store.read("nothing/here") is None
    assert store.list("nothing") == []


def test_put_if_absent_lets_the_first_one_win(store: Store) -> None:
    assert store.put_if_absent("round/commit", b"mine")
    assert not store.put_if_absent("round/commit", b"theirs")
    assert store.get("round/commit") == b"mine"


def test_put_if_absent_again_with_the_same_bytes_is_the_same_success(store: Store) -> None:
    assert store.put_if_absent("round/commit", b"mine")
    assert store.put_if_absent("round/commit", b"mine")


def test_of_many_writers_at_once_exactly_one_wins(store: Store) -> None:
    def write(number: int) -> bool:
        return store.put_if_absent("race", f"writer {number}".encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(16)))
    assert sum(won) == 1
    assert store.get("race") == f"writer {won.index(True)}".encode()


def test_list_gives_a_folder_in_order_with_sizes_and_times(store: Store) -> None:
    for key in ("sites/b.json", "sites/a.json", "sitesx"):
        store.put(key, b"12")
    found = store.list("sites")
    assert [(info.key, info.size_bytes) for info in found] == [
        ("sites/a.json", 2),
        ("sites/b.json", 2),
    ]
    seen = store.read("sites/b.json")
    assert seen is not None
    assert abs((seen.modified - found[1].modified).total_seconds()) <= 1


def test_delete_is_repeatable(store: Store) -> None:
    store.put("x", b"1")
    store.delete(["x", "never-was"])
    store.delete(["x"])
    assert store.get("x") is None


def test_bytes_out_and_in_are_counted(store: Store) -> None:
    store.put("x", b"12345")
    store.put_if_absent("y", b"123")
    store.get("x")
    assert (store.bytes_out, store.bytes_in) == (8, 5)


def test_an_s3_store_that_is_not_there_says_so(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"can't read 'run\.json' in s3://"):
        Store(s3_bucket).get("run.json")


def test_a_bucket_that_does_not_exist_says_so(s3_bucket: str) -> None:
    with pytest.raises(StoreError, match="Check that the store is up"):
        Store("s3://no-such-bucket-here/run").put("run.json", b"{}")


@pytest.mark.parametrize("url", ["ftp://host/run", "s3://", "nonsense://x"])
def test_another_kind_of_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="store"):
        Store(url)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="can't open the store"):
        Store(str(tmp_path / "file" / "run"))
