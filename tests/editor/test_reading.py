"""How much of a file a model is given, by what it has shown of its speed."""

import pytest

from archipel.editor.reading import Reading, Room, room_of

FIRST, LEAST, ALL = 2500, 1250, 10_000  # characters


def after(*times: tuple[int, float], came: bool = True) -> Reading:
    """What is known after new texts of so many characters took so many seconds each."""
    reading = Reading()
    for number, (characters, seconds) in enumerate(times):
        text = str(number).ljust(characters - 400, ".")
        reading.took(text, "-" * 400, seconds, came=came)
    return reading


@pytest.mark.parametrize(
    ("characters_per_second", "room"),
    [(2_000, LEAST), (9_000, FIRST), (26_000, 5000), (10**6, ALL)],
)
def test_a_model_gets_what_it_reads_in_a_quarter_of_a_second(
    characters_per_second: int, room: int
) -> None:
    assert after((2000, 2000 / characters_per_second)).characters == room
    assert Reading().characters == FIRST


def test_a_little_more_or_less_speed_moves_nothing() -> None:
    assert after((2000, 0.2), (2000, 0.25), (2000, 0.16)).characters == FIRST


def test_one_answer_that_is_late_is_no_slow_machine() -> None:
    fast = (2000, 0.01)
    assert after(fast, fast, (2000, 1.0), fast).characters == ALL


def test_what_was_read_before_says_nothing() -> None:
    reading = Reading()
    text = "x" * 1500
    reading.took(text, "-" * 500, 0.2, came=True)
    for typed in range(50):
        reading.took(text + "y" * typed, "-" * 500, 0.001, came=True)
    assert reading.characters == FIRST


def test_an_answer_that_nobody_waited_for_says_how_slow_it_is_at_least() -> None:
    assert after((2000, 4.0), came=False).characters == LEAST
    assert after((2000, 0.1), came=False).characters == FIRST


def test_a_text_that_one_comes_back_to_says_nothing() -> None:
    """An engine may still have it."""
    reading = after(*((2000, 0.2),) * 20)
    for number in range(20):
        reading.took(str(number).ljust(1600, "."), "-" * 400, 0.001, came=True)
    assert reading.characters == FIRST


def test_no_more_is_given_than_the_context_holds() -> None:
    assert room_of(None, None, 64) == Room(told=2000, before=6000, behind=2000)
    assert room_of(Reading(), 32_768, 64) == Room(told=500, before=1500, behind=500)
    small = room_of(None, 1024, 64)
    assert small.told + small.before * 5 / 4 + small.behind <= (1024 - 64) * 2.5
    assert room_of(Reading(), 32, 64).before > 0
