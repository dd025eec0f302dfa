"""A tree from elsewhere becomes a conversation, in one transaction.

A conversation that is there already, by its source, gets the messages that it lacks; what is there
stays, also what was said in it here. So the same file twice adds nothing, and a newer one adds what
is new.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, insert, select, update

from archipel.assistant.history import folders, pictures
from archipel.assistant.history.tables import conversations, messages
from archipel.assistant.transfer.forms import own
from archipel.assistant.transfer.tree import Planted, Tree
from archipel.errors import ConfigError

What = Literal["imported", "updated", "there"]


@dataclass(frozen=True)
class Outcome:
    """What became of a tree: the conversation's id, and how many messages were written."""

    what: What
    conversation: int
    messages: int


def plant(connection: Connection, owner: str, tree: Tree) -> Outcome:
    """Write what the owner does not have of it.

    Raises:
        DatabaseError: it can't be written; by `Database.writing`, which undoes the rest.
    """
    there = _there(connection, owner, tree)
    if there is None:
        id_ = _begun(connection, owner, tree)
        known = _add(connection, owner, id_, tree.messages, {})
        _show(connection, id_, known, tree)
        return Outcome("imported", id_, len(known))
    id_, changed = there
    before = {name: row for row, name in own.keys(_rows(connection, id_)).items()}
    known = _add(connection, owner, id_, tree.messages, before)
    added = len(known) - len(before)
    if added and changed <= tree.changed:  # nothing was said here since
        _show(connection, id_, known, tree)
    return Outcome("updated" if added else "there", id_, added)


def _there(connection: Connection, owner: str, tree: Tree) -> tuple[int, float] | None:
    """The owner's conversation of this source: its id, and when it changed."""
    table = conversations
    columns = select(table.c.id, table.c.changed).where(table.c.owner == owner)
    found = connection.execute(columns.where(table.c.source == tree.source)).one_or_none()
    if found is not None or not tree.source.startswith("archipel:"):
        return None if found is None else (found.id, found.changed)
    born_here = and_(table.c.created == tree.created, table.c.source.is_(None))
    for row in connection.execute(columns.where(born_here)).all():
        its = messages.c.conversation == row.id
        first = select(messages.c.text).where(its).order_by(messages.c.id).limit(1)
        words = connection.execute(first).scalar() or ""
        if own.origin(tree.created, words) == tree.source:
            return row.id, row.changed
    return None


def _begun(connection: Connection, owner: str, tree: Tree) -> int:
    values = {
        "owner": owner,
        "title": tree.title,
        "folder": _folder(connection, owner, tree.folder),
        "pinned": tree.pinned,
        "created": tree.created,
        "changed": tree.changed,
        "source": tree.source,
    }
    added = insert(conversations).values(values).returning(conversations.c.id)
    return int(connection.execute(added).scalar_one())


def _folder(connection: Connection, owner: str, name: str | None) -> int | None:
    """The owner's folder of this name, made where there is none; none where none can be made."""
    if name is None:
        return None
    for folder in folders.listed(connection, owner):
        if folder.name == name:
            return folder.id
    try:
        return folders.make(connection, owner, name).id
    except ConfigError:
        return None


def _rows(connection: Connection, conversation: int) -> Iterable[Any]:
    table = messages
    columns = (table.c.id, table.c.role, table.c.created, table.c.model, table.c.facts)
    query = select(*columns).where(table.c.conversation == conversation).order_by(table.c.id)
    return connection.execute(query).all()


def _add(
    connection: Connection,
    owner: str,
    conversation: int,
    planted: Iterable[Planted],
    known: Mapping[str, int],
) -> dict[str, int]:
    """Write those that are not known; the ids of all by their keys."""
    ids = dict(known)
    for one in planted:
        if one.key in ids:
            continue
        values = {
            "conversation": conversation,
            "parent": None if one.parent is None else ids[one.parent],
            "role": one.draft.role,
            "text": one.draft.text,
            "status": one.draft.status,
            "created": one.created,
            "model": one.draft.model,
            "facts": dict(one.draft.facts),
        }
        added = insert(messages).values(values).returning(messages.c.id)
        ids[one.key] = connection.execute(added).scalar_one()
        if one.pictures:
            _illustrate(connection, owner, ids[one.key], one)
    return ids


def _illustrate(connection: Connection, owner: str, message: int, planted: Planted) -> None:
    """Write a message's pictures, and them into its facts."""
    shown = []
    for one in planted.pictures:
        made = pictures.Made(message=message, prompt=one.prompt, seed=one.seed)
        shown.append(pictures.add(connection, owner, one.file, planted.created, made))
    facts = {**planted.draft.facts, "pictures": shown}
    connection.execute(update(messages).where(messages.c.id == message).values(facts=facts))


def _show(connection: Connection, conversation: int, ids: Mapping[str, int], tree: Tree) -> None:
    values = {"shown": ids.get(tree.shown or ""), "changed": tree.changed}
    its = conversations.c.id == conversation
    connection.execute(update(conversations).where(its).values(values))
