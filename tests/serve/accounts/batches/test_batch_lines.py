"""Input files of batches, read line by line."""

import json
import tracemalloc

import pytest

from archipel.serve.batches.lines import Checked, check, split

_CHAT = "/v1/chat/completions"


def _lines(count: int) -> bytes:
    more = {"method": "POST", "url": _CHAT, "body": {"model": "m"}}
    return b"".join(
        json.dumps({"custom_id": str(n), **more}).encode() + b"\n" for n in range(count)
    )


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_are_the_same_however_the_file_is_cut(size: int) -> None:
    data = b"one\n\n  \nfour\r\nfive"
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert list(split(pieces)) == [(1, b"one"), (4, b"four\r"), (5, b"five")]


def test_a_line_without_end_is_not_held() -> None:
    tracemalloc.start()
    (found,) = check(split(b"x" * (1 << 20) for _ in range(64)), _CHAT).problems
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    assert found.code == "line_too_long"


def test_a_file_may_have_50_000_lines_and_no_more() -> None:
    data = _lines(50_000)
    assert check(split([data]), _CHAT) == Checked(50_000, ())
    (found,) = check(split([data, data[:80]]), _CHAT).problems
    assert found.code == "too_many_tasks"


def test_a_file_needs_a_line() -> None:
    (found,) = check(split([b" \n\n"]), _CHAT).problems
    assert found.code == "empty_file"


def test_not_all_that_is_wrong_is_told() -> None:
    assert len(check(split([b"{}\n" * 1000]), _CHAT).problems) == 100
