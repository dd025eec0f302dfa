"""The data of server-sent events."""

from collections.abc import AsyncIterator

from archipel.errors import IntegrityError

_LINE_LIMIT_BYTES = 1 << 20


async def event_data(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of a stream's events.

    Raises:
        IntegrityError: a line is too long.
    """
    line = bytearray()
    async for piece in pieces:
        line += piece
        *lines, rest = line.split(b"\n")
        line = bytearray(rest)
        if len(line) > _LINE_LIMIT_BYTES:
            raise IntegrityError(f"a line of its stream is over {_LINE_LIMIT_BYTES >> 20} MiB")
        for whole in lines:
            if whole.startswith(b"data:"):
                yield bytes(whole[5:]).strip()
