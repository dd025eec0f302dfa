"""What decides inside the cluster, without a cluster: the roll and the autoscaling policy."""

from types import SimpleNamespace
from typing import Any

import pytest

from archipel.serve.cluster.deployment import wanted
from archipel.serve.cluster.roll import Roll


def _context(streams: dict[str, float], *, current: int, target: int) -> Any:
    return SimpleNamespace(
        aggregated_metrics={"streams": streams},
        current_num_replicas=current,
        target_num_replicas=target,
        config=SimpleNamespace(get_target_ongoing_requests=lambda: 4.0),
    )


@pytest.mark.parametrize(
    ("streams", "current", "target", "expected"),
    [
        ({"a": 4}, 1, 1, 1),
        ({"a": 7}, 1, 1, 1.75),
        ({"a": 1, "b": 1}, 2, 2, 0.5),
        ({"a": 1}, 2, 2, 2),  # one has not told yet: nothing is taken away
        ({"a": 9}, 2, 2, 2.25),
        ({}, 0, 1, 0),
    ],
)
def test_replicas_follow_what_their_engines_say(
    streams: dict[str, float], current: int, target: int, expected: float
) -> None:
    assert wanted(_context(streams, current=current, target=target)) == (expected, {})


def test_the_roll_gives_the_age_of_beats_and_forgets_old_ones() -> None:
    now = [0.0]
    roll = Roll(False, lambda: now[0])
    roll.beat({"id": "a"})
    now[0] = 3.0
    assert roll.look("gateway", {}) == [(3.0, {"id": "a"})]
    now[0] = 61.0
    roll.beat({"id": "b"})
    assert roll.look("gateway", {}) == [(0.0, {"id": "b"})]


def test_the_last_gateway_takes_all_back_and_serve_if_it_was_not_there() -> None:
    now = [0.0]
    for was_there in (False, True):
        roll = Roll(was_there, lambda: now[0])
        roll.look("one", {"app": "digest"})
        roll.look("other", {"app": "digest"})
        assert roll.deployed() == {"app": "digest"}
        assert roll.leave("one") == ([], False)
        assert roll.leave("other") == (["app"], not was_there)


def test_a_gateway_that_looks_no_more_counts_no_more() -> None:
    now = [0.0]
    roll = Roll(False, lambda: now[0])
    roll.look("killed", {"app": "digest"})
    now[0] = 11.0
    roll.look("one", {"app": "digest"})
    assert roll.leave("one") == (["app"], True)
