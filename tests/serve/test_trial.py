"""What another engine must do to be taken instead of llama.cpp, decided on numbers alone."""

from math import nan

import pytest

from archipel.serve.text_model import Token
from archipel.serve.trial import Place, Speed, answer_fault, speed_fault, tokens_fault

_LIKELY = (
    Place(7, {7: -0.1, 8: -3.0}),
    Place(4, {4: -0.9, 5: -1.0, 6: -4.0}),
    Place(2, {}),
    Place(9, {9: -0.01}),
)


def _told(*pairs: tuple[int, float]) -> list[Token]:
    return [Token(*pair) for pair in pairs]


def test_the_same_tokens_are_no_fault() -> None:
    assert tokens_fault("text", [1, 2, 3], [1, 2, 3]) is None


@pytest.mark.parametrize(
    ("ours", "place"), [([1, 5, 3], 1), ([1, 2], 2), ([1, 2, 3, 4], 3), ([], 0)]
)
def test_other_tokens_are_shown_from_the_first(ours: list[int], place: int) -> None:
    fault = tokens_fault("text", ours, [1, 2, 3])
    assert fault is not None
    assert "'text'" in fault
    assert f"from token {place} on" in fault


@pytest.mark.parametrize(
    "ours",
    [
        _told((7, -0.12), (4, -0.8), (2, -5.0), (9, -0.02)),
        _told((7, -0.12), (4, -0.8), (3, -5.0), (8, -9.0)),  # what it does not tell is not known
        _told((7, -0.1), (5, -1.1), (1, -0.5)),  # 4 and 5 are as good as equal: then it differs
        _told((7, -0.1)),  # it ends earlier
    ],
)
def test_the_same_answer_to_within_rounding_is_no_fault(ours: list[Token]) -> None:
    assert answer_fault("text", ours, _LIKELY) is None


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (_told((8, -3.0)), "token 1 of its answer to 'text' is 8, where llama.cpp holds 7"),
        (_told((7, -0.1), (6, -1.0)), "token 2 of its answer"),
        (_told((3, -0.1)), "token 1"),  # not among the likeliest at all
        (_told((7, -0.1), (4, -0.9), (2, -0.1), (9, -2.0)), "token 4"),
        (_told((7, -0.9)), "-0.90 nats, which llama.cpp has at -0.10"),
        (_told((7, nan)), "log-probability nan"),
        ([], "no answer"),
    ],
)
def test_another_answer_is_a_fault(ours: list[Token], said: str) -> None:
    assert said in (answer_fault("text", ours, _LIKELY) or "")


def test_what_counts_is_the_time_of_a_whole_exchange() -> None:
    llama = Speed(reads=300, writes=80)
    assert speed_fault(Speed(reads=2000, writes=60), llama) is None
    assert speed_fault(llama, llama) is None
    slower = speed_fault(Speed(reads=2000, writes=40), llama)
    assert slower is not None
    assert "reads 2,000 tokens a second and writes 40, llama.cpp 300 and 80" in slower
