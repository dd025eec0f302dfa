"""What one prefers: instructions, tone, the model to begin with, whether facts are remembered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from archipel.assistant.history.tables import preferences as table

INSTRUCTIONS_CHARACTERS = 4000
Tone = Literal["warm", "plain", "formal", "detailed", "none"]


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """A row, or what holds where there is none."""

    instructions: str = ""
    tone: Tone = "warm"
    model: str | None = None
    memory: bool = False


def find(connection: Connection, owner: str) -> Preferences:
    """The owner's."""
    query = select(table).where(table.c.owner == owner)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return Preferences()
    return Preferences(**{name: value for name, value in row.items() if name != "owner"})


def change(connection: Connection, owner: str, values: Mapping[str, Any]) -> Preferences:
    """Change some; gives all."""
    found = replace(find(connection, owner), **values)
    its = asdict(found) | {"instructions": found.instructions.replace("\0", "�")}
    if not connection.execute(update(table).where(table.c.owner == owner).values(its)).rowcount:
        connection.execute(insert(table).values(owner=owner, **its))
    return find(connection, owner)
