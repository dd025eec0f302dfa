"""Which target answers: the order, weights, stickiness, and what never leaves the house."""

import itertools
from collections import Counter

from archipel.serve.routing import Policy, Target, beginning, candidates


def _targets(*weights: float, here: str = "") -> tuple[Target, ...]:
    return tuple(
        Target(name, "m", is_here=name in here, weight=weight)
        for name, weight in zip("abcdef", weights, strict=False)
    )


def _draw(number: int) -> bytes:
    return number.to_bytes(16)


def test_listed_targets_are_asked_in_their_order_without_those_that_rest() -> None:
    targets = _targets(1, 1, 1, 1)
    policy = Policy("chat", targets)
    for size in range(5):
        for resting in itertools.combinations(targets, size):
            found = candidates(policy, _draw(0), set(resting))
            assert found == [target for target in targets if target not in resting]


def test_weighted_targets_share_the_requests_by_weight() -> None:
    policy = Policy("chat", _targets(1, 2, 5), weighted=True)
    firsts = Counter(candidates(policy, _draw(n), set())[0].provider for n in range(8000))
    assert abs(firsts["a"] - 1000) < 100
    assert abs(firsts["b"] - 2000) < 130
    assert abs(firsts["c"] - 5000) < 150


def test_a_target_that_rests_moves_only_its_own_share() -> None:
    targets = _targets(1, 2, 5, 1)
    policy = Policy("chat", targets, weighted=True)
    for number in range(500):
        everyone = candidates(policy, _draw(number), set())
        for resting in targets:
            others = candidates(policy, _draw(number), {resting})
            assert others == [target for target in everyone if target != resting]


def test_data_that_stays_here_goes_nowhere_else_whatever_rests() -> None:
    targets = _targets(1, 1, 1, 1, here="bd")
    for weighted, size in itertools.product((False, True), range(5)):
        policy = Policy("chat", targets, weighted=weighted, data_stays_here=True)
        for resting in itertools.combinations(targets, size):
            found = candidates(policy, _draw(size), set(resting))
            assert {t.provider for t in found} == {"b", "d"} - {t.provider for t in resting}


def test_a_conversation_keeps_its_beginning_while_it_grows_and_others_have_another() -> None:
    system, question = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}
    answer, more = {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Why?"}
    first = beginning({"messages": [system, question]})
    assert beginning({"messages": [system, question, answer, more]}) == first
    assert beginning({"messages": [system, more]}) != first
    assert beginning({"prompt": "Hi"}) != beginning({"prompt": "Why?"})
