"""Actions over HTTP: what the model is asked, what becomes of its answer."""

import re

import pytest

from tests.assistant.actions.conftest import Doing, Ruled, text_in

PARAGRAPH = "The lighthouse is white. " * 60  # 1,500 bytes


def codes(answer: dict) -> set[str]:
    return {note["code"] for note in answer["facts"]["action"]["notes"]}


def test_the_table_is_for_the_page(doing: Doing) -> None:
    table = doing.http.get("/api/actions").json()
    names = [action["name"] for action in table["actions"]]
    assert names[:4] == ["translate", "summarise", "rewrite", "correct"]
    assert table["languages"]["fr"] == "français"
    assert {key: table["actions"][2]["fields"][0][key] for key in ("name", "choices")} == {
        "name": "tone",
        "choices": ["simpler", "warmer", "formal", "shorter"],
    }


def test_a_translation_is_put_together_from_its_parts_and_code_is_not_sent(
    doing: Doing, ruled: Ruled
) -> None:
    code = "```python\nprint('the lighthouse')\n```"
    text = f"# Title\n\n{PARAGRAPH}\n\n{code}\n\n{PARAGRAPH}\n\n{PARAGRAPH}"
    ruled.rule = lambda prompt: text_in(prompt).replace("white", "weiß")
    answer = doing.do("translate", text, target="de")
    assert answer["status"] == "done"
    assert answer["text"].split() == text.replace("white", "weiß").split()
    assert code in answer["text"]
    assert answer["facts"]["action"]["parts"] == 3
    assert answer["facts"]["completion_tokens"] == 15
    assert all("print" not in prompt for prompt in ruled.prompts)
    assert all("into German" in prompt for prompt in ruled.prompts)


def test_french_comes_with_its_typography_and_the_model_is_asked_in_french(
    doing: Doing, ruled: Ruled
) -> None:
    ruled.rule = lambda prompt: "Voici la traduction :\n\nBonjour ! Ça va? « Oui »."
    answer = doing.do("translate", "Hello! How are you? “Yes”.", target="fr")
    assert answer["text"] == "Bonjour\u202f! Ça va\u202f? «\u202fOui\u202f»."
    assert ruled.prompts[0].startswith("Traduis en français")
    assert [note for note in answer["facts"]["action"]["notes"]] == [
        {"code": "typography", "count": 4}
    ]


def test_parts_that_are_too_long_for_the_model_are_cut_again(doing: Doing, ruled: Ruled) -> None:
    ruled.context = 1400
    text = "\n\n".join([PARAGRAPH] * 2)
    answer = doing.do("correct", text)
    assert answer["status"] == "done"
    assert answer["text"].split() == text.split()
    assert answer["facts"]["action"]["parts"] > 2


def test_the_parts_fit_the_context_that_the_service_tells(doing: Doing, ruled: Ruled) -> None:
    ruled.told = {"island": {"context_length": 512}}
    doing.http.get("/api/models")
    answer = doing.do("correct", PARAGRAPH)
    assert answer["facts"]["action"]["parts"] == 3
    assert all(len(text_in(prompt)) <= 512 for prompt in ruled.prompts)


def test_a_context_that_takes_nothing_is_an_error(doing: Doing, ruled: Ruled) -> None:
    ruled.context = 10
    answer = doing.do("correct", PARAGRAPH)
    assert answer["status"] == "failed"
    assert answer["facts"]["error"]["code"] == "context_length_exceeded"
    assert answer["facts"]["action"]["name"] == "correct"


def test_a_long_text_is_summarised_by_its_parts(doing: Doing, ruled: Ruled) -> None:
    text = "\n\n".join(f"Chapter {n}. {PARAGRAPH}" for n in range(12))
    ruled.rule = lambda prompt: (
        "It is about a lighthouse."
        if "made of summaries" in prompt
        else "- " + " ".join(re.findall(r"Chapter \d+", text_in(prompt)))
    )
    begun = doing.begin(text, action={"name": "summarise", "fields": {"length": "sentence"}})
    events = doing.events(begun["answers"][0]["id"])
    answer = events[-1][1]
    assert answer["text"] == "It is about a lighthouse."
    *parts, last = ruled.prompts
    assert len(parts) == answer["facts"]["action"]["parts"] == 4
    assert "three to seven points" in parts[0]
    assert "in one sentence" in last
    assert all(f"Chapter {n}" in last for n in range(12))


def test_an_action_asked_again_is_done_again(doing: Doing, ruled: Ruled) -> None:
    begun = doing.begin("Hello there", action={"name": "rewrite", "fields": {"tone": "formal"}})
    doing.whole(begun["answers"][0]["id"])
    again = doing.http.post(
        f"/api/messages/{begun['question']['id']}/answers", json={"models": ["reef"]}
    ).json()
    doing.whole(again["answers"][0]["id"])
    assert ruled.prompts[0] == ruled.prompts[1]
    assert "more formal and polite" in ruled.prompts[1]
    assert begun["question"]["text"] == "Hello there"
    assert begun["question"]["facts"]["action"]["fields"] == {"tone": "formal"}


def test_the_conversation_goes_on_after_an_action(doing: Doing, ruled: Ruled) -> None:
    begun = doing.begin("Hello there", action={"name": "translate", "fields": {"target": "de"}})
    ruled.rule = lambda prompt: "Hallo"
    answer = doing.whole(begun["answers"][0]["id"])
    place = {"conversation": begun["conversation"]["id"], "parent": answer["id"]}
    doing.whole(doing.begin("And in Dutch?", **place)["answers"][0]["id"])
    _, first, second, third = [turn["content"] for turn in ruled.asked[-1]["messages"]]
    assert "into German" in first
    assert "Hello there" in first
    assert (second, third) == (answer["text"], "And in Dutch?")


def test_a_model_that_takes_no_temperature_is_asked_without(doing: Doing, ruled: Ruled) -> None:
    doing.do("correct", "All is well here.")
    ruled.refused = frozenset({"temperature"})
    assert doing.do("correct", "All is well here.")["text"] == "All is well here."
    assert [one.get("temperature") for one in ruled.asked] == [0.2, None]


def test_a_model_that_runs_on_is_stopped_and_that_is_said(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: "again and again " * 2000
    answer = doing.do("correct", "A short text that is right.")
    assert answer["status"] == "done"
    assert len(answer["text"]) < 1500
    assert "ran_on" in codes(answer)


@pytest.mark.parametrize("action", ["correct", "explain", "summarise"])
def test_a_model_that_goes_round_in_circles_is_stopped_too(
    doing: Doing, ruled: Ruled, action: str
) -> None:
    text = "A text about the lamp. " * 40  # so long that its answer may be much longer
    ruled.rule = lambda prompt: "round and round " * 2000
    answer = doing.do(action, text)
    assert "ran_on" in codes(answer)
    assert len(answer["text"]) < 2_500


def test_what_did_not_survive_is_noted(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: "Il y a 14 bateaux, dit le gardien de la tour, et pas plus."
    answer = doing.do("translate", "There are 12 boats: see https://a.example.", target="de")
    assert codes(answer) == {"numbers", "urls", "language"}
    ruled.rule = lambda prompt: ""
    assert codes(doing.do("translate", "Hi", target="de")) == {"empty"}


def test_other_actions_are_one_question(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: "```python\nx = 1\n```"
    assert doing.do("code", "set x", language="python")["text"].startswith("```python")
    assert "Write python code that does what is asked" in ruled.prompts[0]
    doing.do("explain", "x = 1", level="beginner", language="fr")
    assert ruled.prompts[1].startswith("Explique le texte ou le code ci-dessous à un débutant")


@pytest.mark.parametrize(
    "action",
    [
        {"name": "sing", "fields": {}},
        {"name": "translate", "fields": {"target": "xx"}},
        {"name": "translate", "fields": {"target": 1}},
        {"name": "translate", "fields": {}, "more": 1},
        {"name": "translate"} | {"fields": {str(n): "" for n in range(9)}},
    ],
)
def test_an_action_that_is_none_is_refused_and_nothing_is_kept(
    doing: Doing, action: dict[str, object]
) -> None:
    asked = {"conversation": None, "parent": None, "text": "x", "models": ["island"]}
    assert doing.http.post("/api/questions", json={**asked, "action": action}).status_code == 400
    assert doing.http.get("/api/conversations").json()["conversations"] == []
