"""From a branch of a conversation to what a model is given, and from a question to a title."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from archipel import chat
from archipel.assistant.history.messages import Message

_TITLE_CHARACTERS = 60


def turns(branch: Sequence[Message]) -> list[chat.Message]:
    """What the model is given: the branch without empty answers; what one said in several messages
    on end is one turn, since many models know of turns by turns only. Pure."""
    spoken = [one for one in branch if one.text]
    return [
        chat.Message(role, "\n\n".join(one.text for one in ones))
        for role, ones in groupby(spoken, attrgetter("role"))
    ]


def title(text: str) -> str:
    """The beginning of a question's first line, cut at a word. Pure."""
    line = " ".join(text.strip().splitlines()[0].split()) if text.strip() else ""
    if len(line) <= _TITLE_CHARACTERS:
        return line
    cut = line[:_TITLE_CHARACTERS].rpartition(" ")[0] or line[:_TITLE_CHARACTERS]
    return f"{cut}…"
