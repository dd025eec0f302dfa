"""A long JSON file cut into its elements, without holding more than one: those of the array that it
is, or the object, or several objects one after the other.

Each element is parsed apart, so that one that is broken or too large costs only itself.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from archipel.assistant.transfer.values import line
from archipel.errors import NotImportable

ELEMENT_BYTES = 24 << 20
_PIECE_BYTES = 1 << 18
_VALUES = 1_000_000  # some 100 bytes each once parsed
_SHOWN_BYTES = 120  # of one that is not read, so that a person knows which it is
_OUTSIDE = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)  # up to a bracket
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # up to the end of a string
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def elements(file: IO[bytes], most: int = ELEMENT_BYTES) -> Iterator[Any]:
    """The elements of at most `most` bytes, parsed; a `NotImportable` in the place of one that is
    larger or broken.

    Raises:
        NotImportable: the file holds no JSON objects, or ends in the middle of one.
    """
    first = _beginning(file)
    if first[:1] not in (b"[", b"{"):
        raise NotImportable("it is not JSON: it begins with neither [ nor {.", "not_json")
    cutter = _Cutter(1 if first[:1] == b"[" else 0, most)
    piece = first
    while piece:
        yield from cutter.cut(piece)
        piece = file.read(_PIECE_BYTES)
    if cutter.depth:
        raise NotImportable("it ends in the middle: download it again.", "cut_off")


def _beginning(file: IO[bytes]) -> bytes:
    """The first bytes that are not space, nor the mark that some editors put before them."""
    found = file.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    while not found.lstrip() and (piece := file.read(_PIECE_BYTES)):
        found = piece
    return found.lstrip()


class _Cutter:
    """Knows where in the JSON it is: how deep, and whether in a string."""

    def __init__(self, base: int, most: int) -> None:
        self.depth = 0
        self._base = base
        self._most = most
        self._string = False
        self._escaped = False
        self._held = bytearray()
        self._size = 0
        self._begins = b""

    def cut(self, piece: bytes) -> Iterator[Any]:
        """What is complete with this piece.

        Raises:
            NotImportable: a bracket is closed that was not opened.
        """
        at = 0
        while at < len(piece):
            if self._string:
                at = self._through_string(piece, at)
                continue
            end = _OUTSIDE.match(piece, at).end()  # type: ignore[union-attr] # it matches nothing, too
            sign = piece[end : end + 1]
            if sign in (b"{", b"[") and self.depth == self._base:
                at = end  # an element begins
            self.depth += (sign in (b"{", b"[")) - (sign in (b"}", b"]"))
            self._string = sign == b'"'
            if self.depth < 0:
                raise NotImportable("it is not JSON: a bracket is closed twice.", "not_json")
            closes = sign in (b"}", b"]") and self.depth == self._base
            if closes or self.depth > self._base:
                self._hold(piece, at, end + 1)
            at = end + 1
            if closes:
                yield self._taken()

    def _through_string(self, piece: bytes, at: int) -> int:
        """Behind the string, or the piece where it goes on; an escape may lie across the edge."""
        end = at + self._escaped
        end = _INSIDE.match(piece, end).end()  # type: ignore[union-attr]
        sign = piece[end : end + 1]
        self._string, self._escaped = sign != b'"', sign == b"\\"
        if self.depth > self._base:
            self._hold(piece, at, end + 1)
        return end + 1

    def _hold(self, piece: bytes, start: int, end: int) -> None:
        if len(self._begins) < _SHOWN_BYTES:
            self._begins += piece[start:end][:_SHOWN_BYTES]
        self._size += min(end, len(piece)) - start
        if self._size <= self._most:
            self._held += piece[start:end]
        else:
            self._held.clear()

    def _taken(self) -> Any:
        held, size, begins = self._held, self._size, self._begins
        self._held, self._size, self._begins = bytearray(), 0, b""
        if size > self._most or _values(held) > _VALUES:
            return NotImportable(
                f"it has {size / 1e6:.1f} MB in one conversation; up to {self._most / 1e6:.0f} MB "
                f"and some {_VALUES:,} values are read. It begins: {_shown(begins)}",
                "too_large",
            )
        return _parsed(held, begins)


def _values(held: bytearray) -> int:
    strings = held.count(b'"') - held.count(b'\\"')
    return strings // 2 + held.count(b"{") + held.count(b"[")


def _shown(begins: bytes) -> str:
    return line(begins[:_SHOWN_BYTES].decode(errors="replace"), _SHOWN_BYTES)


def _parsed(held: bytearray, begins: bytes) -> Any:
    try:
        written = held.decode()
        held.clear()
        return json.loads(written)
    except ValueError as error:
        why = str(error)[:200]
        return NotImportable(f"it is not JSON: {why}. It begins: {_shown(begins)}", "not_json")
    except RecursionError:
        return NotImportable(
            f"its JSON is nested too deeply. It begins: {_shown(begins)}", "not_json"
        )
