"""The pictures of a conversation in files of text: written out, and read again."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archipel.assistant.history.pictures import Kept
from archipel.assistant.picture_files import PictureFile, read_picture
from archipel.assistant.transfer.values import items, mapping, text
from archipel.errors import IntegrityError

TEXT_BYTES = 12 << 20  # of pictures in one file of text: a conversation's JSON is read up to 24 MiB
_OF_MESSAGE = 8
_PROMPT_CHARACTERS = 4_000
_SEEDS = 1 << 63


@dataclass(frozen=True)
class Brought:
    """A picture from elsewhere: its file, and of what it was made, where it was."""

    file: PictureFile
    prompt: str | None
    seed: int | None


def fitting(pictures: Iterable[Kept], most: int = TEXT_BYTES) -> list[Kept]:
    """The pictures that fit into so many bytes together, the first ones first. Pure."""
    found, room = [], most
    for one in pictures:
        if one.bytes <= room:
            found.append(one)
            room -= one.bytes
    return found


def written(picture: Kept, data: bytes | None) -> dict[str, Any]:
    """A picture as JSON has it; without `data` where there was no room. Pure."""
    return {
        "media_type": picture.media_type,
        "prompt": picture.prompt,
        "seed": picture.seed,
        "data": None if data is None else b64encode(data).decode(),
    }


def link(picture: Kept, data: bytes) -> str:
    """An address that holds the picture. Pure."""
    return f"data:{picture.media_type};base64,{b64encode(data).decode()}"


def read(told: Any) -> tuple[list[Brought], int]:
    """The pictures of a message in JSON, and how many more there are that can't be taken. Pure."""
    found = [_brought(mapping(one)) for one in items(told)[:_OF_MESSAGE]]
    taken = [one for one in found if one is not None]
    return taken, len(items(told)) - len(taken)


def _brought(told: Mapping[str, Any]) -> Brought | None:
    try:
        file = read_picture(b64decode(text(told.get("data")), validate=True))
    except (ValueError, IntegrityError):
        return None
    prompt, seed = told.get("prompt"), told.get("seed")
    is_seed = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < _SEEDS
    return Brought(
        file,
        text(prompt)[:_PROMPT_CHARACTERS] if isinstance(prompt, str) else None,
        seed if is_seed else None,
    )
