"""Who is alive and who merges: pure decisions."""

from datetime import UTC, datetime, timedelta

from archipel.ledger import Heartbeat
from archipel.ledger.duty import Sighting, alive, grace_seconds, merge_order, prompt

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITES = [f"site-{number}" for number in range(8)]


def beat(site: str = "a", state: str = "training", **facts: object) -> Heartbeat:
    return Heartbeat.model_validate(
        {"site": site, "session": 0, "nonce": "n", "state": state, **facts}
    )


def test_alive_goes_by_the_stores_own_times() -> None:
    seen = {
        "fresh": Sighting(beat("fresh"), NOW - timedelta(seconds=4)),
        "stale": Sighting(beat("stale"), NOW - timedelta(seconds=6)),
        "left": Sighting(beat("left", "left"), NOW),
    }
    assert set(alive(seen, now=NOW, dead_after=timedelta(seconds=5))) == {"fresh"}


def test_a_round_stops_waiting_sooner_than_data_is_taken_away() -> None:
    seen = {
        "late": Sighting(beat("late"), NOW - timedelta(seconds=4)),
        "here": Sighting(beat(), NOW),
    }
    assert prompt(seen, now=NOW, heartbeat_seconds=1.0) == {"here"}
    assert "late" in alive(seen, now=NOW, dead_after=timedelta(seconds=5))


def test_every_site_comes_to_the_same_order() -> None:
    assert merge_order(SITES, 3) == merge_order(reversed(SITES), 3)


def test_a_site_that_goes_moves_only_its_own_duties() -> None:
    before = {fragment: merge_order(SITES, fragment)[0] for fragment in range(64)}
    after = {fragment: merge_order(SITES[1:], fragment)[0] for fragment in range(64)}
    moved = {fragment for fragment in before if before[fragment] != after[fragment]}
    assert moved == {fragment for fragment in before if before[fragment] == SITES[0]}
    assert 0 < len(moved) < 20


def test_grace_follows_the_slowest_site() -> None:
    quick = beat(step_seconds=0.1, exchange_seconds=0.4)
    slow = beat(step_seconds=2.0, exchange_seconds=3.0)
    assert grace_seconds([quick], 1.0) == 2 * (0.5 + 2)
    assert grace_seconds([quick, slow], 1.0) == 2 * (5 + 2)
