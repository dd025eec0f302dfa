"""The messages of a conversation: a tree, in which each names the one before it.

Editing a question adds another child to the question's parent, asking again adds another child to
the question: what was there stays. The branch that is shown ends at the conversation's `shown`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, select, update

from archipel.assistant.history import conversations, pictures
from archipel.assistant.history.tables import add_row
from archipel.assistant.history.tables import conversations as conversations_table
from archipel.assistant.history.tables import messages as table
from archipel.errors import NotFound

Role = Literal["system", "user", "assistant"]
Status = Literal["done", "growing", "stopped", "failed"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """A row. `facts` of an answer: `completion_tokens`, `seconds`, `place`, `error`, …"""

    id: int
    parent: int | None
    role: Role
    text: str
    status: Status
    created: float
    model: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message that is not yet a row."""

    role: Role
    text: str
    status: Status = "done"
    model: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def all_of(connection: Connection, owner: str, conversation: int) -> list[Message]:
    """The whole tree, in the order in which it came about.

    Raises:
        NotFound: the conversation is not there, or another's.
    """
    conversations.find(connection, owner, conversation)
    query = select(table).where(table.c.conversation == conversation).order_by(table.c.id)
    return [_read(row) for row in connection.execute(query)]


def find(connection: Connection, owner: str, message: int) -> tuple[int, Message]:
    """A message and its conversation's id.

    Raises:
        NotFound: it is not there, or another's.
    """
    row = connection.execute(select(table).where(table.c.id == message)).one_or_none()
    if row is None:
        raise NotFound(f"there is no message {message} of yours. It may be deleted.")
    conversations.find(connection, owner, row.conversation)
    return row.conversation, _read(row)


def add(
    connection: Connection, conversation: int, parent: int | None, draft: Draft, now: float
) -> Message:
    """Append a message to its parent and show the branch that it ends.

    The caller has found the conversation to be the owner's.

    Raises:
        NotFound: the parent is not of this conversation.
    """
    if parent is not None:
        its = and_(table.c.id == parent, table.c.conversation == conversation)
        if connection.execute(select(table.c.id).where(its)).one_or_none() is None:
            raise NotFound(f"there is no message {parent} in this conversation. Load it again.")
    values = {
        "conversation": conversation,
        "parent": parent,
        "role": draft.role,
        "text": draft.text.replace("\0", "�"),  # PostgreSQL takes no NUL
        "status": draft.status,
        "created": now,
        "model": draft.model,
        "facts": dict(draft.facts) or None,
    }
    id_ = add_row(connection, table, values)
    show(connection, conversation, id_, now)
    row = connection.execute(select(table).where(table.c.id == id_)).one()
    return _read(row)


def check(connection: Connection, owner: str, conversation: int, message: int) -> None:
    """Raises NotFound where the message is not in the owner's conversation."""
    if find(connection, owner, message)[0] != conversation:
        raise NotFound(f"there is no message {message} in this conversation. Load it again.")


def fork(connection: Connection, owner: str, conversation: int, end: int, now: float) -> int:
    """A new conversation with copies of the messages up to `end`; gives its id.

    Raises:
        NotFound: the conversation or the message is not there, or another's.
    """
    check(connection, owner, conversation, end)
    title = conversations.find(connection, owner, conversation).title
    new, parent = conversations.begin(connection, owner, now, title), None
    for one in branch(all_of(connection, owner, conversation), end):
        status = "stopped" if one.status == "growing" else one.status
        draft = Draft(role=one.role, text=one.text, status=status, model=one.model, facts=one.facts)
        copy = add(connection, new, parent, draft, now)
        if "pictures" in one.facts:
            note(connection, copy, {"pictures": pictures.copy(connection, one.id, copy.id)})
        parent = copy.id
    return new


def note(connection: Connection, message: Message, facts: Mapping[str, Any]) -> Message:
    """Add to a message's facts; gives it with them."""
    noted = {**message.facts, **facts}
    connection.execute(update(table).where(table.c.id == message.id).values(facts=noted))
    return replace(message, facts=noted)


def show(connection: Connection, conversation: int, message: int, now: float | None = None) -> None:
    """Show the branch that ends at a message; with a time, as a change of the conversation."""
    changed = {} if now is None else {"changed": now}
    its = conversations_table.c.id == conversation
    connection.execute(update(conversations_table).where(its).values(shown=message, **changed))


def grow(connection: Connection, message: int, text: str) -> None:
    """Keep what has arrived of a growing answer."""
    growing = and_(table.c.id == message, table.c.status == "growing")
    connection.execute(update(table).where(growing).values(text=text))


def finish(
    connection: Connection, message: int, text: str, status: Status, facts: Mapping[str, Any]
) -> None:
    """An answer is as long as it gets."""
    growing = and_(table.c.id == message, table.c.status == "growing")
    values = {"text": text, "status": status, "facts": dict(facts) or None}
    connection.execute(update(table).where(growing).values(values))


def cut_off(connection: Connection) -> int:
    """Answers that grew when the assistant ended are failed; gives how many."""
    growing = select(table.c.id, table.c.facts).where(table.c.status == "growing")
    rows = connection.execute(growing).all()
    for row in rows:
        facts = {**(row.facts or {}), "error": {"code": "cut_off"}}
        its = table.c.id == row.id
        connection.execute(update(table).where(its).values(status="failed", facts=facts))
    return len(rows)


def branch(tree: Sequence[Message], end: int | None) -> list[Message]:
    """The messages from the first to `end`. Pure."""
    by_id = {message.id: message for message in tree}
    found: list[Message] = []
    while end is not None:
        found.append(by_id[end])
        end = by_id[end].parent
    return found[::-1]


def _read(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        parent=row.parent,
        role=row.role,
        text=row.text,
        status=row.status,
        created=row.created,
        model=row.model,
        facts=row.facts or {},
    )
