"""One's folders of conversations."""

from sqlalchemy import Connection, delete

from archipel.assistant.history.named import Names
from archipel.assistant.history.tables import folders as table

_folders = Names(table, "folder", most=500)
listed, find, make, rename = _folders.listed, _folders.find, _folders.make, _folders.rename


def erase(connection: Connection, owner: str, folder: int) -> None:
    """Delete it; its conversations stay, in no folder.

    Raises:
        NotFound: it is not there, or another's.
    """
    find(connection, owner, folder)
    connection.execute(delete(table).where(table.c.id == folder))
