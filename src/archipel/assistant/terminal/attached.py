"""Texts that go with a question: files, and what is piped in, each a fenced block with its name."""

from pathlib import Path

from archipel.assistant.transfer.values import fenced
from archipel.errors import ConfigError

TEXT_BYTES = 1_000_000  # of a question with all that goes with it


def read_file(path: Path) -> str:
    """A text file as a block.

    Raises:
        ConfigError: it can't be read, is too large, or no text.
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(TEXT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}. Check the path.") from error
    return block(path.name, data)


def block(name: str, data: bytes) -> str:
    """Text in a fence, under its name where it has one; the name's ending says the language.

    Raises:
        ConfigError: it is too large, or no text.
    """
    code = fenced(text(name, data).rstrip("\n"), Path(name).suffix.removeprefix("."))
    return f"`{name}`:\n\n{code}" if name else code


def text(name: str, data: bytes) -> str:
    """Bytes as the text that they are; without a name they were piped in.

    Raises:
        ConfigError: they are too many, or no text.
    """
    shown = name or "what was piped in"
    if len(data) > TEXT_BYTES:
        raise ConfigError(
            f"{shown} is over {TEXT_BYTES / 1e6:g} MB. Send the part of it that matters."
        )
    if b"\0" in data or data.startswith(b"%PDF-"):
        raise ConfigError(
            f"{shown} is not text. The page (`archipel up`) reads PDF and office files; here, send "
            "their text."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown} is not UTF-8: byte {error.start} is {data[error.start]:#04x}. Convert it, as "
            "with `iconv -f latin1 -t utf-8`."
        ) from error


def question(words: str, blocks: list[str]) -> str:
    """The question, then what goes with it.

    Raises:
        ConfigError: all of it is empty, or too large.
    """
    whole = "\n\n".join(part for part in (words.strip(), *blocks) if part)
    if not whole:
        raise ConfigError('the question is empty. Write it: `archipel chat "What is …?"`')
    if len(whole.encode(errors="replace")) > TEXT_BYTES:
        raise ConfigError(
            f"the question and its files are over {TEXT_BYTES / 1e6:g} MB. Send fewer."
        )
    return whole
