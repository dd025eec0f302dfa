"""An action goes to the model that is made for it: decided, asked in its words, shown, changed."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from archipel.assistant.actions.prompts import is_asked_plainly, plain_turns
from archipel.assistant.actions.table import chosen
from archipel.tune.lessons import Record
from archipel.tune.pairs import PairReader, Task
from tests.assistant.actions.conftest import Doing, Ruled
from tests.assistant.conftest import Assistant, Chromium, ask
from tests.assistant.stage import Stage, _open_stage, stage

__all__ = ["_open_stage", "stage"]

ABOUT = {
    "talker": {"tasks": ["chat"]},
    "all": {"tasks": ["chat", "translate", "code"], "languages": None},
    "fr-en": {"tasks": ["translate"], "languages": ["fr", "en"]},
    "coder": {"tasks": ["code"]},
    "mender": {"tasks": ["repair", "optimise", "code"]},
    "silent": {},
}
BEST = """async ([action, about, current]) => {
  const { bestAt } = await import("/actions/routing.js");
  return bestAt(action, Object.keys(about), about, current);
}"""


def best(stage: Stage, name: str, about: dict[str, Any], current: str, **fields: str) -> Any:
    return stage.run(BEST, [{"name": name, "fields": fields}, about, current])


def test_who_is_best_at_an_action(stage: Stage) -> None:
    french = {"target": "fr", "source": "detected"}
    assert best(stage, "translate", ABOUT, "talker", **french) == "fr-en"
    assert best(stage, "translate", ABOUT, "talker", target="de", source="en") == "all"
    assert best(stage, "translate", ABOUT, "all", target="fr", source="de") == "all"
    assert best(stage, "code", ABOUT, "talker", language="python") == "coder"
    assert best(stage, "repair", ABOUT, "talker", language="fr") == "mender"
    without = {name: one for name, one in ABOUT.items() if name != "mender"}
    assert best(stage, "optimise", without, "talker", language="fr") == "coder"
    assert best(stage, "summarise", ABOUT, "talker", language="same") is None
    assert best(stage, "translate", {"a": {}, "b": {"tasks": None}}, "a", **french) is None
    twins = {"one": {"tasks": ["rewrite"]}, "other": {"tasks": ["rewrite"]}}
    assert best(stage, "rewrite", twins, "other") == "other"


def test_what_would_stay_here_does_not_leave_for_a_better_model(stage: Stage) -> None:
    here = {"tasks": ["chat"], "place": "machine"}
    for place, current, expected in [
        ("supplier", here, None),
        ("house", here, None),
        ("machine", here, "better"),
        ("supplier", {"place": "supplier"}, "better"),
        (None, here, None),
        ("machine", {}, "better"),
    ]:
        about = {"chosen": current, "better": {"tasks": ["correct"], "place": place}}
        assert best(stage, "correct", about, "chosen") == expected


def taught(task: Task) -> set[str]:
    """What `archipel finetune` says of the task, in French and English."""
    fields = ("en", "fr") if task == "translate" else ("source", "target")
    read = PairReader(task=task, fields=fields, asked_in=("en", "fr"))
    records = [Record("here", {name: f"{name} {n}" for name in fields}) for n in range(80)]
    firsts = [lesson.conversations[0][0] for record in records for lesson in read(record)]
    return {one["content"].partition("\n\n")[0] for one in firsts}


@pytest.mark.parametrize(
    ("task", "fields", "wanted"),
    [
        ("translate", {"target": "fr"}, "fr"),
        ("translate", {"target": "en"}, "en"),
        ("summarise", {}, "fr"),
        ("summarise", {}, None),
        ("repair", {}, "fr"),
        ("repair", {}, "en"),
    ],
)
def test_a_model_made_for_one_thing_is_asked_in_the_words_that_it_was_taught(
    task: Task, fields: dict[str, str], wanted: str | None
) -> None:
    action = chosen(task, fields, 0)
    told, text = plain_turns(action, "The text.", wanted)
    assert (told.role, text.role, text.content) == ("system", "user", "The text.")
    assert told.content in taught(task)
    assert is_asked_plainly(action, [task])
    assert not is_asked_plainly(action, [task, "chat"])
    assert not is_asked_plainly(action, ["code"])
    assert not is_asked_plainly(action, None)
    assert not is_asked_plainly(chosen("rewrite", {}, 0), ["rewrite"])


def test_a_translator_gets_sentences_and_a_talker_the_whole_instruction(
    doing: Doing, ruled: Ruled
) -> None:
    ruled.told["island"] = {"tasks": ["translate"], "languages": ["fr", "en"]}
    assert doing.http.get("/api/models").json()["about"]["island"]["languages"] == ["fr", "en"]
    text = "The sea is calm today. Calm it is.\n\nSo be it. " * 4
    answer = doing.do("translate", text, target="fr")
    asked = [one["messages"] for one in ruled.asked]
    assert len(asked) == answer["facts"]["action"]["parts"] == 12
    assert {one[0]["content"] for one in asked} == {"Traduis en français."}
    assert [one[1]["content"] for one in asked[:3]] == [
        "The sea is calm today.",
        "Calm it is.",
        "So be it.",
    ]
    assert answer["text"].split() == text.split()
    ruled.asked.clear()
    doing.do("rewrite", text)
    assert "Rewrite the text below" in ruled.prompts[0]


def routed_page(chrome: Chromium, assistant: Assistant, locale: str = "en-US") -> Page:
    page = chrome.open(assistant.url, locale=locale)
    expect(page.locator("#chosen-action")).to_be_attached()
    return page


def test_the_page_sends_an_action_to_who_is_made_for_it_and_says_why(
    chrome: Chromium, over_ruled: Assistant, ruled: Ruled
) -> None:
    ruled.told["reef"] = {"tasks": ["translate"], "languages": ["fr", "en"]}
    page = routed_page(chrome, over_ruled)
    page.get_by_label("Ask anything").fill("/translate Good morning")
    page.keyboard.type(" ")
    row = page.get_by_role("group", name="Translate")
    row.get_by_label("to").select_option("français")
    expect(row.get_by_label("by")).to_have_value("reef")
    expect(row).to_contain_text("made for translation")
    row.get_by_label("to").select_option("Deutsch")
    expect(row.get_by_label("by")).to_have_value("island")
    expect(row).not_to_contain_text("made for translation")
    row.get_by_label("to").select_option("français")
    page.get_by_label("Ask anything").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".action-why")).to_have_text("reef: made for translation")
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert [one["model"] for one in ruled.asked] == ["reef"]
    expect(page.get_by_label("Model", exact=True)).to_have_value("island")
    ask(page, "And in the evening?")  # the conversation goes on with who can talk
    expect(page.locator(".answer .body")).to_have_count(2)
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert ruled.asked[-1]["model"] == "island"
    page.reload()
    expect(page.locator(".action-why")).to_have_text("reef: made for translation")
    expect(page.locator("#model")).to_have_value("island")


def test_the_person_chooses_another_or_compares(
    chrome: Chromium, over_ruled: Assistant, ruled: Ruled
) -> None:
    ruled.told["reef"] = {"tasks": ["correct", "chat"]}
    page = routed_page(chrome, over_ruled, "fr-FR")
    page.locator("#question").fill("/correct Un texte.")
    page.keyboard.type(" ")
    row = page.get_by_role("group", name="Corriger")
    expect(row.get_by_label("par")).to_have_value("reef")
    expect(row).to_contain_text("fait pour les corrections")
    row.get_by_label("par").select_option("island")
    expect(row.get_by_label("par")).to_be_focused()
    expect(row).not_to_contain_text("fait pour")
    page.locator("#question").press("Enter")
    expect(page.locator(".message.answer")).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("Réponse terminée.")
    assert [one["model"] for one in ruled.asked] == ["island"]
    expect(page.locator(".action-why")).to_have_count(0)

    page.locator(".message.question").get_by_role("button", name="Traduire").click()
    page.get_by_role("menuitem", name="Corriger").click()  # at a press, without the row
    expect(page.locator(".action-why")).to_have_text("reef : fait pour les corrections")
    done = page.locator(".message.answer").filter(has_text="Rien n’a été modifié.")
    expect(done).to_have_count(2)
    assert [one["model"] for one in ruled.asked] == ["island", "reef"]

    page.locator("#model").select_option("island")
    page.locator("#second").select_option("reef")
    page.locator("#question").fill("/correct Un autre texte.")
    page.keyboard.type(" ")
    expect(row).to_be_visible()
    expect(row.get_by_label("par")).to_have_count(0)
    page.locator("#question").press("Enter")
    unchanged = page.locator(".compare .column").filter(has_text="Rien n’a été modifié.")
    expect(unchanged).to_have_count(2)
    assert sorted(one["model"] for one in ruled.asked[2:]) == ["island", "reef"]


def test_nothing_changes_where_the_service_tells_nothing(
    chrome: Chromium, over_ruled: Assistant, ruled: Ruled
) -> None:
    page = routed_page(chrome, over_ruled)
    page.get_by_label("Ask anything").fill("/translate Good morning")
    page.keyboard.type(" ")
    row = page.get_by_role("group", name="Translate")
    expect(row.get_by_label("to")).to_be_visible()
    expect(row.get_by_label("by")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert "Translate the text below" in ruled.prompts[0] or "Traduis" in ruled.prompts[0]
    assert ruled.asked[0]["model"] == "island"
    expect(page.locator(".action-why")).to_have_count(0)
