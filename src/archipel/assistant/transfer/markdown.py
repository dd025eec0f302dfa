"""A conversation as a Markdown file, for people: front matter, then who said what, and when."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from archipel.assistant.history.conversations import Conversation
from archipel.assistant.history.messages import Message

_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r"[\W_]+")
_NAME_CHARACTERS = 60
_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "Instructions"}


def written(
    conversation: Conversation,
    branch: Sequence[Message],
    pictures: Mapping[int, Sequence[str | None]],
) -> str:
    """The branch as text. `pictures` are the addresses of messages' pictures, which stand at the
    end; None for one that is not there. Pure."""
    models = _once(one.model for one in branch)
    where = _once(one.facts.get("place") or one.facts.get("provider") for one in branch)
    head = [
        f"title: {_yaml(conversation.title)}",
        f"date: {_moment(conversation.created)}",
        f"changed: {_moment(conversation.changed)}",
        f"models: [{', '.join(map(_yaml, models))}]",
        f"where: [{', '.join(map(_yaml, where))}]",
    ]
    parts = ["\n".join(["---", *head, "---"])]
    addresses: list[str] = []
    if conversation.title:
        parts.append(f"# {conversation.title}")
    for one in branch:
        who = f"{_SPEAKERS[one.role]} ({one.model})" if one.model else _SPEAKERS[one.role]
        parts += [f"## {who}, {_moment(one.created)}{_ended(one)}", one.text.strip("\n")]
        for address in pictures.get(one.id, ()):
            if address is None:
                parts.append("*(A picture, too large for this file.)*")
                continue
            name = f"picture-{len(addresses) + 1}"
            parts.append(f"![Picture][{name}]")
            addresses.append(f"[{name}]: {address}")
    if addresses:
        parts.append("\n".join(addresses))
    return "\n\n".join(parts) + "\n"


def file_name(conversation: Conversation) -> str:
    """A name that every file system takes, without an ending: the day and the title. Pure."""
    words = _NOT_IN_NAMES.sub("-", conversation.title)[:_NAME_CHARACTERS].strip("-")
    return "-".join(part for part in (_moment(conversation.created)[:10], words) if part)


def _ended(message: Message) -> str:
    """How it ended, if not well."""
    if message.status != "done":
        return f", {message.status}"
    return ", ended in circles" if message.facts.get("ended") == "circles" else ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _yaml(text: str) -> str:
    """A JSON string is one of YAML, but for a few signs."""
    written = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _once(names: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))
