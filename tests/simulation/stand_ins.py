"""What of the real code is replaced in a simulated run: the model, threads, the disk, and sizes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from archipel.ledger import Heartbeat, parts, signed
from archipel.ledger.schema import Record
from archipel.ledger.signed import SignedObjects
from archipel.train import join
from archipel.train.fragments import Fragment
from tests.simulation.clock import Clock, Pool

_REMEMBERED = 500


@contextmanager
def stand_ins(clock: Clock, fragments: list[Fragment], inline_bytes: int) -> Iterator[None]:
    """Within the block: joining finds these fragments, threads are tasks of the process that runs,
    nothing is kept on disk, and payloads longer than `inline_bytes` travel in parts."""
    with ExitStack() as stack:

        def put(where: object, name: str, value: object) -> None:
            stack.enter_context(patch.object(where, name, value))

        put(join, "run_fragments", lambda spec: fragments)
        put(join, "ThreadPoolExecutor", lambda workers: Pool(clock.running, workers))
        put(join, "shutil", _NoDisk())
        put(parts, "_read", lambda path: None)
        put(parts, "_write", lambda path, data: None)
        put(parts, "PART_BYTES", 2 * inline_bytes)
        put(signed, "INLINE_BYTES", inline_bytes)
        put(SignedObjects, "parse_line", _remembering_lines(SignedObjects.parse_line))
        put(Record, "parse", _remembering_records(Record.parse.__func__))  # type: ignore[attr-defined]
        yield


class _NoDisk:
    def rmtree(self, path: object, ignore_errors: bool) -> None:
        pass


def _remembering_lines(parse_line: Any) -> Any:
    """Reading a heartbeat is pure, costs most of a simulation, and is done again and again."""
    known: dict[tuple[str, bytes], Any] = {}

    def parse(self: SignedObjects, key: str, data: bytes, kind: Any) -> Any:
        if kind is not Heartbeat:
            return parse_line(self, key, data, kind)
        if (key, data) not in known:
            if len(known) > _REMEMBERED:
                known.clear()
            known[key, data] = parse_line(self, key, data, kind)
        return known[key, data]

    return parse


def _remembering_records(parse: Any) -> Any:
    """The same for every other record: several sites read it."""
    known: dict[tuple[type[Record], bytes], Any] = {}

    def remembering(cls: type[Record], data: bytes, what: str) -> Any:
        if (cls, data) not in known:
            if len(known) > _REMEMBERED:
                known.clear()
            known[cls, data] = parse(cls, data, what)
        return known[cls, data]

    return classmethod(remembering)
