"""The planner: what it says of runs, how it answers questions, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from archipel.errors import ConfigError
from archipel.ledger.duty import merge_order
from archipel.plan import forecast, read_plan
from archipel.plan.advice import recommend, what_if
from archipel.plan.engine import planned_steps, simulate
from archipel.plan.gap import expected_gap
from archipel.plan.inputs import Plan, make_plan
from archipel.plan.peers import Way, busy_share, gigabits_for
from archipel.plan.wire import snapshot_bytes


def two_sites(**changes: Any) -> Plan:
    sites = [
        {"name": "paris", "hardware": "h100", "count": 8, "price": 24},
        {"name": "rome", "hardware": "h100", "count": 8, "price": 20, "link": {"up": 200}},
    ]
    return make_plan({"parameters": 1e9, "tokens": 20e9, "sites": sites} | changes)


def test_time_and_cost_follow_from_speed_and_price() -> None:
    found = forecast(two_sites())
    speed = 2 * 8 * 989e12 * 0.4 / 6e9
    assert found.tokens_per_second == pytest.approx(speed, rel=0.01)
    assert found.days == pytest.approx(20e9 / speed / 86_400, rel=0.01)
    assert found.compute_cost == pytest.approx(24 * found.days * 44, rel=0.01)
    assert sum(site.tokens for site in found.sites) == pytest.approx(20e9)
    assert found.cost > found.compute_cost
    assert found.busy_share == 1.0


def test_a_thinner_link_takes_more_steps_between_syncs_and_fewer_bytes() -> None:
    wide, thin = forecast(two_sites()), forecast(what_if(two_sites(), "slower:rome:0.1"))
    assert thin.sync_steps > 3 * wide.sync_steps
    assert thin.wan_bytes < wide.wan_bytes / 3
    assert thin.days == pytest.approx(wide.days, rel=0.01)


def test_a_link_is_not_asked_for_more_than_it_has() -> None:
    for codec in ("none", "int4", "sparse"):
        for site, link in zip(
            forecast(two_sites(codec=codec)).sites, two_sites().sites, strict=True
        ):
            assert site.mean_up < link.link.up
            assert site.mean_down < link.link.down


def test_fixed_h_on_a_link_that_can_not_carry_it_comes_out_longer() -> None:
    found = simulate(two_sites(sync_steps=2), 100)
    assert found.sync_steps == 2
    assert found.steps_between_syncs > 10


def test_the_cores_that_train_lose_twice_as_much_at_half_the_fixed_h() -> None:
    """Whether or not it is more than sites that choose H themselves would bear."""

    def lost(steps: int) -> float:
        site = {"tokens_per_second": 1000, "cores": 1, "link": {"up": 10**6, "down": 10**6}}
        facts = {"parameters": 1e7, "batch_tokens": 1000, "heartbeat_seconds": 600}
        sites = [site | {"name": name} for name in ("paris", "rome")]
        plan = make_plan(facts | {"tokens": 1e9, "sites": sites, "sync_steps": steps})
        return 1 / forecast(plan).busy_share - 1

    assert lost(2) == pytest.approx(2 * lost(4), rel=0.01)
    assert lost(200) == pytest.approx(2 * lost(400), rel=0.01)


def test_int4_takes_about_eleven_times_its_payload_a_cycle_among_four() -> None:
    sites = [{"name": f"s{n}", "tokens_per_second": 1000, "link": {"rtt": 1}} for n in range(4)]
    plan = make_plan(
        {
            "parameters": 1e8,
            "tokens": 1e9,
            "sites": sites,
            "batch_tokens": 10_000,
            "sync_steps": 30,
            "snapshot_every_cycles": 10**6,
            "heartbeat_seconds": 60,
            "corpus_from_store": False,
        }
    )
    cycle_tokens = 4 * 30 * 10_000
    payload = 3.1 / 8 * 1e8
    assert forecast(plan).wan_bytes_per_token == pytest.approx(
        11 * payload / cycle_tokens, rel=0.08
    )


def test_a_site_that_is_away_costs_time_and_not_its_price() -> None:
    plan = two_sites(tokens=200e9)
    whole, lost = forecast(plan), forecast(what_if(plan, "lost:rome:24"))
    assert lost.days - whole.days == pytest.approx(0.5, abs=0.05)
    assert lost.sites[1].compute_cost < whole.sites[1].compute_cost
    spot = forecast(what_if(plan, "spot:paris:0.5:12"))
    assert spot.sites[0].compute_cost < 0.6 * whole.sites[0].compute_cost
    assert spot.days > whole.days
    assert len(forecast(what_if(plan, "more:paris:2")).sites) == 4


def test_everybody_away_for_ever_never_ends_but_a_day_away_does() -> None:
    plan = make_plan(
        {
            "parameters": 1e6,
            "tokens": 1e6,
            "sites": [{"name": "a", "tokens_per_second": 100, "away_hours": 24}],
        }
    )
    assert forecast(plan).days == pytest.approx(1 + 1e4 / 86_400, rel=0.01)


def test_a_thin_link_is_told_to_use_sparse_in_a_long_run_and_int4_in_a_short_one() -> None:
    link = {"up": 20, "down": 20, "rtt": 50}
    sites = [{"name": n, "hardware": "h100", "count": 8, "link": link} for n in ("a", "b")]
    long, _ = recommend(make_plan({"parameters": 1e9, "tokens": 1e12, "sites": sites}))
    short, _ = recommend(make_plan({"parameters": 1e9, "tokens": 1e9, "sites": sites}))
    assert (long.codec, short.codec) == ("sparse", "int4")
    assert planned_steps(long) < planned_steps(short)
    alone, why = recommend(make_plan({"parameters": 1e9, "tokens": 1e9, "sites": sites[:1]}))
    assert alone.codec == "int4"
    assert "nobody" in why


def test_the_gap_names_its_source_and_says_when_it_is_a_guess() -> None:
    near, far = expected_gap("int4", 1e9, 30), expected_gap("int4", 100e9, 1000)
    assert near.share == 0.004
    assert "2501.18512" in near.source
    assert not near.extrapolated
    assert far.extrapolated
    assert expected_gap("sparse", 1e9, 30).extrapolated


def test_other_ways_to_train_wait_for_what_does_not_fit_beside_their_steps() -> None:
    way = Way(bits=32, every_steps=10)
    facts = {"parameters": 1e9, "sites": 2, "step_seconds": 1.0}
    assert busy_share(way, gigabits=3.2, **facts) == pytest.approx(0.5)
    assert gigabits_for(way, 0.5, **facts) == pytest.approx(3.2)
    assert busy_share(Way(bits=32, every_steps=10, overlap_steps=10), gigabits=3.2, **facts) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"parameters": -1}, "parameters"),
        ({"tokens": 0}, "greater than 0"),
        ({"sync_steps": 0}, "sync_steps"),
        ({"codec": "zip"}, "codec"),
        ({"sites": []}, "sites"),
        ({"sites": [{"name": "a"}]}, "tokens_per_second or hardware"),
        ({"sites": [{"name": "a", "hardware": "abacus"}]}, "abacus"),
        ({"sites": [{"name": "a", "tokens_per_second": 1, "price": -2}]}, "price (-2)"),
        ({"sites": [{"name": "a", "tokens_per_second": 1, "link": {"up": 0}}]}, "link.up (0)"),
        ({"sites": [{"name": "a", "tokens_per_second": 1}] * 2}, "two sites"),
        (
            {"sites": [{"name": "a", "tokens_per_second": 1, "memory_gb": 8}]},
            "16 GB with their optimiser, a has 8 GB",
        ),
    ],
)
def test_an_impossible_plan_is_refused_with_what_is_wrong(
    values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match="impossible plan") as caught:
        two_sites(**values)
    assert said in str(caught.value)


@pytest.mark.parametrize("words", ["lost:nowhere:2", "lost:rome", "slower:rome:x", "rain"])
def test_a_question_that_can_not_be_understood_is_refused(words: str) -> None:
    with pytest.raises(ConfigError):
        what_if(two_sites(), words)


def test_a_plan_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'parameters = 1e9\ntokens = 20e9\n[[sites]]\nname = "a"\ntokens_per_second = 5\n'
        "link = {up = 5, down = 10, rtt = 1}\n",
        encoding="utf-8",
    )
    assert read_plan(file).sites[0].link.down == 10
    file.write_text("parameters = ", encoding="utf-8")
    with pytest.raises(ConfigError, match="not TOML"):
        read_plan(file)
    with pytest.raises(ConfigError, match="can't read"):
        read_plan(tmp_path / "none.toml")


def four_sites(**changes: Any) -> Plan:
    link = {"up": 5, "down": 5, "rtt": 200}
    sites = [{"name": f"s{n}", "tokens_per_second": 260, "link": link} for n in range(4)]
    run = {"parameters": 2e6, "tokens": 120_000, "batch_tokens": 64, "sync_steps": 30}
    return make_plan({**run, "sites": sites, "corpus_from_store": False} | changes)


def test_fixed_h_on_a_link_that_can_carry_it_comes_out_as_it_is() -> None:
    assert simulate(four_sites(), 200).steps_between_syncs == pytest.approx(30, rel=0.01)


def test_snapshots_are_put_as_often_as_a_run_puts_them() -> None:
    with_one = forecast(four_sites())  # of 16 cycles
    rarely = forecast(four_sites(snapshot_every_cycles=1000))
    whole = snapshot_bytes(2e6)
    assert with_one.wan_bytes - rarely.wan_bytes == pytest.approx(whole)
    assert forecast(four_sites(codec="sparse")).wan_bytes < whole + rarely.wan_bytes / 4
    often, seldom = (planned_steps(two_sites(snapshot_every_cycles=cycles)) for cycles in (1, 1000))
    assert often > 2 * seldom


def test_a_site_that_merges_trains_less_of_its_cores() -> None:
    site = {"tokens_per_second": 450, "cores": 0.35, "link": {"rtt": 10}}
    names = ("athens", "bergen", "cadiz", "delft")
    line = simulate(four_sites(sites=[site | {"name": name} for name in names]), 100)
    duties = [merge_order(names, fragment)[0] for fragment in range(4)]
    assert {name: duties.count(name) for name in ("bergen", "cadiz")} == {"bergen": 0, "cadiz": 2}
    busy = dict(zip(names, line.busy, strict=True))
    assert busy["bergen"] > busy["athens"] > busy["cadiz"]
    assert busy["athens"] == pytest.approx(busy["delft"])


def test_a_commit_does_not_wait_for_what_is_sent_after_it() -> None:
    link = {"up": 5, "down": 5, "rtt": 200}
    sites = [{"name": f"s{n}", "tokens_per_second": 450 + 20 * n, "link": link} for n in range(4)]
    seen, put, fetched, committed = 1.8, 0.5, 1.2, 0.5  # at most, with 0.19 MB for 0.31 s of a link
    line = simulate(four_sites(sites=sites), 200)
    assert line.commit_seconds < seen + put + fetched + committed + 0.3
