"""A run as one sees it from outside, over a real record in a folder."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archipel.errors import StoreError
from archipel.ledger import Ledger
from archipel.ledger.history import MetricsReader
from archipel.ledger.view import Prices, RunView, Watcher
from archipel.store import ObjectInfo, Store
from tests.ledger.paper import DIGESTS, PaperRun, applied, committed, point


@pytest.fixture
def run(tmp_path: Path) -> PaperRun:
    return PaperRun(tmp_path / "run", sites=("paris", "tokyo", "eve"))


def look(watcher: Watcher, *, later: float = 0) -> RunView:
    return watcher.look(datetime.now(UTC) + timedelta(seconds=later))


def test_a_run_that_nobody_has_joined(run: PaperRun) -> None:
    view = look(Watcher(run.open()))
    assert (view.state, view.tokens, view.rounds, view.sites, view.curve) == ("empty", 0, 0, (), ())
    assert (view.loss, view.eta_seconds, view.utilisation, view.bytes_per_token) == (None,) * 4


def test_two_sites_at_work(run: PaperRun) -> None:
    run.beat(
        "paris", tokens=3_000, global_tokens=10_000, tokens_per_second=300.0, loss=2.0, busy=0.9,
        bytes_out=20_000, bytes_in=10_000, applied={0: 2, 1: 1},
    )  # fmt: skip
    run.beat(
        "tokyo", tokens=7_000, global_tokens=10_000, tokens_per_second=700.0, loss=3.0, busy=0.7,
        bytes_out=60_000, bytes_in=10_000, applied={0: 0, 1: 1},
    )  # fmt: skip
    run.metrics("paris", point(1_000, loss=9.0), point(5_000, loss=5.0))
    run.metrics("tokyo", point(5_000, loss=4.0, tokens_per_second=1_500.0))
    view = look(Watcher(run.open()))
    assert view.state == "training"
    assert (view.tokens, view.rounds, view.tokens_per_second) == (10_000, 3, 1_000.0)
    assert view.loss == pytest.approx(2.7)
    assert view.eta_seconds == pytest.approx(990.0)
    assert view.utilisation == pytest.approx(0.8)
    assert view.bytes_per_token == pytest.approx(10.0)
    assert [(p.tokens, p.loss) for p in view.curve] == [
        (1_000, 9.0),
        (5_000, pytest.approx((500 * 5 + 1_500 * 4) / 2_000)),
    ]
    duty = [fragment for site in view.sites for fragment in site.duty]
    assert sorted(duty) == [0, 1]


def test_rounds_say_who_was_in_late_or_refused(run: PaperRun) -> None:
    for site in ("paris", "tokyo", "eve"):
        run.beat(site, applied={0: 0, 1: 1})
        run.metrics(site, point(20), applied(0, "paris"), applied(1, "tokyo"))
    run.metrics("paris", point(40, seconds=5), committed(0, "paris", ["paris", "tokyo", "eve"]))
    run.metrics(
        "tokyo", point(40, seconds=6), committed(1, "tokyo", ["tokyo"], [("eve", "norm 113 x")])
    )
    view = look(Watcher(run.open()))
    first, second = view.recent
    assert (first.by, first.merged, first.late) == ("paris", ("paris", "tokyo", "eve"), ())
    assert (second.merged, second.late) == (("tokyo",), ("paris",))
    assert (second.time or 0) - (first.time or 0) == 1
    assert [(r.round, r.site, r.reason) for r in view.refusals] == [(1, "eve", "norm 113 x")]
    figures = {s.heartbeat.site: (s.contributed, s.refused) for s in view.sites}
    assert figures == {"paris": (1, 0), "tokyo": (2, 0), "eve": (1, 1)}
    assert view.diverged == ()


def test_a_site_whose_heartbeat_is_old_is_gone(run: PaperRun) -> None:
    run.beat("paris", tokens_per_second=100.0)
    run.beat("tokyo", state="left")
    view = look(Watcher(run.open()), later=60)
    assert [site.state for site in view.sites] == ["gone", "left"]
    assert (view.state, view.tokens_per_second) == ("idle", 0.0)
    run.beat("paris", state="done")
    assert look(Watcher(run.open())).state == "finished"


def test_hours_and_cost_are_those_of_all_processes(run: PaperRun) -> None:
    run.beat("paris", session=1)
    run.beat("tokyo")
    run.metrics("paris", point(1_000, seconds=0), point(2_000, seconds=3_600))
    run.metrics("paris", point(3_000, seconds=9_000), point(4_000, seconds=9_900), session=1)
    run.metrics("tokyo", point(1_000, seconds=0), point(2_000, seconds=1_800))
    view = look(Watcher(run.open(), Prices(1.0, {"paris": 2.0})))
    assert [site.hours for site in view.sites] == pytest.approx([1.25, 0.5])
    assert view.cost == pytest.approx(3.0)


def test_looking_again_reads_only_what_is_new(run: PaperRun) -> None:
    run.beat("paris")
    for number in range(100):
        run.metrics("paris", point(100 * number + 100))
    ledger = run.open()
    watcher = Watcher(ledger)
    assert len(look(watcher).sites[0].curve) == 100
    bytes_before = ledger.store.bytes_in
    look(watcher)
    heartbeat_bytes = (Path(run.url) / "sites/paris.json").stat().st_size
    assert ledger.store.bytes_in - bytes_before == heartbeat_bytes
    run.metrics("paris", point(20_000))
    run.beat("paris", session=2)
    run.metrics("paris", point(30_000), session=2)
    assert [p.tokens for p in look(watcher).sites[0].curve][-3:] == [10_000, 20_000, 30_000]


def test_a_long_run_is_seen_at_once_and_read_in_full_later(run: PaperRun) -> None:
    run.beat("paris", applied={0: 998, 1: 999})
    run.beat("tokyo", applied={0: 998, 1: 999})
    for number in range(1_000):
        run.metrics("paris", point(1_000 * number), committed(number, "paris", ["paris"]))
    watcher = Watcher(run.open())
    first = look(watcher)
    assert first.pieces_behind > 500
    assert len(first.sites[0].curve) > 150
    assert [found.number for found in first.recent] == list(range(940, 1_000))
    at = [p.tokens for p in first.sites[0].curve]
    assert max(b - a for a, b in itertools.pairwise(at)) < 20_000
    run.metrics("paris", point(999_999))
    views = [look(watcher)]
    while views[-1].pieces_behind:
        views.append(look(watcher))
        assert len(views) < 30
    whole = look(Watcher(run.open()))
    assert views[-1].sites[0].contributed == 1_000
    assert views[0].sites[0].curve[-1].tokens == pytest.approx(999_999, abs=2_000)
    assert len(whole.sites[0].curve) <= len(views[-1].sites[0].curve) <= 512


def test_a_watcher_that_slept_for_long_catches_up(run: PaperRun) -> None:
    run.beat("paris")
    run.metrics("paris", point(10))
    watcher = Watcher(run.open())
    look(watcher)
    for number in range(50):
        run.metrics("paris", point(1_000 + 20 * number))
    view = look(watcher)
    while view.pieces_behind:
        view = look(watcher)
    assert len(view.curve) == 51


def test_all_pieces_come_in_order_from_a_place_on(run: PaperRun) -> None:
    for number in range(300):
        run.metrics("paris", point(number))
    run.metrics("paris", point(1_000), session=1)
    reader = MetricsReader(run.open(), in_order=True, after={"paris": (0, 9)})
    places = [piece.place for piece in reader.read({"paris": 1})]
    while reader.behind:
        places += [piece.place for piece in reader.read({"paris": 1})]
    assert places == [(0, number) for number in range(10, 300)] + [(1, 0)]


def test_lines_that_say_nothing_sensible_are_counted_and_left_out(run: PaperRun) -> None:
    run.beat("paris")
    good = point(100)
    nonsense = [
        good | {"loss": float("nan")},
        good | {"loss": 1e300},
        good | {"global_tokens": 10**30},
        good | {"global_tokens": 3_000_000},
        good | {"time": "yesterday"},
        {"round": 1, "merged": ["../../etc"], "refused": [], "by": "paris"},
        {"round": 10**9, "merged": [], "refused": [], "by": "paris"},
        {"round": -1, "merged": [], "refused": [], "by": "paris"},
    ]
    run.metrics("paris", good, *nonsense)
    run.sites["paris"].put_metrics("paris", 0, 1, b'{"time": 1\n\xff\xfe\n[]\n')
    view = look(Watcher(run.open()))
    assert [p.tokens for p in view.curve] == [100]
    assert view.recent == ()
    assert view.unreadable == (f"{len(nonsense) + 3} lines of metrics say nothing sensible",)


def test_a_forged_heartbeat_is_named_and_the_others_are_shown(run: PaperRun) -> None:
    run.beat("paris")
    run.beat("tokyo")
    watcher = Watcher(run.open())
    look(watcher)
    sites = Path(run.url) / "sites"
    (sites / "tokyo.json").write_bytes((sites / "paris.json").read_bytes())
    view = look(watcher)
    assert [site.heartbeat.site for site in view.sites] == ["paris", "tokyo"]
    assert "tokyo" in view.unreadable[0]


def test_a_commit_whose_committer_was_killed_is_read_itself(run: PaperRun) -> None:
    run.beat("paris", applied={0: 0})
    run.metrics("paris", point(20), applied(0, "tokyo"))
    run.commit(0, "tokyo", ["tokyo"], {"eve": "not finite"})
    watcher = Watcher(run.open())
    view = look(watcher)
    assert view.recent[0].merged is None
    for _ in range(5):
        view = look(watcher)
    assert (view.recent[0].merged, view.recent[0].late) == (("tokyo",), ("paris",))
    assert view.refusals[0].reason == "not finite"


def test_sites_with_other_parameters_after_a_round_are_noticed(run: PaperRun) -> None:
    for site, digest in zip(("paris", "tokyo"), DIGESTS, strict=True):
        run.beat(site, applied={0: 0})
        run.metrics(site, applied(0, "paris", DIGESTS[0]), applied(1, "paris", digest))
    assert look(Watcher(run.open())).diverged == (1,)


def test_after_a_rollback_all_begins_anew(run: PaperRun) -> None:
    run.beat("paris", global_tokens=5_000)
    run.beat("eve", global_tokens=5_000)
    run.metrics("eve", point(5_000))
    watcher = Watcher(run.open())
    assert look(watcher).tokens == 5_000
    run.roll_back(without=["eve"], reason="poison")
    run.beat("paris", global_tokens=1_000)
    run.metrics("paris", point(1_000))
    for view in (look(watcher), look(Watcher(run.open()))):
        assert view.era is not None
        assert (view.era.number, view.era.without, view.era.reason) == (1, ("eve",), "poison")
        assert [site.heartbeat.site for site in view.sites] == ["paris"]
        assert (view.tokens, [p.tokens for p in view.curve]) == (1_000, [1_000])


class CutOff(Store):
    """A store that can't be read now and then."""

    failing: Iterator[bool] = iter(())

    def get(self, key: str) -> bytes | None:
        self._fail()
        return super().get(key)

    def list(self, prefix: str) -> list[ObjectInfo]:
        self._fail()
        return super().list(prefix)

    def _fail(self) -> None:
        if next(self.failing, False):
            raise StoreError("cut off")


def test_what_an_outage_interrupts_is_neither_lost_nor_counted_twice(run: PaperRun) -> None:
    for site in ("paris", "tokyo"):
        run.beat(site)
    for number in range(40):
        for site in ("paris", "tokyo"):
            run.metrics(site, point(100 * number, loss=number + 1.0))
    store = CutOff(run.url)
    watcher = Watcher(Ledger.open(store))
    outages = 0
    for good in (*range(1, 12), 30, 60, 80):
        store.failing = iter([False] * good + [True])
        try:
            look(watcher)
        except StoreError:
            outages += 1
    assert outages > 12
    store.failing = iter(())
    run.metrics("paris", point(4_000, loss=41.0))
    view = look(watcher)
    whole = look(Watcher(run.open()))
    for site, expected in zip(view.sites, whole.sites, strict=True):
        assert site.curve == expected.curve
    assert [len(site.curve) for site in view.sites] == [41, 40]
