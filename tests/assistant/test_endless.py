"""What is a circle that a model does not leave, and what is only said more than once."""

import random
import time
from collections.abc import Iterable

import pytest

from archipel.assistant.endless import Endless

BEFORE = "The sea is wide, and it has many colours: grey in winter, green in the bay.\n\n"
STANZA = (
    "The lamp goes round above the bay,\nIt looks at every wave;\n"
    "It turns the night to half a day\nFor all it wants to save.\n\n"
)
CIRCLES = {
    "a phrase": "une nation d'Europe, ",
    "a line": "A place where the beauty of the sea is woven,\n",
    "a stanza": STANZA,
    "one word": "very ",
    "one letter": "a",
    "blank lines": "\n",
    "a row of a table": "| Paris | France | 2,100,000 |\n",
    "an item of a list": "- Drink water.\n- Sleep well.\n",
    "a block of code": "Here it is:\n\n```python\nprint('sea')\n```\n\n",
    "another alphabet": "海はひろいな、",
}
NUMBERED = "".join(f"{number}. The city of Paris\n" for number in range(1, 400))

MEANT = {
    "a song": "Na na na nananana, nannana, hey sea\n" * 18,
    "a chorus": "".join(
        f"Verse {one} of the song, in words of its own\n{STANZA}" for one in range(9)
    ),
    "a table": "| day | morning | evening |\n|---|---|---|\n"
    + "".join(f"| {day} | free | free |\n" for day in range(1, 200)),
    "an empty table": "| name | sign |\n|---|---|\n" + "|      |      |\n" * 200,
    "a rule": "-" * 2_000,
    "zeros": "[" + "0, " * 1_000 + "0]",
    "a list": "".join(f"{number}. Item number {number} of all\n" for number in range(1, 300)),
    "numbers": "".join(f"{number}\n" for number in range(1, 1_500)),
    "rows of HTML": "```html\n<table>\n" + "<tr><td></td><td></td></tr>\n" * 90 + "</table>\n```\n",
    "rows of data": "```python\nWALLS = [\n" + "    [None, None, None, None],\n" * 64 + "]\n```\n",
    "rows after a long program": "```python\n"
    + "".join(f"sea_{number} = {number}\n" for number in range(2_000))
    + "    [None, None, None, None],\n" * 64
    + "```\n",
    "statements": "".join(f"INSERT INTO sea VALUES ({one}, 'wave');\n" for one in range(300)),
}


def pieces(text: str, seed: int = 0) -> Iterable[str]:
    chance, at = random.Random(seed), 0
    while at < len(text):
        size = chance.randint(1, 9)
        yield text[at : at + size]
        at += size


def ended_at(text: str, asked: str = "Tell me about it", seed: int = 0) -> int | None:
    """How long the answer is where it is ended; None: it is not."""
    endless, length = Endless(asked), 0
    for piece in pieces(text, seed):
        length += len(piece)
        if endless.add(piece):
            return length
    return None


@pytest.mark.parametrize("name", CIRCLES)
def test_a_circle_is_left_soon(name: str) -> None:
    again = CIRCLES[name]
    most = len(BEFORE) + max(1_300, 5 * len(again))
    for seed in range(3):
        at = ended_at(BEFORE + again * (20_000 // len(again)), seed=seed)
        assert at is not None
        assert at <= most


def test_a_list_that_only_counts_is_a_circle() -> None:
    at = ended_at(BEFORE + NUMBERED)
    assert at is not None
    assert at < 2_000


@pytest.mark.parametrize("name", MEANT)
def test_what_is_meant_is_let_be(name: str) -> None:
    assert ended_at(BEFORE + MEANT[name] + "The end.") is None


def test_what_was_asked_for_may_come_often_and_not_for_ever() -> None:
    line = "I will not swim alone.\n"
    asked = "Write a hundred times: I will not swim alone."
    assert ended_at(line * 100, asked) is None
    assert ended_at(line * 100) is not None
    at = ended_at(line * 1_000, asked)
    assert at is not None
    assert at < 6_100


def test_code_and_data_do_not_go_on_for_ever_either() -> None:
    for again in ("0, ", "nothing = None\n"):
        at = ended_at("```python\n" + again * 5_000)
        assert at is not None
        assert at < 6_200


def test_as_much_may_come_again_as_is_asked_about() -> None:
    log = "connection refused\n" * 90
    answer = "connexion refusée\n" * 90
    assert ended_at(answer, asked=log) is None
    assert ended_at(answer) is not None


def test_an_answer_has_a_longest_length_where_one_is_given() -> None:
    endless = Endless("short", most=100)
    assert [endless.add("0123456789" * 5) for _ in range(3)] == [False, False, True]


def test_a_long_answer_costs_little() -> None:
    """A busy machine may take 10 s for what takes half of one."""
    words = random.Random(0).choices(["sea", "wave", "lamp", "bay", "boat", "rock"], k=60_000)
    began = time.monotonic()
    assert ended_at(" ".join(words)) is None
    assert time.monotonic() - began < 10
