"""Claude's export: a conversation is a list of `chat_messages`, in newer ones with parents."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from archipel.assistant.history.conversations import TITLE_CHARACTERS
from archipel.assistant.history.messages import Draft
from archipel.assistant.transfer.tree import Node, Told
from archipel.assistant.transfer.values import fenced, items, key, line, mapping, seconds, text


def is_one(element: Mapping[str, Any]) -> bool:
    """Whether it is a conversation of such an export."""
    return isinstance(element.get("chat_messages"), list)


def read(element: Mapping[str, Any]) -> Told:
    """The conversation. Pure."""
    left: Counter[str] = Counter()
    nodes: list[Node] = []
    for place, message in enumerate(element["chat_messages"]):
        if not isinstance(message, dict):
            left["broken"] += 1
            continue
        before = nodes[-1].key if nodes else None
        parent = key(message["parent_message_uuid"]) if "parent_message_uuid" in message else before
        nodes.append(
            Node(
                key=key(message.get("uuid")) or f"message {place}",
                parent=parent,
                draft=_draft(message, left),
                created=seconds(message.get("created_at")),
            )
        )
    return Told(
        source=f"claude:{key(element.get('uuid')) or (nodes[0].key if nodes else '')}",
        title=line(element.get("name"), TITLE_CHARACTERS),
        created=seconds(element.get("created_at")),
        changed=seconds(element.get("updated_at")),
        nodes=nodes,
        shown=key(element.get("current_leaf_message_uuid")),
        left=left,
    )


def _draft(message: Mapping[str, Any], left: Counter[str]) -> Draft | None:
    blocks = [mapping(block) for block in items(message.get("content"))]
    said = [text(block.get("text")) for block in blocks if block.get("type") == "text"]
    left.update(
        line(one.get("type"), 40) or "broken" for one in blocks if one.get("type") != "text"
    )
    parts = [part for part in said if part] or [text(message.get("text"))]
    for one in items(message.get("attachments")):
        pasted, name = text(mapping(one).get("extracted_content")), _name(one)
        parts.append(f"[{name}]\n\n{fenced(pasted)}" if pasted else f"[{name}]")
        left["attachment"] += not pasted
    for one in items(message.get("files")):
        parts.append(f"[{_name(one)}]")
        left["attachment"] += 1
    whole = "\n\n".join(part for part in parts if part)
    if not whole.strip():
        left["empty"] += 1
        return None
    return Draft(role="user" if message.get("sender") == "human" else "assistant", text=whole)


def _name(file: Any) -> str:
    return line(mapping(file).get("file_name"), 200) or "file"
