"""The data's cover: exactly once, whoever reads it, in whatever order chains are read."""

import pytest

from archipel.errors import IntegrityError
from archipel.ledger import Commit, Contribution, Cover, Range, Release, RunSpec
from archipel.ledger.audit import audit


def piece(unit: int, start: int, stop: int, generation: int = 0) -> Range:
    return Range(unit=unit, generation=generation, start=start, stop=stop)


def contribution(round_: int, *ranges: Range, site: str = "a") -> Contribution:
    return Contribution(
        site=site,
        session=0,
        round=round_,
        base=round_ - 4,
        tokens=sum(r.stop - r.start for r in ranges),
        ranges=ranges,
        loss=1.0,
        codec="int8",
        values=1,
    )


def commit(
    round_: int, *merged: Contribution, released: tuple[Release, ...] = (), by: str = "a"
) -> Commit:
    return Commit(
        round=round_,
        base=round_ - 4,
        by=by,
        merged=merged,
        refused=(),
        released=released,
        codec="int8",
        values=1,
        digest="0" * 64,
    )


def test_a_unit_is_accounted_in_its_own_fragment_only(spec: RunSpec) -> None:
    cover = Cover(spec)
    cover.apply(commit(1, contribution(1, piece(0, 0, 100))))
    assert cover.tokens == 0
    cover.apply(commit(0, contribution(0, piece(0, 0, 100))))
    assert cover.tokens == 100
    assert cover.is_covered(0)


def test_a_contribution_must_go_on_where_the_commits_end(spec: RunSpec) -> None:
    cover = Cover(spec)
    cover.apply(commit(0, contribution(0, piece(0, 0, 40))))
    assert cover.refusal(contribution(4, piece(0, 40, 60))) is None
    assert "covered up to 40" in (cover.refusal(contribution(4, piece(0, 30, 60))) or "")
    assert "covered up to 40" in (cover.refusal(contribution(4, piece(0, 50, 60))) or "")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (piece(0, 0, 101), "has no tokens"),
        (piece(8, 10, 10), "has no tokens"),
        (piece(12, 0, 10), "has no unit 12"),
        (piece(0, 0, 10, generation=1), "generation 1"),
    ],
)
def test_impossible_ranges_are_refused(spec: RunSpec, bad: Range, reason: str) -> None:
    assert reason in (Cover(spec).refusal(contribution(0, bad)) or "")


def test_tokens_that_the_ranges_do_not_hold_are_refused(spec: RunSpec) -> None:
    lying = contribution(0, piece(0, 0, 10)).model_copy(update={"tokens": 1000})
    assert "1000 tokens" in (Cover(spec).refusal(lying) or "")


def test_a_released_unit_goes_on_under_the_next_generation(spec: RunSpec) -> None:
    cover = Cover(spec)
    gone = Release(unit=0, generation=0, at=40)
    cover.apply(commit(0, contribution(0, piece(0, 0, 40)), released=(gone,)))
    assert cover.free() == [(0, 1, 40)]
    assert "released" in (cover.refusal(contribution(4, piece(0, 40, 60))) or "")
    cover.apply(commit(4, contribution(4, piece(0, 40, 100, generation=1), site="b")))
    assert cover.is_covered(0)
    assert cover.free() == []
    assert cover.position(0) == (1, 100)


def test_a_commit_that_contradicts_the_ones_before_is_an_error(spec: RunSpec) -> None:
    cover = Cover(spec)
    cover.apply(commit(0, contribution(0, piece(0, 0, 40))))
    with pytest.raises(IntegrityError, match="commit 4 merged a"):
        cover.apply(commit(4, contribution(4, piece(0, 0, 40))))
    with pytest.raises(IntegrityError, match="released unit 0 wrongly"):
        cover.apply(commit(4, released=(Release(unit=0, generation=0, at=10),)))


def test_the_whole_budget_with_a_short_last_unit(spec: RunSpec) -> None:
    cover = Cover(spec)
    for unit in range(10):
        assert not cover.complete
        cover.apply(
            commit(unit % 4, contribution(unit % 4, piece(unit, 0, spec.unit_length(unit))))
        )
    assert cover.complete
    assert cover.tokens == 950


def test_the_state_survives_a_snapshot(spec: RunSpec) -> None:
    cover = Cover(spec)
    gone = Release(unit=4, generation=0, at=0)
    cover.apply(commit(0, contribution(0, piece(0, 0, 100)), released=(gone,)))
    cover.apply(commit(1, contribution(1, piece(1, 0, 30))))
    again = Cover.from_json(spec, cover.to_json())
    assert again.to_json() == cover.to_json()
    assert again.free() == [(4, 1, 0)]
    assert again.tokens == cover.tokens == 130
    with pytest.raises(IntegrityError, match="cover"):
        Cover.from_json(spec, {"below": 0})


def test_the_audit_finds_what_is_twice_and_what_is_missing(spec: RunSpec) -> None:
    clean = [
        commit(u % 4, contribution(u % 4, piece(u, 0, spec.unit_length(u)))) for u in range(10)
    ]
    found = audit(spec, clean, finished=True)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (950, 0, 0)
    twice = [*clean, commit(4, contribution(4, piece(0, 90, 100)))]
    assert audit(spec, twice, finished=True).duplicate_tokens == 10
    assert audit(spec, clean[:-1], finished=True).skipped_tokens == 50
    hole = [commit(0, contribution(0, piece(0, 20, 100)))]
    assert audit(spec, hole, finished=False).skipped_tokens == 20
