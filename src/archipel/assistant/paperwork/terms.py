"""A terminology list: what words of the one language are called in the other."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from archipel.errors import ConfigError

_BYTES, _TERMS = 1 << 20, 5_000
_EXAMPLE = "Each line has two, such as `supply voltage;tension d’alimentation`."


def read_terms(path: Path) -> dict[str, str]:
    """The pairs of a file with one in each line, apart by a semicolon, a tab or a comma (the first
    of these that it has). Lines that begin with # say something else.

    Raises:
        ConfigError: the file can't be read, or is no such list.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read the terms {path}: {error.strerror}.") from error
    if len(data) > _BYTES:
        raise ConfigError(
            f"{path} has {len(data):,} bytes; a list of terms has {_BYTES:,} at most."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8. Save it as such.") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) > _TERMS:
        raise ConfigError(f"{path} has {len(lines):,} terms; {_TERMS:,} are taken at most.")
    between = next((mark for mark in ";\t," if lines and mark in lines[0]), ";")
    terms = {}
    for row in csv.reader(lines, delimiter=between):
        pair = [cell.strip() for cell in row]
        if len(pair) != 2 or not all(pair):
            raise ConfigError(f"{path}: {between.join(row)[:80]!r} is no pair of terms. {_EXAMPLE}")
        terms[pair[0]] = pair[1]
    return terms


def not_used(terms: Mapping[str, str], source: str, answer: str) -> Iterator[str]:
    """The terms that a text has and its translation does not. Pure."""
    before, after = source.casefold(), answer.casefold()
    for term, wanted in terms.items():
        if term.casefold() in before and wanted.casefold() not in after:
            yield f"{term} → {wanted}"
