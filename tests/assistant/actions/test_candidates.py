"""Several pictures of the same words: as they come, with their seeds, and when some do not."""

from typing import Any

import pytest

from archipel.assistant.history import messages
from tests.assistant.actions.conftest import Doing, Ruled, png
from tests.assistant.conftest import Assistant

CANT = "unsupported_by_provider"  # what our service says of a model
BOMB = png(1, 1).replace(b"\0\0\0\1\0\0\0\1", b"\0\0\xea\x60\0\0\xea\x60")


def seeds(answer: dict[str, Any]) -> list[int | None]:
    return [one.get("seed") for one in answer["facts"]["pictures"]]


def test_four_come_of_one_request_with_seeds_that_count_up(doing: Doing, ruled: Ruled) -> None:
    ruled.pictures = {place: png(10 + place) for place in range(4)}
    answer = doing.do("picture", "a boat", seed="42")
    [asked] = ruled.asked
    assert (asked["n"], asked["seed"], asked["stream"]) == (4, 42, True)
    assert seeds(answer) == [42, 43, 44, 45]
    assert [one["width"] for one in answer["facts"]["pictures"]] == [10, 11, 12, 13]
    assert doing.do("picture", "a boat", count="2")["facts"]["pictures"][0]["seed"] != 42
    assert ruled.asked[1]["n"] == 2


def test_a_service_that_draws_one_at_a_time_is_asked_one_by_one(doing: Doing, ruled: Ruled) -> None:
    ruled.at_once = 1
    answer = doing.do("picture", "a boat", seed="7")
    assert [(one["n"], one["seed"]) for one in ruled.asked] == [(1, 7), (1, 8), (1, 9), (1, 10)]
    assert seeds(answer) == [7, 8, 9, 10]


def test_what_a_service_leaves_out_is_asked_for_again(doing: Doing, ruled: Ruled) -> None:
    ruled.sends = 1
    answer = doing.do("picture", "a boat", seed="7")
    assert [(one["n"], one["seed"]) for one in ruled.asked] == [(4, 7), (1, 8), (1, 9), (1, 10)]
    assert seeds(answer) == [7, 8, 9, 10]


def test_steps_are_told_before_each_picture(doing: Doing, ruled: Ruled) -> None:
    ruled.streams = True
    begun = doing.begin("a boat", action={"name": "picture", "fields": {"count": "2"}})
    events = doing.events(begun["answers"][0]["id"])
    assert [len(one["pictures"]) for name, one in events if name == "progress"][-1] == 2
    assert len(events[-1][1]["facts"]["pictures"]) == 2
    assert all(one["wanted"] == 2 for name, one in events if name == "progress")


def test_a_service_that_does_not_stream_is_asked_without(doing: Doing, ruled: Ruled) -> None:
    ruled.refused = frozenset({"stream"})
    assert len(doing.do("picture", "a boat")["facts"]["pictures"]) == 4
    assert "stream" not in ruled.asked[0]


def test_a_seed_that_a_model_does_not_know_is_said(doing: Doing, ruled: Ruled) -> None:
    ruled.refused = frozenset({"seed"})
    answer = doing.do("picture", "a boat", seed="42")
    assert seeds(answer) == [None] * 4
    assert answer["facts"]["action"]["notes"] == [{"code": "no_seed"}]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("bad", [b"<svg onload='alert(1)'/>", BOMB, "no memory left"])
def test_one_of_four_fails_and_the_others_stay(
    doing: Doing, ruled: Ruled, bad: bytes | str, streams: bool
) -> None:
    ruled.streams, ruled.at_once, ruled.pictures = streams, 4 if streams else 1, {2: bad}
    answer = doing.do("picture", "a boat", seed="42")
    assert answer["status"] == "done"
    assert seeds(answer) == [42, 43, 45]
    [failed] = answer["facts"]["failed"]
    assert failed["index"] == 2
    assert failed["code"] == ("busy" if isinstance(bad, str) else "no_picture")


def test_none_comes(doing: Doing, ruled: Ruled) -> None:
    ruled.at_once, ruled.pictures = 1, dict.fromkeys(range(9), "no memory left")
    answer = doing.do("picture", "a boat")
    assert answer["status"] == "failed"
    assert answer["facts"]["error"] == {"code": "busy", "message": "no memory left"}
    assert "pictures" not in answer["facts"]


def test_words_over_the_service_s_limit_are_refused_at_once(doing: Doing, ruled: Ruled) -> None:
    ruled.context = 5
    answer = doing.do("picture", "a white boat")
    assert answer["facts"]["error"]["code"] == "context_length_exceeded"
    assert ruled.asked == []


def test_what_is_wrong_with_the_words_is_asked_once(doing: Doing, ruled: Ruled) -> None:
    error = {"message": "prompt: Shorten it.", "code": "invalid_value", "param": "prompt"}
    ruled.refusals = {"a white boat": error}
    answer = doing.do("picture", "a white boat")
    assert answer["facts"]["error"] == {"code": "invalid_value", "message": "prompt: Shorten it."}
    assert ruled.drawn == ["refused"]


def test_a_model_with_a_size_of_its_own_is_said_to(doing: Doing, ruled: Ruled) -> None:
    ruled.refused = frozenset({"size"})
    answer = doing.do("picture", "a boat", size="wide", seed="3")
    assert seeds(answer) == [3, 4, 5, 6]
    assert ruled.asked[0].keys() == {"model", "prompt", "n", "stream", "response_format", "seed"}
    assert answer["facts"]["action"]["notes"] == [{"code": "no_size"}]
    assert doing.do("picture", "a boat")["facts"]["action"]["notes"] == []
    ruled.picture = png(3, 2)
    assert doing.do("picture", "a boat", size="wide")["facts"]["action"]["notes"] == []


@pytest.mark.parametrize("seed", ["-1", "x", "4294967296", "9" * 30, "４２"])
def test_a_seed_that_is_none(doing: Doing, seed: str) -> None:
    asked = {"conversation": None, "parent": None, "text": "a boat", "models": ["island"]}
    action = {"name": "picture", "fields": {"seed": seed}}
    response = doing.http.post("/api/questions", json={**asked, "action": action})
    assert response.status_code == 400
    assert "seed" in response.json()["error"]["message"]


def varied(doing: Doing, question: int, **beside: Any) -> dict[str, Any]:
    again = {"models": ["island"], **beside}
    response = doing.http.post(f"/api/messages/{question}/answers", json=again)
    assert response.status_code == 200, response.text
    return doing.whole(response.json()["answers"][0]["id"])


def test_one_is_varied_in_another_answer(doing: Doing, ruled: Ruled) -> None:
    ruled.pictures = {1: png(9, 9)}
    answer = doing.do("picture", "a boat", seed="42", size="wide")
    like = answer["facts"]["pictures"][1]["id"]
    other = varied(doing, answer["parent"], like=like)
    assert ruled.drawn == ["generations", "variations"]
    assert ruled.asked[1]["image"] == png(9, 9)
    assert (ruled.asked[1]["n"], ruled.asked[1]["size"]) == ("4", "1536x1024")
    assert "prompt" not in ruled.asked[1]
    assert other["facts"]["like"] == like
    assert not set(seeds(other)) & set(seeds(answer))
    assert other["id"] != answer["id"]


def test_without_variations_other_seeds_of_the_same_words_are_drawn(
    doing: Doing, ruled: Ruled
) -> None:
    ruled.ways = frozenset({"generations"})
    answer = doing.do("picture", "a boat", seed="42")
    other = varied(doing, answer["parent"], like=answer["facts"]["pictures"][0]["id"])
    assert ruled.drawn == ["generations", "generations"]
    assert ruled.asked[1]["prompt"] == "a boat"
    assert not set(seeds(other)) & set(seeds(answer))
    assert other["facts"]["action"]["notes"] == [{"code": "no_variations"}]
    ruled.ways = Ruled().ways
    ruled.refusals = {"variations": {"message": "it can't", "code": CANT, "param": "model"}}
    ruled.drawn.clear()
    varied(doing, answer["parent"], like=answer["facts"]["pictures"][0]["id"])
    assert ruled.drawn == ["refused", "generations"]


def test_who_may_not_vary(doing: Doing, over_ruled: Assistant) -> None:
    answer = doing.do("picture", "a boat", count="1")
    like = answer["facts"]["pictures"][0]["id"]
    plain = doing.begin("Good morning")["question"]["id"]
    again = {"models": ["island"], "like": like}
    assert doing.http.post(f"/api/messages/{plain}/answers", json=again).status_code == 400
    over_ruled.owner[0] = "someone"
    theirs = doing.begin("a boat", action={"name": "picture"})["question"]["id"]
    assert doing.http.post(f"/api/messages/{theirs}/answers", json=again).status_code == 404


def test_a_given_picture_is_where_it_starts(doing: Doing, ruled: Ruled) -> None:
    first = doing.do("picture", "a boat", count="1")["facts"]["pictures"][0]["id"]
    ruled.picture = png(5, 5)
    action = {"name": "picture", "fields": {"count": "2"}}
    begun = doing.begin("the same in the snow", pictures=[first], action=action)
    answer = doing.whole(begun["answers"][0]["id"])
    asked = ruled.asked[1]
    assert ruled.drawn[1] == "edits"
    assert (asked["prompt"], asked["image"], asked["n"]) == ("the same in the snow", png(), "2")
    assert len(answer["facts"]["pictures"]) == 2
    ruled.refusals = {"the sun": {"message": "it can't", "code": CANT, "param": "model"}}
    for words, ways in (("the sun", ruled.ways), ("the moon", frozenset({"generations"}))):
        ruled.ways = ways
        begun = doing.begin(words, pictures=[first], action=action)
        failed = doing.whole(begun["answers"][0]["id"])
        assert failed["facts"]["error"]["code"] == "no_edits"


def test_what_came_before_the_program_ended_stays(doing: Doing, over_ruled: Assistant) -> None:
    answer = doing.do("picture", "a boat", count="1")
    shown = {"pictures": answer["facts"]["pictures"]}
    with over_ruled.database.writing() as connection:
        draft = messages.Draft(role="assistant", text="", status="growing", facts=shown)
        conversation, _ = messages.find(connection, "local", answer["id"])
        cut = messages.add(connection, conversation, answer["parent"], draft, 1.0)
        assert messages.cut_off(connection) == 1
        _, found = messages.find(connection, "local", cut.id)
    assert found.status == "failed"
    assert found.facts == {**shown, "error": {"code": "cut_off"}}
