"""The end of a batch: its answers become files, and it says how it ended. It blocks."""

import logging
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from archipel.database import Database
from archipel.errors import IntegrityError
from archipel.serve.api_error import ApiError
from archipel.serve.batches import queue
from archipel.serve.batches.files import About, Files, Written
from archipel.serve.batches.lines import Line, read_line, split, unasked_line
from archipel.serve.batches.queue import Batch

_log = logging.getLogger(__name__)


def lines_of(files: Files, batch: Batch, but: Set[int]) -> Iterator[Line]:
    """The requests of a batch's input file, which was checked, without some of its lines.

    Raises:
        ApiError: the file is gone.
        IntegrityError: it was altered.
        StoreError: the store can't be read.
    """
    file = files.find_input(batch.project, batch.input_file)
    for number, raw in split(files.pieces(file)):
        if number not in but:
            line = read_line(number, raw, batch.endpoint)
            assert isinstance(line, Line)  # else it would not have passed
            yield line


@dataclass(frozen=True)
class Finishing:
    """Ends batches of one process."""

    database: Database
    files: Files
    worker: str
    clock: Callable[[], float]

    def finish(self, batch: Batch) -> None:
        """Write the files first; their rows and the batch's end are one transaction.

        Raises:
            TakenOver: the batch is another process's.
            StoreError, DatabaseError: it is to be tried again.
        """
        with self.database.reading() as connection:
            done = queue.answered(connection, batch.id)
        right = self.files.write(self._kept(batch, right=True))
        wrong = self.files.write(self._wrong(batch, done))
        try:
            self._end(batch, _end(batch, len(done)), right, wrong)
        except BaseException:
            self.files.drop(right)
            self.files.drop(wrong)
            raise

    def _end(self, batch: Batch, status: str, right: Written, wrong: Written) -> None:
        end: dict[str, str] = {"status": status}
        made = {"output": right, "error": wrong}
        with self.database.writing() as connection:
            for kind, written in made.items():
                if written.size_bytes:
                    name = f"{batch.id}_{kind}.jsonl"
                    about = About(batch.project, name, "batch_output", batch.output_seconds)
                    end[f"{kind}_file"] = self.files.enter(connection, about, written).id
            queue.finish(connection, batch, self.worker, end, self.clock())

    def _kept(self, batch: Batch, *, right: bool) -> Iterator[bytes]:
        number = 0
        while True:
            with self.database.reading() as connection:
                some = queue.answers(connection, batch.id, right=right, after=number)
            if not some:
                return
            yield from (line for _, line in some)
            number = some[-1][0]

    def _wrong(self, batch: Batch, done: Set[int]) -> Iterator[bytes]:
        yield from self._kept(batch, right=False)
        if len(done) == batch.total_lines:
            return
        try:
            for line in lines_of(self.files, batch, done):
                yield unasked_line(batch.id, line, is_cancelled=batch.status == "cancelling")
        except (ApiError, IntegrityError) as error:
            _log.error("%s: the lines that were not asked are not named: %s", batch.id, error)


def _end(batch: Batch, answers: int) -> str:
    if batch.status == "cancelling":
        return "cancelled"
    if batch.errors:
        return "failed"
    return "completed" if answers and answers == batch.total_lines else "expired"
