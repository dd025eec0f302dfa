"""Lists of a project's files or batches, page by page, as OpenAI's clients turn them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, Connection, Row, Table, select, tuple_
from starlette.datastructures import QueryParams

from archipel.serve.api_error import ApiError
from archipel.serve.body import wrong


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")
    after: str | None = Field(default=None, max_length=64)
    limit: int | None = Field(default=None, ge=1)
    order: Literal["asc", "desc"] = "desc"


@dataclass(frozen=True)
class Page:
    """At most `limit` entries behind the one with the id `after`, by their time."""

    limit: int
    after: str | None = None
    is_newest_first: bool = True

    @classmethod
    def of(cls, query: QueryParams, *, usual: int, most: int) -> "Page":
        """The page that a URL asks for; of more than `most` entries it is `most`.

        Raises:
            ApiError: a parameter is wrong.
        """
        try:
            asked = _Query.model_validate(dict(query))
        except ValidationError as error:
            raise wrong(error) from None
        return cls(min(asked.limit or usual, most), asked.after, asked.order == "desc")


def rows(
    connection: Connection, table: Table, page: Page, *where: ColumnElement[bool]
) -> tuple[Sequence[Row[Any]], bool]:
    """The page's rows of those that `where` allows, and whether there are more.

    Raises:
        ApiError: none of those has the id that the page is to be behind.
    """
    place = tuple_(table.c.created, table.c.id)
    wanted = select(table).where(*where)
    if page.after is not None:
        last = connection.execute(wanted.where(table.c.id == page.after)).one_or_none()
        if last is None:
            raise ApiError(400, f"after: there is no {page.after!r}.", "invalid_value", "after")
        behind = (last.created, last.id)
        wanted = wanted.where(place < behind if page.is_newest_first else place > behind)
    columns = (table.c.created, table.c.id)
    order = [column.desc() if page.is_newest_first else column.asc() for column in columns]
    found = connection.execute(wanted.order_by(*order).limit(page.limit + 1)).all()
    return found[: page.limit], len(found) > page.limit


def listed(entries: Sequence[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """A page in OpenAI's shape."""
    return {
        "object": "list",
        "data": list(entries),
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
        "has_more": has_more,
    }
