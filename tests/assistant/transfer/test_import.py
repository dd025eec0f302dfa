"""Exports of other programs come in: whole, once, with their branches and dates, and with a report
of what did not."""

import asyncio
import io
import json
import time
from typing import Any

import pytest

from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, messages
from archipel.assistant.history.conversations import Conversation
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.transfer.importing import bring
from archipel.database import Database
from tests.assistant.transfer import exports
from tests.assistant.transfer.exports import BEGAN, chatgpt, chatgpt_message, zipped

ANA = "ana"


def imported(history: Database, data: bytes | object, owner: str = ANA) -> list[dict[str, Any]]:
    """What the import says, to its end."""
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()

    async def run() -> list[dict[str, Any]]:
        desk = Desk(history, time.time)
        return [event async for event in bring(desk, owner, io.BytesIO(data), "export")]

    events = asyncio.run(run())
    assert [event["kind"] for event in events].count("end") == 1
    assert events[-1]["kind"] == "end"
    return events


def sums(event: dict[str, Any]) -> tuple[int, int, int, int]:
    return event["imported"], event["updated"], event["there"], event["left_out"]


def kept(history: Database, owner: str = ANA) -> list[tuple[Conversation, list[Message]]]:
    """All conversations with their trees."""
    with history.reading() as connection:
        found = conversations.listed(connection, owner, 1000)
        return [(one, messages.all_of(connection, owner, one.id)) for one in found]


def shown(conversation: Conversation, tree: list[Message]) -> list[str]:
    return [one.text for one in messages.branch(tree, conversation.shown)]


def test_branches_dates_and_models_of_chatgpt(history: Database) -> None:
    end = imported(history, zipped({"conversations.json": [exports.lake()], "user.json": {}}))[-1]
    assert sums(end) == (1, 0, 0, 0)
    assert (end["messages"], end["others"], end["left"]) == (5, 1, {"system": 1})
    [(conversation, tree)] = kept(history)
    assert conversation.title == "Le lac"
    assert (conversation.created, conversation.changed) == (BEGAN, BEGAN + 60)
    assert shown(conversation, tree) == ["Où est le lac ?", "Au sud."]
    ids = {one.text: one for one in tree}
    assert ids["Au nord."].parent == ids["Au sud."].parent == ids["Où est le lac ?"].id
    assert ids["Et la mer ?"].parent is None
    assert ids["À l'ouest."].parent == ids["Et la mer ?"].id
    assert [one.created - BEGAN for one in tree] == [1, 2, 3, 4, 5]
    assert (ids["Au nord."].model, ids["Au sud."].model) == ("gpt-4", "gpt-4o")


def test_every_kind_of_content_is_kept_or_counted(history: Database) -> None:
    events = imported(history, [exports.workshop()])
    assert events[0]["left"] == {
        "hidden": 1, "system": 1, "image": 1, "attachment": 1, "thoughts": 1, "tool_call": 1,
        "tool": 1, "reasoning_recap": 1, "audio": 1,
    }  # fmt: skip
    [(conversation, tree)] = kept(history)
    assert shown(conversation, tree) == [
        "[image]\n\nWhat is this?\n\n[plan.pdf]",
        "```python\nprint(6 * 7)\n```",
        "```\n42\n```",
        "> Twice a day.\n>\n> Tides <https://example.org/tides>",
        "It is 42.",
        "Bonjour",
        "Bon",
    ]
    assert [one.status for one in tree][-2:] == ["done", "stopped"]
    assert "secret" not in "".join(one.text for one in tree)


def test_the_form_in_several_files(history: Database) -> None:
    def numbered(place: int) -> dict[str, Any]:
        return chatgpt(f"c{place}", f"Talk {place}", chatgpt_message(f"m{place}", "user", "Hi"))

    files = {
        f"conversations-{file:03}.json": [numbered(10 * file + place) for place in range(3)]
        for file in range(4)
    }
    others = {"chat.html": b"<html>", "shared_conversations.json": [], "file-1.png": b"\x89PNG"}
    events = imported(history, zipped({**files, **others}))
    assert [sums(one) for one in events if one["kind"] == "file"] == [(3, 0, 0, 0)] * 4
    assert (sums(events[-1]), events[-1]["others"]) == ((12, 0, 0, 0), 3)
    assert [one["done"] for one in events if one["kind"] == "conversation"][-1] == 1
    assert len(kept(history)) == 12


def test_the_same_file_twice_adds_nothing_and_a_newer_one_what_is_new(history: Database) -> None:
    data = [exports.lake()]
    imported(history, data)
    before = kept(history)
    assert sums(imported(history, data)[-1]) == (0, 0, 1, 0)
    assert kept(history) == before

    newer = exports.lake()
    newer["mapping"]["q3"] = {
        "message": chatgpt_message("q3", "user", "Merci", create_time=BEGAN + 90), "parent": "a2",
    }  # fmt: skip
    newer |= {"update_time": BEGAN + 90, "current_node": "q3", "title": "Another"}
    end = imported(history, [newer])[-1]
    assert (sums(end), end["messages"]) == ((0, 1, 0, 0), 1)
    [(conversation, tree)] = kept(history)
    assert shown(conversation, tree) == ["Où est le lac ?", "Au sud.", "Merci"]
    assert (conversation.title, conversation.changed) == ("Le lac", BEGAN + 90)


def test_what_was_said_here_stays_when_a_newer_file_comes(history: Database) -> None:
    imported(history, [exports.lake()])
    [(conversation, _)] = kept(history)
    with history.writing() as connection:
        draft = Draft(role="user", text="Said here")
        messages.add(connection, conversation.id, conversation.shown, draft, BEGAN + 1000)
    newer = exports.lake()
    newer["mapping"]["q3"] = {"message": chatgpt_message("q3", "user", "Merci"), "parent": "a2"}
    newer |= {"update_time": BEGAN + 90, "current_node": "q3"}
    assert sums(imported(history, [newer])[-1]) == (0, 1, 0, 0)
    [(conversation, tree)] = kept(history)
    assert shown(conversation, tree)[-1] == "Said here"
    assert "Merci" in [one.text for one in tree]


def test_two_people_import_the_same_file(history: Database) -> None:
    for owner in (ANA, "ben"):
        assert sums(imported(history, [exports.lake()], owner)[-1]) == (1, 0, 0, 0)
        assert len(kept(history, owner)) == 1


def test_exports_of_claude_and_open_webui(history: Database) -> None:
    events = imported(history, [exports.claude(), exports.open_webui()])
    assert events[0]["left"] == {"thinking": 1, "tool_use": 1, "attachment": 1}
    (claude, tea), (_, game) = sorted(kept(history), key=lambda pair: pair[0].title == "Game")
    assert [one.text for one in tea] == [
        "Green or black?\n\n[teas.txt]\n\n```\noolong\n```\n\n[leaf.png]",
        "Green.",
    ]
    assert (claude.created, tea[0].created) == (1749988800, 1749988860)
    assert [(one.text, one.model) for one in game] == [
        ("Ping?", None),
        ("Pong.", "small"),
        ("Pang.", "large"),
    ]
    assert game[1].parent == game[2].parent == game[0].id
    assert sums(imported(history, [exports.claude(), exports.open_webui()])[-1]) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("time_", "expected"),
    [
        (None, BEGAN), (1_600_000_000, 1_600_000_000), (1_600_000_000_000, 1_600_000_000),
        ("2020-09-13T12:26:40Z", 1_600_000_000), ("2020-09-13T12:26:40", 1_600_000_000),
        ("yesterday", BEGAN), (True, BEGAN), (-5, BEGAN), (1e300, BEGAN), ([], BEGAN),
    ],
)  # fmt: skip
def test_a_time_in_any_form_or_none(history: Database, time_: object, expected: float) -> None:
    imported(history, [chatgpt("c", "T", chatgpt_message("m", "user", "Hi", create_time=time_))])
    [(_, tree)] = kept(history)
    assert tree[0].created == expected


def test_a_tree_with_loops_and_holes_is_made_whole(history: Database) -> None:
    broken = chatgpt(
        "c",
        None,
        chatgpt_message("one", "user", "one"),
        chatgpt_message("two", "user", "two", parent="nowhere"),
        chatgpt_message("three", "user", "three", parent="four"),
        chatgpt_message("four", "user", "four", parent="three"),
        chatgpt_message("self", "user", "self", parent="self"),
        current_node="gone",
    )
    broken["mapping"] |= {"bad": 7, "empty": {"message": None, "parent": "one"}, "": {}}
    broken["mapping"]["odd"] = {"message": "text", "parent": {"a": 1}}
    del broken["create_time"]
    event = imported(history, [broken])[0]
    assert event["left"] == {"system": 1, "broken": 3, "loop": 2}
    [(conversation, tree)] = kept(history)
    ids = {one.text: one for one in tree}
    assert set(ids) == {"one", "two", "three", "four", "self"}
    assert ids["four"].parent == ids["three"].id
    assert [ids[name].parent for name in ("one", "two", "three", "self")] == [None] * 4
    assert conversation.shown == tree[-1].id
    assert conversation.created == BEGAN


def test_strange_strings_are_kept_as_text(history: Database) -> None:
    strange = 'a\0b \ud800 <script>alert(1)</script> \\" \u2028 🏝'
    raw = json.dumps([chatgpt("c\0", strange, chatgpt_message("m\ud800", "user", strange))])
    assert sums(imported(history, raw.encode())[-1]) == (1, 0, 0, 0)
    [(conversation, tree)] = kept(history)
    assert tree[0].text == 'a�b � <script>alert(1)</script> \\" \u2028 🏝'
    assert conversation.title == 'a�b � <script>alert(1)</script> \\" 🏝'
    assert sums(imported(history, raw.encode())[-1]) == (0, 0, 1, 0)


def test_a_message_of_10_megabytes(history: Database) -> None:
    long = "é" * 5_000_000
    told = [chatgpt("c", "Long", chatgpt_message("m", "user", long))]
    imported(history, json.dumps(told, ensure_ascii=False).encode())
    [(_, tree)] = kept(history)
    assert tree[0].text == long


@pytest.mark.parametrize(
    "message",
    [
        None, 5, "x", [], {}, {"author": None, "content": None}, {"author": {"role": "user"}},
        {"author": {"role": ["user"]}, "content": {"content_type": {}, "parts": 3}},
        {"author": {"role": "user"}, "content": {"parts": [None, 7, [], {"text": 1}]}},
        {"author": {"role": "user"}, "content": "x", "metadata": {"attachments": [3, None]}},
        {"author": {"role": "assistant"}, "content": {"parts": []}, "metadata": "x"},
        {"author": {"role": "tool"}, "content": {"content_type": "tether_quote", "text": 4}},
        {"author": {"role": "critic"}, "content": {"parts": ["x"]}},
    ],
)  # fmt: skip
def test_a_message_of_another_shape_costs_only_itself(history: Database, message: object) -> None:
    told = chatgpt("c", "T", chatgpt_message("m", "user", "Hi"))
    told["mapping"]["odd"] = {"message": message, "parent": "m"}
    told["mapping"]["odder"] = message
    assert sums(imported(history, [told])[-1]) == (1, 0, 0, 0)
    [(_, tree)] = kept(history)
    assert tree[0].text == "Hi"


def test_a_broken_conversation_costs_only_itself(history: Database) -> None:
    good = [json.dumps(chatgpt(f"c{i}", "T", chatgpt_message("m", "user", "Hi"))) for i in range(3)]
    empty = json.dumps(chatgpt("none", "Nothing said"))
    deep = "[" * 5000 + "]" * 5000
    odd = ['{"title": "x" "y"}', '{"chat": 3}', '{"mapping": {}}', empty, deep, "{}"]
    events = imported(history, f"[{', '.join([*odd, *good])}]".encode())
    reasons = [one["reason"]["code"] for one in events if one.get("what") == "left_out"]
    assert reasons == [
        *("not_json", "unknown_form", "no_messages", "no_messages", "not_json", "unknown_form")
    ]
    assert events[3]["title"] == "Nothing said"
    assert sums(events[-1]) == (3, 0, 0, 6)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_json"), (b"hello", "not_json"), (b"\x89PNG\r\n", "not_json"),
        (b"[{}]]]", "not_json"), (b'[{"mapping": {"a"', "cut_off"),
        (b"PK\x03\x04broken", "broken_zip"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_named(history: Database, data: bytes, code: str) -> None:
    events = imported(history, data)
    reasons = [event["reason"]["code"] for event in events if event["reason"]]
    assert code in reasons
    assert kept(history) == []


def test_a_file_that_is_cut_off_keeps_what_was_whole(history: Database) -> None:
    whole = json.dumps([exports.lake(), exports.workshop()]).encode()
    events = imported(history, whole[:-500])
    assert events[1]["reason"]["code"] == "cut_off"
    assert sums(events[-1]) == (1, 0, 0, 0)
    packed = zipped({"conversations.json": [exports.lake()]}, method=0)
    place = packed.index(b"le lac")
    spoilt = packed[:place] + b"X" + packed[place + 1 :]
    assert imported(history, spoilt, "ben")[-2]["reason"]["code"] == "broken_zip"
