"""Documents out of files: text, Markdown, Python, JSON Lines, Parquet; plain or compressed.

Knows nothing about tokens. The order is fixed: a document's place in its file identifies it.
"""

import bz2
import gzip
import json
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase, BufferedReader, BytesIO
from pathlib import Path
from typing import NamedTuple

from archipel.errors import ConfigError

KINDS = (".txt", ".md", ".py", ".jsonl", ".parquet")
COMPRESSIONS = (".gz", ".xz", ".bz2", ".zst")


class Document(NamedTuple):
    """A document's text, None where it can't be used, and how far into its file it ends."""

    text: str | None
    end_bytes: int


def find_files(inputs: Iterable[Path]) -> list[Path]:
    """The files that `inputs` name: each file itself, and all of known kinds below each folder.

    Raises:
        ConfigError: an input does not exist or is of an unknown kind, or there is none at all.
    """
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found += _files_below(path)
        elif not path.exists():
            raise ConfigError(f"{path} does not exist. Check the path.")
        elif _kind(path) is None:
            raise ConfigError(f"{path} is not of a known kind. {_known()}")
        else:
            found.append(path)
    if not found:
        raise ConfigError(f"no text file in {', '.join(map(str, inputs))}. {_known()}")
    return list({path.resolve(): path for path in found}.values())


def read_documents(path: Path, field: str) -> Iterator[Document]:
    """The documents of one file, in order; `field` holds the text in JSON Lines and Parquet.

    Raises:
        ConfigError: the file can't be read, is damaged, or a record lacks the field.
    """
    kind = _kind(path)
    with _opened(path) as (raw, file):
        if kind == ".jsonl":
            yield from _json_lines(path, raw, file, field)
        elif kind == ".parquet":
            yield from _parquet(path, file, field)
        else:
            yield Document(_decoded(file.read()), path.stat().st_size)


def read_lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """The lines of a text file, plain or compressed, numbered from 1; None for what is not UTF-8.

    Raises:
        ConfigError: the file can't be read or is damaged.
    """
    with _opened(path) as (_, file):
        for number, line in enumerate(file, 1):
            yield number, _decoded(line)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedReader, BufferedIOBase]]:
    """The file as it lies on disk, to tell how far it is read, and what is in it."""
    import pyarrow

    try:
        with path.open("rb") as raw, _decompressed(raw, path.suffix) as file:
            yield raw, file
    except (OSError, EOFError, lzma.LZMAError, zlib.error, pyarrow.ArrowInvalid) as error:
        raise ConfigError(
            f"can't read {path}: {error}. It is unreadable or damaged: repair or leave it out."
        ) from error


def _json_lines(
    path: Path, raw: BufferedReader, file: BufferedIOBase, field: str
) -> Iterator[Document]:
    for number, line in enumerate(file, 1):
        source = _decoded(line)
        if source is None or not source.strip():
            yield Document(None, raw.tell())
            continue
        try:
            record = json.loads(source)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}, is not JSON: {error}.") from error
        if not isinstance(record, dict) or field not in record:
            names = record if isinstance(record, dict) else ()
            raise _no_field(f"{path}, line {number},", field, names)
        yield Document(_text(record[field], f"{path}, line {number}"), raw.tell())


def _parquet(path: Path, file: BufferedIOBase, field: str) -> Iterator[Document]:
    import pyarrow.parquet as parquet

    plain = path.suffix not in COMPRESSIONS
    table = parquet.ParquetFile(file if plain else BytesIO(file.read()))
    if field not in table.schema_arrow.names:
        raise _no_field(str(path), field, table.schema_arrow.names)
    size, rows, row = path.stat().st_size, table.metadata.num_rows, 0
    for batch in table.iter_batches(batch_size=1024, columns=[field]):
        for value in batch.column(0).to_pylist():
            row += 1
            yield Document(_text(value, f"{path}, row {row}"), size * row // rows)


def _text(value: object, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(
            f"{where}: the field holds {type(value).__name__}, not text. Name another with --field."
        )
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can hold half of a surrogate pair
        return None
    return value


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None


def _decompressed(raw: BufferedReader, suffix: str) -> BufferedIOBase:
    match suffix:
        case ".gz":
            return gzip.GzipFile(fileobj=raw)
        case ".xz":
            return lzma.LZMAFile(raw)
        case ".bz2":
            return bz2.BZ2File(raw)
        case ".zst":
            # Unlike zstandard's own reader, Arrow's notices a truncated stream.
            import pyarrow

            return BufferedReader(pyarrow.CompressedInputStream(raw, "zstd"))
        case _:
            return raw


def _kind(path: Path) -> str | None:
    inner = path.with_suffix("") if path.suffix in COMPRESSIONS else path
    return inner.suffix if inner.suffix in KINDS else None


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and _kind(path) is not None:
                yield path


def _no_field(where: str, field: str, names: Iterable[str]) -> ConfigError:
    there = ", ".join(names) or "none"
    return ConfigError(
        f"{where} has no field {field!r}; it has: {there}. Name the one with the text with --field."
    )


def _known() -> str:
    return f"Known are {', '.join(KINDS)}, each also as {', '.join(COMPRESSIONS)}."
