"""From a branch of a conversation to what a model is given; from a question to a title. Pure."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from archipel import chat
from archipel.assistant.actions.prompts import turn
from archipel.assistant.actions.table import Chosen, chosen
from archipel.assistant.history.messages import Message
from archipel.assistant.picture_files import PictureFile
from archipel.errors import ConfigError

_TITLE_CHARACTERS = 60


def turns(
    branch: Sequence[Message],
    seen: Mapping[int, Sequence[PictureFile]] = MappingProxyType({}),
    told: str = "",
) -> list[chat.Message]:
    """What the model is given: what it is told first, then the branch without empty answers, with
    the pictures `seen` by their message; what one said in several messages on end is one turn,
    since many models know of turns by turns only."""
    spoken = [one for one in branch if one.text]
    given = [chat.Message("system", told)] if told else []
    for role, group in groupby(spoken, attrgetter("role")):
        ones = list(group)
        text = "\n\n".join(_said(one) for one in ones)
        pictures = [_part(file) for one in ones for file in seen.get(one.id, ())]
        content = [{"type": "text", "text": text}, *pictures] if pictures else text
        given.append(chat.Message(role, content))
    return given


def action_of(question: Message) -> Chosen | None:
    """What a question was asked with, if it is an action that is known today."""
    action = question.facts.get("action")
    try:
        return action and chosen(action["name"], action["fields"], len(question.text))
    except ConfigError:
        return None


def title(text: str) -> str:
    """The beginning of a question's first line, cut at a word."""
    line = " ".join(text.strip().splitlines()[0].split()) if text.strip() else ""
    if len(line) <= _TITLE_CHARACTERS:
        return line
    cut = line[:_TITLE_CHARACTERS].rpartition(" ")[0] or line[:_TITLE_CHARACTERS]
    return f"{cut}…"


def _said(message: Message) -> str:
    action = action_of(message) if message.role == "user" else None
    return turn(action, message.text) if action else message.text


def _part(file: PictureFile) -> dict[str, Any]:
    url = f"data:{file.media_type};base64,{b64encode(file.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}
