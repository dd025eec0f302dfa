"""Pictures of messages: given with a question, or made as an answer. Each is its owner's alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, literal, select, update

from archipel.assistant.history.tables import messages as messages_table
from archipel.assistant.history.tables import pictures as table
from archipel.assistant.picture_files import PictureFile
from archipel.errors import NotFound

_UNSENT = 12  # that an owner may have; older ones go
_UNSENT_SECONDS = 86_400.0
_NAME_WORDS, _NAME_CHARACTERS = 8, 60  # of a file
_COPIED = ("owner", "media_type", "width", "height", "data", "prompt", "seed", "created")


@dataclass(frozen=True, kw_only=True)
class Made:
    """Which message a picture belongs to, of what words it was made and from which seed; None: its
    person gave it."""

    message: int
    prompt: str | None
    seed: int | None


@dataclass(frozen=True, kw_only=True)
class Kept(Made):
    """A picture of a message, without its file, which has so many `bytes`."""

    id: int
    media_type: str
    bytes: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.id}.{self.media_type.removeprefix('image/')}"


def add(
    connection: Connection, owner: str, file: PictureFile, now: float, made: Made | None = None
) -> dict[str, int]:
    """Keep a message's picture, or one to be sent with the owner's next question; gives it as
    messages' facts show it: `id`, `width`, `height`, and `seed` if it was made from one."""
    values = {
        "owner": owner,
        "message": made and made.message,
        "media_type": file.media_type,
        "width": file.width,
        "height": file.height,
        "data": file.data,
        "prompt": made and made.prompt,
        "seed": made and made.seed,
        "created": now,
    }
    if made is None:
        _drop_unsent(connection, owner)
    id_ = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    return _told(id_, file.width, file.height, made.seed if made else None)


def find(connection: Connection, owner: str, picture: int) -> PictureFile:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    mine = and_(table.c.id == picture, table.c.owner == owner)
    row = connection.execute(select(table).where(mine)).one_or_none()
    if row is None:
        raise NotFound(f"there is no picture {picture} of yours. It may be deleted.")
    return PictureFile(row.media_type, row.width, row.height, bytes(row.data))


def file_name(connection: Connection, picture: int) -> str:
    """What a picture's file is saved as: words that it was made of and its seed, or its id."""
    columns = (table.c.prompt, table.c.seed, table.c.media_type)
    row = connection.execute(select(*columns).where(table.c.id == picture)).one()
    words = "-".join(re.findall(r"\w+", (row.prompt or "").lower())[:_NAME_WORDS])
    begin = words[:_NAME_CHARACTERS].rstrip("-_") or f"archipel-{picture}"
    seed = "" if row.seed is None else f"-{row.seed}"
    return f"{begin}{seed}.{row.media_type.removeprefix('image/')}"


def send(
    connection: Connection, owner: str, pictures: Sequence[int], message: int
) -> list[dict[str, int]]:
    """Make pictures a question's; gives them as its facts show them.

    A picture of a question already, asked again in other words, is copied.

    Raises:
        NotFound: one is not there, or another's.
    """
    sent = []
    for picture in pictures:
        find(connection, owner, picture)
        unsent = and_(table.c.id == picture, table.c.message.is_(None))
        taken = connection.execute(update(table).where(unsent).values(message=message)).rowcount
        sent += (
            _shown(connection, table.c.id == picture)
            if taken
            else _copied(connection, table.c.id == picture, message)
        )
    return sent


def copy(connection: Connection, message: int, to: int) -> list[dict[str, int]]:
    """Copies of a message's pictures for another message; gives them as its facts show them."""
    return _copied(connection, table.c.message == message, to)


def of_messages(connection: Connection, messages: Iterable[int]) -> Mapping[int, list[PictureFile]]:
    """The pictures of each message that has some."""
    query = select(table).where(table.c.message.in_(list(messages))).order_by(table.c.id)
    found: dict[int, list[PictureFile]] = {}
    for row in connection.execute(query):
        file = PictureFile(row.media_type, row.width, row.height, bytes(row.data))
        found.setdefault(row.message, []).append(file)
    return found


def listed(connection: Connection, conversation: int) -> list[Kept]:
    """The pictures of a conversation, in the order in which they came."""
    known = (table.c.id, table.c.message, table.c.media_type, table.c.prompt, table.c.seed)
    size = func.length(table.c.data).label("bytes")
    its = select(messages_table.c.id).where(messages_table.c.conversation == conversation)
    query = select(*known, size).where(table.c.message.in_(its)).order_by(table.c.id)
    return [Kept(**row._asdict()) for row in connection.execute(query)]


def erase_unsent(connection: Connection, owner: str, picture: int) -> None:
    """Delete one that was not sent.

    Raises:
        NotFound: it is not there, another's, or a message's.
    """
    unsent = and_(table.c.id == picture, table.c.owner == owner, table.c.message.is_(None))
    if not connection.execute(delete(table).where(unsent)).rowcount:
        raise NotFound(f"there is no picture {picture} of yours that is not sent.")


def forget_unsent(connection: Connection, now: float) -> None:
    """Delete what nobody sent for a day."""
    old = and_(table.c.message.is_(None), table.c.created < now - _UNSENT_SECONDS)
    connection.execute(delete(table).where(old))


def _drop_unsent(connection: Connection, owner: str) -> None:
    unsent = and_(table.c.owner == owner, table.c.message.is_(None))
    newest = select(table.c.id).where(unsent).order_by(table.c.id.desc()).limit(_UNSENT - 1)
    kept = [row.id for row in connection.execute(newest)]
    connection.execute(delete(table).where(unsent, table.c.id.not_in(kept)))


def _copied(connection: Connection, which: Any, message: int) -> list[dict[str, int]]:
    before = [row.id for row in connection.execute(select(table.c.id).where(which))]
    columns = [table.c[name] for name in _COPIED]
    for id_ in sorted(before):
        source = select(literal(message), *columns).where(table.c.id == id_)
        connection.execute(insert(table).from_select(["message", *_COPIED], source))
    return _shown(connection, table.c.message == message)[-len(before) :] if before else []


def _shown(connection: Connection, which: Any) -> list[dict[str, int]]:
    known = (table.c.id, table.c.width, table.c.height, table.c.seed)
    query = select(*known).where(which).order_by(table.c.id)
    return [_told(*row) for row in connection.execute(query)]


def _told(id_: int, width: int, height: int, seed: int | None) -> dict[str, int]:
    told = {"id": id_, "width": width, "height": height}
    return told if seed is None else {**told, "seed": seed}
