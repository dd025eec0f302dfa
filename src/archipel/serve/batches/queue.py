"""The queue of batches in the database: made, taken by a process, answered line by line, ended.

Every function works in the transaction that it is given. A batch belongs to the process whose
heartbeat is in `workers`: when that is lost (`books.settle_lost`), another may take the batch.

**No line is billed twice.** A line is entered in the books before it is asked, as any request. Its
answer is stored in the transaction that settles it (`keep`), and only if the line has no answer
yet, the process still has the batch, and the entry is still open. So, whenever a process is killed:
before that transaction the line is neither answered nor billed, its entry is given back without a
row of usage, and it is asked again; after it the line is both. A supplier may thus be asked twice
for a line; its key pays once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from archipel.errors import ArchipelError
from archipel.serve.accounts import books
from archipel.serve.accounts.books import Reservation, Took
from archipel.serve.accounts.tables import batch_answers, batches, workers
from archipel.serve.batches.files import LIVE
from archipel.serve.batches.lines import Checked, Problem

WINDOW_SECONDS = 24 * 3600.0
_ROWS = 100
_TIMES = (
    *("expires", "in_progress", "finalizing", "completed", "failed", "expired"),
    *("cancelling", "cancelled"),
)


class TakenOver(ArchipelError):
    """The batch is another process's by now, or was cancelled, or has ended."""


class HasAnswer(ArchipelError):
    """A line has an answer already."""


class GivenBack(ArchipelError):
    """A line's entry in the books was given back before its answer came."""


@dataclass(frozen=True)
class NewBatch:
    """What a client asks for."""

    id: str
    project: int
    key: int
    endpoint: str  # with /v1
    input_file: str
    metadata: Mapping[str, str] | None
    output_seconds: float | None  # that its files are kept; None: as the settings say
    total_lines: int = 0  # as far as they are counted


@dataclass(frozen=True)
class Batch:
    """A batch that a process works on. Times are seconds since the epoch."""

    id: str
    project: int
    key: int
    endpoint: str
    input_file: str
    output_seconds: float | None
    status: str
    expires: float
    total_lines: int
    errors: Sequence[Mapping[str, Any]] | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Batch":
        """What a row of the table says."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Answer:
    """What came of a line: how it stands in the output or error file, and what is to be billed."""

    number: int
    is_right: bool
    line: bytes
    bill: tuple[Reservation, Took] | None  # None: it did not come to be asked


def add(connection: Connection, new: NewBatch, now: float) -> None:
    """Make a batch."""
    counts = ("right_lines", "wrong_lines", "prompt_tokens", "completion_tokens")
    times = {"created": now, "expires": now + WINDOW_SECONDS}
    fields = {**asdict(new), **dict.fromkeys(counts, 0), **times, "status": "validating"}
    connection.execute(batches.insert().values(fields))


def find(connection: Connection, project: int, id: str) -> Row[Any] | None:
    """A project's batch."""
    its = select(batches).where(batches.c.id == id, batches.c.project == project)
    return connection.execute(its).one_or_none()


def unfinished(connection: Connection, project: int) -> int:
    """How many batches of a project have not ended."""
    its = select(func.count()).where(batches.c.project == project, batches.c.status.in_(LIVE))
    return int(connection.execute(its).scalar_one())


def cancel(connection: Connection, id: str, now: float) -> None:
    """Have a batch end, if it is not ending already."""
    may_end = batches.c.status.in_(("validating", "in_progress"))
    change = batches.update().where(batches.c.id == id, may_end)
    connection.execute(change.values(status="cancelling", cancelling=now))


def remove(connection: Connection, id: str) -> None:
    """Forget a batch that has ended."""
    connection.execute(batches.delete().where(batches.c.id == id))


def take(connection: Connection, worker: str, room: int, now: float) -> None:
    """Take at most so many of the batches that nobody works on, the oldest first."""
    books.beat(connection, worker, now)
    its = (batches.c.status.in_(LIVE), _is_free())
    wanted = select(batches.c.id, batches.c.worker).where(*its)
    for id, before in connection.execute(wanted.order_by(batches.c.created).limit(room)).all():
        same = batches.c.worker.is_(None) if before is None else batches.c.worker == before
        connection.execute(batches.update().where(batches.c.id == id, same).values(worker=worker))


def some_wait(connection: Connection) -> bool:
    """Whether there are batches that nobody works on."""
    wanted = select(batches.c.id).where(batches.c.status.in_(LIVE), _is_free())
    return connection.execute(wanted.limit(1)).first() is not None


def taken(connection: Connection, worker: str) -> list[Batch]:
    """The batches that a process works on."""
    its = select(batches).where(batches.c.worker == worker, batches.c.status.in_(LIVE))
    return [Batch.of(row) for row in connection.execute(its.order_by(batches.c.created))]


def leave(connection: Connection, worker: str) -> None:
    """Let others take what a process works on."""
    connection.execute(batches.update().where(batches.c.worker == worker).values(worker=None))


def checked(connection: Connection, batch: Batch, worker: str, found: Checked, now: float) -> None:
    """Its input file was read.

    Raises:
        TakenOver: it is no longer the process's to say.
    """
    status = "failed" if found.problems else "in_progress"
    values: dict[str, Any] = {"status": status, status: now, "total_lines": found.count}
    if found.problems:
        values |= {"errors": [asdict(problem) for problem in found.problems], "total_lines": 0}
    _change(connection, batch, worker, ("validating",), values)


def answered(connection: Connection, batch: str) -> set[int]:
    """The numbers of the lines that have an answer."""
    its = select(batch_answers.c.number).where(batch_answers.c.batch == batch)
    return set(connection.execute(its).scalars())


def keep(connection: Connection, batch: Batch, worker: str, answer: Answer) -> None:
    """Store a line's answer and settle it.

    Raises:
        TakenOver: the batch is no longer the process's; nothing may be written.
        HasAnswer: the line has an answer; nothing may be written.
        GivenBack: the line is to be asked again; nothing may be written.
    """
    took = answer.bill[1] if answer.bill else Took("failed", 0.0)
    count = batches.c.right_lines if answer.is_right else batches.c.wrong_lines
    values = {
        count.name: count + 1,
        "prompt_tokens": batches.c.prompt_tokens + took.prompt_tokens,
        "completion_tokens": batches.c.completion_tokens + took.completion_tokens,
    }
    _change(connection, batch, worker, ("in_progress", "cancelling"), values)  # locks its row
    its = (batch_answers.c.batch == batch.id, batch_answers.c.number == answer.number)
    if connection.execute(select(batch_answers.c.number).where(*its)).first():
        raise HasAnswer(f"line {answer.number} of {batch.id}")
    which = {"batch": batch.id, "number": answer.number}
    what = {"is_right": answer.is_right, "line": answer.line}
    connection.execute(batch_answers.insert().values(**which, **what))
    if answer.bill and not books.settle(connection, [answer.bill]):
        raise GivenBack(f"line {answer.number} of {batch.id}")


def answers(
    connection: Connection, batch: str, *, right: bool, after: int
) -> list[tuple[int, bytes]]:
    """Some of the answers, by their number: those behind one, or none if that was the last."""
    its = (batch_answers.c.batch == batch, batch_answers.c.is_right == right)
    wanted = select(batch_answers.c.number, batch_answers.c.line).where(
        *its, batch_answers.c.number > after
    )
    found = connection.execute(wanted.order_by(batch_answers.c.number).limit(_ROWS))
    return [(number, line) for number, line in found]


def finalize(
    connection: Connection, batch: Batch, worker: str, problem: Problem | None, now: float
) -> None:
    """No more lines are asked: all are answered, its time is over, or its input can't be read.

    Raises:
        TakenOver: it is no longer the process's to say.
    """
    values: dict[str, Any] = {"status": "finalizing", "finalizing": now}
    if problem:
        values |= {"errors": [asdict(problem)]}
    _change(connection, batch, worker, ("validating", "in_progress"), values)


def finish(
    connection: Connection, batch: Batch, worker: str, end: Mapping[str, Any], now: float
) -> None:
    """It is at its end: `status`, `output_file` and `error_file`. Its answers are in the files.

    Raises:
        TakenOver: it is no longer the process's to say.
    """
    values = {**end, end["status"]: now, "worker": None}
    _change(connection, batch, worker, ("finalizing", "cancelling"), values)
    connection.execute(batch_answers.delete().where(batch_answers.c.batch == batch.id))


def shown(row: Row[Any]) -> dict[str, Any]:
    """A row of the table in OpenAI's shape."""
    times = {
        f"{name}_at": None if getattr(row, name) is None else int(getattr(row, name))
        for name in _TIMES
    }
    used = {"input_tokens": row.prompt_tokens, "output_tokens": row.completion_tokens}
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "input_file_id": row.input_file,
        "completion_window": "24h",
        "status": row.status,
        "errors": row.errors and {"object": "list", "data": row.errors},
        "output_file_id": row.output_file,
        "error_file_id": row.error_file,
        "created_at": int(row.created),
        **times,
        "request_counts": {
            "total": row.total_lines,
            "completed": row.right_lines,
            "failed": row.wrong_lines,
        },
        "usage": {
            **used,
            "total_tokens": sum(used.values()),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "metadata": row.metadata,
    }


def _is_free() -> ColumnElement[bool]:
    alive = select(workers.c.id)
    return or_(batches.c.worker.is_(None), batches.c.worker.not_in(alive))


def _change(
    connection: Connection,
    batch: Batch,
    worker: str,
    statuses: Sequence[str],
    values: Mapping[str, Any],
) -> None:
    its = (batches.c.id == batch.id, batches.c.worker == worker, batches.c.status.in_(statuses))
    if connection.execute(batches.update().where(*its).values(values)).rowcount != 1:
        raise TakenOver(f"{batch.id} is another process's, or was cancelled")
