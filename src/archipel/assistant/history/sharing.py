"""A link that shows one conversation to whoever has it, until it is taken back.

The database holds the link's digest only; a new link ends the one before it.
"""

import hashlib

from sqlalchemy import Connection, select

from archipel.assistant.history.conversations import Conversation, change, find
from archipel.assistant.history.messages import Message, all_of, branch
from archipel.assistant.history.pictures import find as find_picture
from archipel.assistant.history.pictures import listed
from archipel.assistant.history.tables import conversations as table
from archipel.assistant.picture_files import PictureFile
from archipel.errors import NotFound

TOKEN_BYTES = 24


def share(connection: Connection, owner: str, conversation: int, token: str) -> Conversation:
    """Open it to who has the token, a random one.

    Raises:
        NotFound: it is not there, or another's.
    """
    return change(connection, owner, conversation, {"share_digest": _digest(token)})


def unshare(connection: Connection, owner: str, conversation: int) -> Conversation:
    """Close it again.

    Raises:
        NotFound: it is not there, or another's.
    """
    return change(connection, owner, conversation, {"share_digest": None})


def shared(connection: Connection, token: str) -> tuple[str, list[Message]]:
    """The title and the branch that its owner sees, of the conversation that a link opens.

    Raises:
        NotFound: the link opens nothing, or nothing any more.
    """
    found, owner = _found(connection, token)
    return found.title, branch(all_of(connection, owner, found.id), found.shown)


def shared_picture(connection: Connection, token: str, picture: int) -> PictureFile:
    """A picture of the branch that its owner sees, of the conversation that a link opens.

    Raises:
        NotFound: the link opens nothing, or no such picture.
    """
    found, owner = _found(connection, token)
    message = {one.id: one.message for one in listed(connection, found.id)}.get(picture)
    if message not in [one.id for one in branch(all_of(connection, owner, found.id), found.shown)]:
        raise NotFound(f"this link opens no picture {picture}. Load the page again.")
    return find_picture(connection, owner, picture)


def _found(connection: Connection, token: str) -> tuple[Conversation, str]:
    query = select(table.c.id, table.c.owner).where(table.c.share_digest == _digest(token))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("this link opens no conversation. It may have been taken back.")
    return find(connection, row.owner, row.id), row.owner


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
