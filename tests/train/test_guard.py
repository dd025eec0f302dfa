"""The guard on real training in small: honest contributions pass, poisoned ones don't."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from archipel.errors import IntegrityError
from archipel.ledger import Commit
from archipel.train.codec import codec_named
from archipel.train.fragments import Vector
from archipel.train.guard import Candidate, History, Known, Size, refusals
from tests.train.merging import Part, Run, decoded, header

EQUAL = (4, 4, 4)


@pytest.fixture(params=["int4", "sparse"])
def run(request: pytest.FixtureRequest) -> Run:
    """Three sites after twelve honest rounds."""
    return Run(request.param).rounds(12, EQUAL)


def random_like(values: Vector, seed: int = 0) -> Vector:
    noise = np.random.default_rng(seed).standard_normal(len(values)).astype(np.float32)
    return noise * np.float32(np.linalg.norm(values) / np.linalg.norm(noise))


def poisoned(run: Run, part: Part, change: Callable[[Vector], Vector]) -> Part:
    return replace(part, payload=run.state.codec.encode(change(decoded(run, part))))


def refused(run: Run, parts: Sequence[Part]) -> dict[str, str]:
    return {refusal.site: refusal.reason for refusal in run.merge(parts).commit.refused}


# Honest ones


@pytest.mark.parametrize("codec", ["none", "int4", "sparse"])
@pytest.mark.parametrize("steps", [(1, 1, 1), (4, 4, 4), (2, 4, 8), (8, 4, 0), (1, 30, 2)])
def test_honest_sites_are_never_refused(codec: str, steps: tuple[int, ...]) -> None:
    assert Run(codec).rounds(15, steps).refused == {}


@pytest.mark.parametrize("codec", ["int4", "sparse"])
def test_a_site_that_comes_back_cold_or_takes_long_is_not_refused(codec: str) -> None:
    run = Run(codec).rounds(6, EQUAL)
    run.restart(1)
    run.rounds(3, EQUAL).rounds(1, (4, 60, 4)).rounds(2, EQUAL)
    assert run.refused == {}


def test_a_site_whose_text_has_nothing_in_common_with_the_others_is_not_refused() -> None:
    run = Run("sparse")
    run.far_away = True
    run.rounds(6, (16, 16, 16))
    assert run.witnessed > 0
    assert run.refused == {}


# Poisons


def test_what_is_not_finite_is_refused(run: Run) -> None:
    parts = run.train(EQUAL)
    broken = bytearray(parts[1].payload)
    if run.codec == "sparse":
        broken[:2] = b"\xc0\x7f"
    else:
        broken = bytearray(b"\xff" * len(broken))
    parts[1] = replace(parts[1], payload=bytes(broken))
    assert set(refused(run, parts)) == {"b"}


@pytest.mark.parametrize("codec", ["none", "int8", "int4", "sparse"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_site_whose_training_diverged_does_not_even_send_it(codec: str, bad: float) -> None:
    values = np.ones(5_000, np.float32)
    values[77] = bad
    with pytest.raises(IntegrityError, match="not finite"):
        codec_named(codec).encode(values)


@pytest.mark.parametrize("factor", [100, -100, 1e6])
def test_an_exploded_one_is_refused_among_three_among_two_and_alone(
    run: Run, factor: float
) -> None:
    parts = run.train(EQUAL)
    parts[2] = poisoned(run, parts[2], lambda values: values * np.float32(factor))
    for present in (parts, parts[1:], parts[2:]):
        found = refused(run, present)
        assert set(found) == {"c"}
        assert "times what 256 tokens usually make: exploded" in found["c"]


def test_an_exploded_one_is_refused_in_the_first_round(run: Run) -> None:
    first = Run(run.codec)
    parts = first.train(EQUAL)
    parts[0] = poisoned(first, parts[0], lambda values: values * np.float32(100))
    assert set(refused(first, parts)) == {"a"}
    assert set(refused(first, parts[:2])) == {"a"}


def test_a_random_one_is_refused_among_three_and_among_two() -> None:
    run = Run("int4").rounds(12, EQUAL)
    for seed in range(5):
        parts = run.train(EQUAL)
        parts[1] = poisoned(run, parts[1], lambda v, seed=seed: random_like(v, seed))  # type: ignore[misc]
        for present in (parts, parts[:2]):
            found = refused(run, present)
            assert set(found) == {"b"}
            assert "random" in found["b"]


def test_a_random_one_is_refused_in_the_first_round() -> None:
    for codec in ("int4", "sparse"):
        first = Run(codec)
        parts = first.train(EQUAL)
        parts[1] = poisoned(first, parts[1], random_like)
        for present in (parts, parts[:2]):
            assert set(refused(first, present)) == {"b"}


def test_a_random_sparse_one_is_refused_among_three_by_the_site_on_duty() -> None:
    run = Run("sparse").rounds(12, (8, 8, 8))
    for seed in range(5):
        parts = run.train((8, 8, 8))
        parts[1] = poisoned(run, parts[1], lambda v, seed=seed: random_like(v, seed))  # type: ignore[misc]
        assert set(refused(run, parts)) == {"b"}


def test_among_strangers_nobody_is_random(run: Run) -> None:
    parts = run.train(EQUAL)
    noise = [
        poisoned(run, part, lambda v, seed=place: random_like(v, seed))  # type: ignore[misc]
        for place, part in enumerate(parts)
    ]
    assert refused(run, noise) == {}


def test_a_stolen_one_is_refused_and_the_one_it_was_taken_from_is_not(run: Run) -> None:
    honest = [replace(part, put_at=100.0 + place) for place, part in enumerate(run.train(EQUAL))]
    thief = Part("d", 256, honest[0].payload, put_at=103.0)
    found = refused(run, [*honest, thief])
    assert list(found) == ["d"]
    assert "copy of a's" in found["d"]


def test_a_copy_in_disguise_is_a_copy(run: Run) -> None:
    honest = [replace(part, put_at=100.0) for part in run.train(EQUAL)]
    copy = poisoned(run, honest[0], lambda values: values * np.float32(1.01))
    found = refused(run, [*honest, replace(copy, site="d", put_at=101.0)])
    assert list(found) == ["d"]


def test_where_nobody_can_tell_who_copied_neither_is_merged(run: Run) -> None:
    parts = run.train(EQUAL)
    found = refused(run, [*parts, replace(parts[0], site="d")])
    assert set(found) == {"a", "d"}


def test_a_payload_from_an_earlier_round_is_refused(run: Run) -> None:
    old = run.train(EQUAL)
    run.apply(run.merge(old))
    found = refused(run, [*run.train(EQUAL)[:2], replace(old[1], site="c")])
    assert set(found) == {"c"}
    assert "merged in an earlier round" in found["c"]


# Going on


def test_a_lone_site_whose_steps_have_grown_goes_on_after_a_few_rounds(run: Run) -> None:
    before = len(run.outcomes)
    while not run.outcomes[before:] or not run.outcomes[-1].commit.merged:
        part = run.train((4, 0, 0))[0]
        run.apply(run.merge([poisoned(run, part, lambda values: values * np.float32(100))]))
        assert len(run.outcomes) < before + 7
    assert len(run.outcomes) > before + 2


def test_sites_whose_steps_have_all_grown_go_on_at_once(run: Run) -> None:
    parts = [
        poisoned(run, part, lambda values: values * np.float32(100)) for part in run.train(EQUAL)
    ]
    assert refused(run, parts) == {}


def test_what_was_refused_does_not_change_what_is_usual(run: Run) -> None:
    for _ in range(3):
        parts = run.train(EQUAL)
        parts[2] = poisoned(run, parts[2], lambda values: values * np.float32(100))
        run.apply(run.merge(parts))
    assert list(run.refused.values()) != []
    assert refused(run, run.train(EQUAL)) == {}


def test_short_vectors_are_not_judged() -> None:
    same = np.ones(999, np.float32)
    candidates = [Candidate(site, 10, "0" * 64, same) for site in ("a", "b")]
    assert refusals(candidates, Known(same)) == {}


def test_norms_that_a_commit_made_up_are_ignored(run: Run) -> None:
    last = run.outcomes[-1].commit
    for norms in ((), (float("nan"),) * 3, (float("inf"), -1.0, 0.0)):
        made_up = Commit.model_validate({**last.model_dump(), "norms": norms})
        assert History().after(made_up).sizes == ()


def test_a_contribution_of_no_tokens_is_not_judged(run: Run) -> None:
    parts = [*run.train(EQUAL), Part("d", 0, b"")]
    assert refused(run, parts) == {}
    assert header(run.state, "d", 0, 0).values == 0


def test_a_warm_up_in_which_h_grows_is_not_taken_for_an_explosion() -> None:
    """As a lone site began: two steps at the smallest rates, then thirteen at growing ones."""
    momentum = np.full(2_000, 1e-4, np.float32)
    history = History(sizes=(Size(norm=0.0125, tokens=512),))
    later = Candidate("a", 3_328, "1" * 64, np.full(2_000, 0.188 / 2_000**0.5, np.float32))
    assert refusals([later], Known(momentum, history)) == {}


@pytest.mark.parametrize(("factor", "exploded"), [(1, False), (100, True)])
def test_what_other_fragments_rounds_added_to_the_learning_rate_is_no_explosion(
    factor: float, exploded: bool
) -> None:
    """A site frozen in its warm-up comes back: the fragment's two commits are of few tokens, and
    the others have trained twenty times as many meanwhile."""
    momentum = np.full(2_000, 1e-5, np.float32)
    sizes = (Size(norm=0.0003, tokens=1_024, seen=1_024), Size(0.002, tokens=4_096, seen=5_120))
    known = Known(momentum, History(sizes, tokens=5_120), trained=100_000)
    back = Candidate("c", 3_072, "1" * 64, np.full(2_000, factor * 0.0206 / 2_000**0.5, np.float32))
    assert bool(refusals([back], known)) is exploded
