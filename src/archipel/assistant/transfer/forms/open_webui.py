"""Open WebUI's export of chats: messages by id in `chat.history`, each with its parent."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from archipel.assistant.history.conversations import TITLE_CHARACTERS
from archipel.assistant.history.messages import Draft
from archipel.assistant.transfer.tree import Node, Told
from archipel.assistant.transfer.values import items, key, line, mapping, seconds, text


def is_one(element: Mapping[str, Any]) -> bool:
    """Whether it is a chat of such an export."""
    return isinstance(_history(element).get("messages"), dict)


def read(element: Mapping[str, Any]) -> Told:
    """The conversation. Pure."""
    left: Counter[str] = Counter()
    history, nodes = _history(element), []
    for name, message in history["messages"].items():
        own = key(name)
        if own is None or not isinstance(message, dict):
            left["broken"] += 1
            continue
        nodes.append(
            Node(
                key=own,
                parent=key(message.get("parentId")),
                draft=_draft(message, left),
                created=seconds(message.get("timestamp")),
            )
        )
    first = nodes[0].key if nodes else ""
    return Told(
        source=f"open-webui:{key(element.get('id')) or first}",
        title=line(element.get("title") or mapping(element["chat"]).get("title"), TITLE_CHARACTERS),
        created=seconds(element.get("created_at")),
        changed=seconds(element.get("updated_at")),
        nodes=nodes,
        shown=key(history.get("currentId")),
        left=left,
    )


def _history(element: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(element.get("chat")).get("history"))


def _draft(message: Mapping[str, Any], left: Counter[str]) -> Draft | None:
    role, said = message.get("role"), text(message.get("content"))
    files = items(message.get("files"))
    left["attachment"] += len(files)
    names = [line(mapping(one).get("name"), 200) for one in files]
    said = "\n\n".join(part for part in (said, *(f"[{name}]" for name in names if name)) if part)
    if role == "user" and said.strip():
        return Draft(role="user", text=said)
    if role == "assistant" and said.strip():
        model = line(message.get("model"), 200) or None
        done = message.get("done") is not False
        return Draft(role="assistant", text=said, status="done" if done else "stopped", model=model)
    known = role in ("user", "assistant", "system")
    left["unknown_author" if not known else "system" if role == "system" else "empty"] += 1
    return None
