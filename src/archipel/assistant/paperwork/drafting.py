"""A text written out from its outline by a model, section after section."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archipel.assistant.actions.acting import Reader, act
from archipel.assistant.actions.cleaning import Bare
from archipel.assistant.actions.table import Chosen

_HEADING = re.compile(r"^#{1,6}[ \t]+\S[^\n]*$", re.M)
_KEPT = re.compile(  # fenced blocks, and tables
    r"^[ \t]*(```+|~~~+)[^\n]*\n.*?^[ \t]*\1[ \t]*$|(?:^[ \t]*\|[^\n]*$\n?)+", re.M | re.S
)
_TIMES, _MORE = 20, 2_000  # characters of a text, by those of its points
_HEADED = re.compile(r"\A(?:\s*#{1,6}[ \t]+[^\n]*\n)+")

Progress = Callable[[int, int], None]  # sections written, of all


@dataclass(frozen=True)
class Section:
    """A heading as it stands, "" for what is before the first; the points under it; the tables,
    charts and code among these, which nobody writes anew."""

    heading: str
    points: str
    kept: tuple[str, ...]


def sections(outline: str) -> Iterator[Section]:
    """The sections of an outline in Markdown. Pure."""
    hidden = _KEPT.sub(lambda found: " " * len(found[0]), outline)  # no heading is in code
    starts = [found.span() for found in _HEADING.finditer(hidden)]
    yield from _section("", outline[: starts[0][0] if starts else len(outline)])
    for (begin, end), after in zip(starts, [*starts[1:], (len(outline), 0)], strict=True):
        yield from _section(outline[begin:end], outline[end : after[0]])


def _section(heading: str, body: str) -> Iterator[Section]:
    kept = tuple(found[0].strip("\n") for found in _KEPT.finditer(body))
    points = _KEPT.sub("", body).strip()
    if heading or points or kept:
        yield Section(heading, points, kept)


async def draft(reader: Reader, chosen: Chosen, outline: str, progress: Progress) -> str:
    """The text in Markdown. Where the model has nothing to say, the points stay.

    Raises:
        ServiceError: the service can't be reached or refuses.
    """
    found = list(sections(outline))
    title = next((one.heading for one in found if one.heading), "")
    written = []
    for number, section in enumerate(found, 1):
        text = ""
        if section.points:
            above = [title] if section.heading != title else []
            asked = "\n\n".join([*above, section.heading, section.points]).strip()
            text = await _written(reader, chosen, asked) or section.points
        written += [part for part in (section.heading, text, *section.kept) if part]
        progress(number, len(found))
    return "\n\n".join(written) + "\n"


async def _written(reader: Reader, chosen: Chosen, asked: str) -> str:
    """What the model writes of one section, without a heading; empty if it does not end."""
    said = ""
    async with contextlib.aclosing(act(reader, chosen, asked)) as answer:
        async for piece in answer:
            said += piece.text
            if len(said) > _TIMES * len(asked) + _MORE:
                return ""
            if _HEADING.search(_HEADED.sub("", said)):
                break  # the next section is not its business
    bare = Bare(asked)
    text = bare.add(said) + bare.rest()
    return _HEADING.split(_HEADED.sub("", text))[0].strip()
