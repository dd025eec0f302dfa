"""Conversations go out: to be read, and to be brought in again elsewhere."""

import asyncio
import io
import json
import re
import time
import zipfile
from base64 import b64decode, b64encode
from typing import Any

import pytest

from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages, pictures
from archipel.assistant.history.messages import Draft, Message
from archipel.assistant.history.pictures import Made
from archipel.assistant.picture_files import read_picture
from archipel.assistant.transfer.exporting import Exported, export
from archipel.assistant.transfer.exporting import history as whole
from archipel.database import Database
from archipel.errors import NotFound
from tests.assistant.actions.conftest import png
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


def illustrated(history: Database, *more: bytes) -> int:
    """A conversation with a picture that its person gave, then one that was made, then more."""
    with history.writing() as connection:
        id_ = conversations.begin(connection, ANA, 1000.0, "Pictures")
        draft = Draft(role="user", text="Draw it again")
        question = messages.add(connection, id_, None, draft, 1000.0)
        given = pictures.add(connection, ANA, read_picture(png(3, 4)), 1000.0)
        sent = pictures.send(connection, ANA, [given["id"]], question.id)
        messages.note(connection, question, {"pictures": sent})
        answer = messages.add(connection, id_, question.id, Draft(role="assistant", text=""), 1.0)
        made = Made(message=answer.id, prompt="a lighthouse", seed=7)
        files = [read_picture(data) for data in (png(5, 6), *more)]
        shown = [pictures.add(connection, ANA, file, 1000.0, made) for file in files]
        messages.note(connection, answer, {"pictures": shown, "seconds": 2})
    return id_


def files_of(history: Database, owner: str, message: Message) -> list[bytes]:
    with history.reading() as connection:
        shown = message.facts["pictures"]
        return [pictures.find(connection, owner, one["id"]).data for one in shown]


def test_pictures_go_with_their_conversation(history: Database) -> None:
    found = exported(history, ANA, illustrated(history))
    assert sums(imported(history, found.json.encode(), BEN)[-1]) == (1, 0, 0, 0)
    [(conversation, (question, answer))] = kept(history, BEN)
    assert files_of(history, BEN, question) == [png(3, 4)]
    assert files_of(history, BEN, answer) == [png(5, 6)]
    assert (answer.facts["pictures"][0]["height"], answer.facts["seconds"]) == (6, 2)
    with history.reading() as connection:
        made = pictures.listed(connection, conversation.id)
    assert [(one.prompt, one.seed) for one in made] == [(None, None), ("a lighthouse", 7)]
    data = exported(history, BEN, conversation.id).json.encode()
    assert sums(imported(history, data, BEN)[-1]) == (0, 0, 1, 0)
    assert sums(imported(history, data)[-1]) == (0, 0, 1, 0)
    with history.reading() as connection:
        assert len(pictures.listed(connection, conversation.id)) == 2


def test_pictures_stand_in_markdown_and_lie_beside_it_in_the_zip(history: Database) -> None:
    found = exported(history, ANA, illustrated(history))
    addresses = dict(
        re.findall(r"^\[(picture-\d)\]: data:image/png;base64,(.*)$", found.markdown, re.M)
    )
    assert [b64decode(one) for one in addresses.values()] == [png(3, 4), png(5, 6)]
    assert re.findall(r"^!\[Picture\]\[(.*)\]$", found.markdown, re.M) == list(addresses)
    with zip_of(history) as archive:
        [text] = [name for name in archive.namelist() if name.endswith(".md")]
        names = re.findall(r"\]: \.\./(pictures/\d+\.png)$", archive.read(text).decode(), re.M)
        assert [archive.read(name) for name in names] == [png(3, 4), png(5, 6)]
        data = archive.fp.getvalue()  # type: ignore[union-attr]
    assert sums(imported(history, data, BEN)[-1]) == (1, 0, 0, 0)
    assert files_of(history, BEN, kept(history, BEN)[0][1][1]) == [png(5, 6)]


def test_a_file_of_text_has_no_more_pictures_than_can_be_read_again(history: Database) -> None:
    large = png(9, 9) + bytes(13 << 20)
    found = exported(history, ANA, illustrated(history, large))
    assert len(found.json) < 1 << 20
    assert found.markdown.count("data:image/png") == 2
    assert "*(A picture, too large for this file.)*" in found.markdown
    end = imported(history, found.json.encode(), BEN)[-1]
    assert (sums(end), end["left"]) == ((1, 0, 0, 0), {"image": 1})
    with zip_of(history) as archive:
        assert large in [archive.read(name) for name in archive.namelist()]


def test_what_is_no_picture_is_counted_and_numbers_of_elsewhere_are_not_believed(
    history: Database,
) -> None:
    document = json.loads(exported(history, ANA, illustrated(history)).json)
    question, answer = document["messages"]
    svg = b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").decode()
    question["pictures"] = [{"data": svg, "media_type": "image/png"}, {"data": "!"}, 3, None]
    answer["pictures"] = [{**answer["pictures"][0], "seed": 1 << 70, "prompt": ["x"]}] * 9
    question["facts"] = {"pictures": [{"id": 1, "width": 3, "height": 4}]}
    end = imported(history, document, BEN)[-1]
    assert (sums(end), end["left"]) == ((1, 0, 0, 0), {"image": 5})
    [(conversation, (question, answer))] = kept(history, BEN)
    assert "pictures" not in question.facts
    assert files_of(history, BEN, answer) == [png(5, 6)] * 8
    with history.reading() as connection:
        assert {(one.prompt, one.seed) for one in pictures.listed(connection, conversation.id)} == {
            (None, None)
        }


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
