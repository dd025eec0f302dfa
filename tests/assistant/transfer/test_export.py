"""Conversations go out: to be read, and to be brought in again elsewhere."""

import asyncio
import io
import json
import time
import zipfile
from typing import Any

import pytest

from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages
from archipel.assistant.history.messages import Draft
from archipel.assistant.transfer.exporting import Exported, export
from archipel.assistant.transfer.exporting import history as whole
from archipel.database import Database
from archipel.errors import NotFound
from tests.assistant.transfer import exports
from tests.assistant.transfer.test_import import ANA, imported, kept, shown, sums

BEN = "ben"


def talked(history: Database) -> int:
    """A conversation with two answers and an edited question, in a folder, pinned."""
    with history.writing() as connection:
        id_ = conversations.begin(connection, ANA, 1000.25, 'Deux "mots" : été')
        question = messages.add(connection, id_, None, Draft(role="user", text="Hi\n# x"), 1000.25)
        for name in ("reef", "island"):
            facts = {"completion_tokens": 3, "provider": "here"}
            draft = Draft(role="assistant", text=f"I am {name}", model=name, facts=facts)
            answer = messages.add(connection, id_, question.id, draft, 1001.5)
        messages.add(connection, id_, None, Draft(role="user", text="Bye"), 1002.0)
        folder = folders.make(connection, ANA, "Work").id
        values = {"shown": answer.id, "folder": folder, "pinned": 1003.0}
        conversations.change(connection, ANA, id_, values)
    return id_


def exported(history: Database, owner: str, id_: int) -> Exported:
    with history.reading() as connection:
        return export(connection, owner, id_)


def zip_of(history: Database, owner: str = ANA) -> zipfile.ZipFile:
    async def run() -> bytes:
        return b"".join([piece async for piece in whole(Desk(history, time.time), owner)])

    return zipfile.ZipFile(io.BytesIO(asyncio.run(run())))


def told(tree: list[Any]) -> list[tuple[object, ...]]:
    places = {one.id: place for place, one in enumerate(tree)} | {None: None}
    return [
        (one.role, one.text, one.status, one.created, one.model, places[one.parent]) for one in tree
    ]


def test_markdown_has_the_shown_branch_and_what_is_known_of_it(history: Database) -> None:
    found = exported(history, ANA, talked(history))
    assert found.name == "1970-01-01-Deux-mots-été"
    assert found.markdown == (
        '---\ntitle: "Deux \\"mots\\" : été"\ndate: 1970-01-01T00:16:40+00:00\n'
        'changed: 1970-01-01T00:16:42+00:00\nmodels: ["island"]\nwhere: ["here"]\n---\n\n'
        '# Deux "mots" : été\n\n## User, 1970-01-01T00:16:40+00:00\n\nHi\n# x\n\n'
        "## Assistant (island), 1970-01-01T00:16:41+00:00\n\nI am island\n"
    )


def test_json_brings_the_whole_tree_to_another_person_and_back(history: Database) -> None:
    data = exported(history, ANA, talked(history)).json.encode()
    assert sums(imported(history, data, BEN)[-1]) == (1, 0, 0, 0)
    [(there, copy)], [(here, tree)] = kept(history, BEN), kept(history)
    assert told(copy) == told(tree)
    assert shown(there, copy) == shown(here, tree)
    assert (there.title, there.created, there.pinned) == (here.title, here.created, here.pinned)
    assert copy[1].facts["completion_tokens"] == 3
    with history.reading() as connection:
        assert [one.name for one in folders.listed(connection, BEN)] == ["Work"]

    with history.writing() as connection:
        draft = Draft(role="user", text="Said by Ben")
        messages.add(connection, there.id, there.shown, draft, 2000.0)
    data = exported(history, BEN, there.id).json.encode()
    assert sums(imported(history, data)[-1]) == (0, 1, 0, 0)
    [(here, tree)] = kept(history)
    assert shown(here, tree) == ["Hi\n# x", "I am island", "Said by Ben"]
    assert sums(imported(history, data)[-1]) == (0, 0, 1, 0)


def test_what_was_imported_goes_out_and_is_known_again(history: Database) -> None:
    imported(history, [exports.lake()])
    [(conversation, tree)] = kept(history)
    document = json.loads(exported(history, ANA, conversation.id).json)
    assert document["source"] == "chatgpt:c-lake"
    assert document["messages"][0]["key"] == "q1"
    assert sums(imported(history, document)[-1]) == (0, 0, 1, 0)
    assert sums(imported(history, document, BEN)[-1]) == (1, 0, 0, 0)
    assert sums(imported(history, [exports.lake()], BEN)[-1]) == (0, 0, 1, 0)
    assert told(kept(history, BEN)[0][1]) == told(tree)


def test_all_of_a_history_in_a_zip_and_back(history: Database) -> None:
    talked(history)
    imported(history, [exports.lake(), exports.workshop()])
    with zip_of(history) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert [one["messages"] for one in manifest["conversations"]] == [4, 5, 7]
        files = {one["file"] for one in manifest["conversations"]}
        names = [name for name in archive.namelist() if name.startswith("markdown/")]
        assert files < set(archive.namelist())
        assert len(names) == 3
        data = archive.fp.getvalue()  # type: ignore[union-attr]
    assert sums(imported(history, data)[-1]) == (0, 0, 3, 0)
    end = imported(history, data, BEN)[-1]
    assert (sums(end), end["messages"], end["left"]) == ((3, 0, 0, 0), 16, {})
    assert sorted(map(told, (t for _, t in kept(history, BEN)))) == sorted(
        map(told, (t for _, t in kept(history)))
    )


def test_a_newer_version_is_refused_and_said(history: Database) -> None:
    document = json.loads(exported(history, ANA, talked(history)).json) | {"version": 2}
    event = imported(history, document, BEN)[0]
    assert event["reason"]["code"] == "newer_version"
    assert event["title"] == 'Deux "mots" : été'


def test_nobody_else_exports_it(history: Database) -> None:
    id_ = talked(history)
    with pytest.raises(NotFound):
        exported(history, BEN, id_)
    with zip_of(history, BEN) as archive:
        assert archive.namelist() == ["manifest.json"]
