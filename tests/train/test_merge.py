"""Merge duty: what it merges, how it weighs it, and what it refuses before looking at values."""

import numpy as np
import pytest

from archipel.train.fragments import Fragment, Vector
from archipel.train.merge import Merge
from archipel.train.state import GlobalState
from tests.train.merging import header, spec

VALUES = 900  # fewer than the guard judges


def fresh(codec: str) -> GlobalState:
    return GlobalState(
        spec(codec), [Fragment({"w": (VALUES,)})], {"w": np.zeros(VALUES, np.float32)}
    )


def numbers(seed: int) -> Vector:
    return np.random.default_rng(seed).standard_normal(VALUES, np.float32)


def test_merge_duty_refuses_what_does_not_fit() -> None:
    state = fresh("int8")
    payload = state.codec.encode(numbers(0))
    nan = np.frombuffer(payload, np.uint8).copy()
    nan[:4] = 255
    merge = Merge(state, 0, state.cover)
    for changes, data, reason in (
        ({"base": -6}, payload, "builds on round -6"),
        ({"codec": "none"}, payload, "'none'"),
        ({"values": 299}, payload, "299 values"),
        ({"tokens": 5}, payload, "5 tokens"),
        ({}, payload[:-1], "bytes instead of"),
        ({}, nan.tobytes(), "not finite"),
    ):
        merge.take(header(state, "a", 0, 10, **changes), data)
        assert reason in merge.refused[-1].reason
    merge.take(header(state, "a", 0, 10), payload)
    merge.take(header(state, "b", 0, 10), payload)
    assert "already holds unit 0" in merge.refused[-1].reason
    assert [taken.site for taken in merge.merged] == ["a"]


@pytest.mark.parametrize("codec", ["none", "int8", "int4", "sparse"])
def test_merging_weighs_by_tokens(codec: str) -> None:
    state = fresh(codec)
    merge = Merge(state, 0, state.cover)
    expected = np.zeros(VALUES)
    for site, unit, tokens in (("a", 0, 30), ("b", 1, 10)):
        payload = state.codec.encode(numbers(unit))
        merge.take(header(state, site, unit, tokens), payload)
        expected += state.codec.decode(payload, VALUES) * (tokens / 40)
    outcome = merge.commit("a", [], None)
    update = state.codec.decode_commit(outcome.payload, VALUES)
    if outcome.residual is not None:
        update = update + outcome.residual
    assert np.allclose(update, expected, atol=1e-5)
    state.advance(outcome.commit, outcome.preview)
    assert outcome.commit.values == VALUES


def test_a_site_that_missed_rounds_weighs_by_its_tokens_in_each_of_them() -> None:
    state = fresh("none")
    merge = Merge(state, 0, state.cover)
    merge.take(header(state, "here", 0, 30), state.codec.encode(numbers(0)))
    merge.take(header(state, "back", 1, 300, spans=10), state.codec.encode(numbers(1)))
    update = state.codec.decode_commit(merge.commit("here", [], None).payload, VALUES)
    assert np.allclose(update, (numbers(0) + numbers(1)) / 2, atol=1e-6)


def test_a_commit_says_how_long_the_contributions_were_and_names_their_payloads() -> None:
    state = fresh("none")
    merge = Merge(state, 0, state.cover)
    merge.take(header(state, "a", 0, 30), state.codec.encode(numbers(0)))
    merge.take(header(state, "b", 1, 0), b"")
    merge.take(header(state, "c", 2, 10), state.codec.encode(numbers(1)))
    commit = merge.commit("a", [], None).commit
    assert [taken.site for taken in commit.merged] == ["a", "b", "c"]
    assert commit.norms == pytest.approx(
        [np.linalg.norm(numbers(0)), 0.0, np.linalg.norm(numbers(1))]
    )
    assert len(set(commit.payloads)) == 3


@pytest.mark.parametrize("codec", ["none", "int8", "int4", "sparse"])
def test_a_round_in_which_nobody_trained_changes_nothing(codec: str) -> None:
    state = fresh(codec)
    merge = Merge(state, 0, state.cover)
    merge.take(header(state, "a", 0, 0), b"")
    residual = None if codec == "sparse" else numbers(0)
    outcome = merge.commit("a", [], residual)
    assert outcome.payload == b""
    assert outcome.commit.values == 0
    assert outcome.residual is residual
    state.advance(outcome.commit, outcome.preview)
    assert not state.parameters[0].any()


def test_what_one_commit_leaves_the_next_one_makes_up_for() -> None:
    state, residual, sent = fresh("int4"), None, np.zeros(VALUES)
    for round_ in range(30):
        merge = Merge(state, round_, state.cover)
        payload = state.codec.encode(numbers(0) * np.float32(1 + 0.001 * round_))
        merge.take(header(state, "a", round_, 10), payload)
        outcome = merge.commit("a", [], residual)
        residual = outcome.residual
        sent += state.codec.decode_commit(outcome.payload, VALUES)
        sent -= state.codec.decode(payload, VALUES)
        state.advance(outcome.commit, outcome.preview)
    assert residual is not None
    assert np.allclose(sent, -residual, atol=1e-4)
