"""ChatGPT's export: a conversation is a `mapping` of nodes, each with its parent.

Kept are what the person and the assistant said, code and what it printed, quotations. Hidden and
system messages, thoughts and the talk with tools are counted and left out.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from archipel.assistant.history.conversations import TITLE_CHARACTERS
from archipel.assistant.history.messages import Draft, Role, Status
from archipel.assistant.transfer.tree import Node, Told
from archipel.assistant.transfer.values import fenced, items, key, line, mapping, seconds, text

_NAME_CHARACTERS = 40
_MODEL_CHARACTERS = 200
_LEFT_OUT = {
    *("thoughts", "reasoning_recap", "user_editable_context", "model_editable_context"),
    *("tether_browsing_display", "tether_browsing_code", "system_error"),
}
_OF_TOOLS = {"execution_output", "tether_quote", "multimodal_text"}  # what of theirs is shown
_UNFINISHED = {"in_progress", "finished_partial_completion"}


def is_one(element: Mapping[str, Any]) -> bool:
    """Whether it is a conversation of such an export."""
    return isinstance(element.get("mapping"), dict)


def read(element: Mapping[str, Any]) -> Told:
    """The conversation. Pure."""
    left: Counter[str] = Counter()
    model = line(element.get("default_model_slug"), _MODEL_CHARACTERS) or None
    nodes = [
        found
        for name, node in element["mapping"].items()
        if (found := _node(name, node, model, left)) is not None
    ]
    own = key(element.get("conversation_id")) or key(element.get("id")) or _made_up(element)
    return Told(
        source=f"chatgpt:{own}",
        title=line(element.get("title"), TITLE_CHARACTERS),
        created=seconds(element.get("create_time")),
        changed=seconds(element.get("update_time")),
        nodes=nodes,
        shown=key(element.get("current_node")),
        left=left,
    )


def _made_up(element: Mapping[str, Any]) -> str:
    names = "\n".join(sorted(text(name) for name in element["mapping"]))
    return hashlib.sha256(names.encode()).hexdigest()[:32]


def _node(name: str, node: Any, model: str | None, left: Counter[str]) -> Node | None:
    own = key(name)
    if own is None or not isinstance(node, dict):
        left["broken"] += 1
        return None
    message = node.get("message")
    draft, created = None, None
    if isinstance(message, dict):
        draft = _draft(message, model, left)
        created = seconds(message.get("create_time"))
    elif message is not None:
        left["broken"] += 1
    return Node(key=own, parent=key(node.get("parent")), draft=draft, created=created)


def _draft(message: Mapping[str, Any], model: str | None, left: Counter[str]) -> Draft | None:
    content, facts = mapping(message.get("content")), mapping(message.get("metadata"))
    author = line(mapping(message.get("author")).get("role"), _NAME_CHARACTERS)
    kind = line(content.get("content_type"), _NAME_CHARACTERS) or "text"
    why = _left_out(message, facts, author, kind)
    if why is not None:
        left[why] += 1
        return None
    said = _said(kind, content, left)
    names = [line(mapping(one).get("name"), 200) for one in items(facts.get("attachments"))]
    if names:
        left["attachment"] += len(names)
        said = "\n\n".join(part for part in (said, *(f"[{name}]" for name in names)) if part)
    if not said.strip():
        left["empty"] += 1
        return None
    role: Role = "user" if author == "user" else "assistant"
    status: Status = "stopped" if text(message.get("status")) in _UNFINISHED else "done"
    if role == "user":
        return Draft(role=role, text=said)
    model = line(facts.get("model_slug"), _MODEL_CHARACTERS) or model
    return Draft(role=role, text=said, status=status, model=model)


def _left_out(
    message: Mapping[str, Any], facts: Mapping[str, Any], author: str, kind: str
) -> str | None:
    """The kind under which a message that is not kept is counted."""
    if facts.get("is_visually_hidden_from_conversation") is True or message.get("weight") == 0:
        return "hidden" if author != "system" else "system"
    if kind in _LEFT_OUT:
        return kind
    if author == "tool":
        return None if kind in _OF_TOOLS else "tool"
    if author not in ("user", "assistant"):
        return "system" if author == "system" else "unknown_author"
    if author == "assistant" and message.get("recipient") not in (None, "all", "python"):
        return "tool_call"
    return None


def _said(kind: str, content: Mapping[str, Any], left: Counter[str]) -> str:
    match kind:
        case "code":
            language = text(content.get("language"))
            return fenced(text(content.get("text")), language if language != "unknown" else "")
        case "execution_output":
            return fenced(text(content.get("text")))
        case "tether_quote":
            return _quote(content)
        case _:
            parts = items(content.get("parts")) or [content.get("text")]
            found = [_part(part, left) for part in parts]
            return "\n\n".join(part for part in found if part)


def _part(part: Any, left: Counter[str]) -> str:
    if not isinstance(part, dict):
        return text(part)
    kind = line(part.get("content_type"), _NAME_CHARACTERS)
    if kind == "audio_transcription" or not kind:
        return text(part.get("text"))
    what = kind.partition("_")[0] if kind.endswith("_asset_pointer") else kind
    left[what] += 1
    return "[image]" if what == "image" else ""


def _quote(content: Mapping[str, Any]) -> str:
    quoted = text(content.get("text")).splitlines() or [""]
    name, url = line(content.get("title"), 200), line(content.get("url"), 1000)
    source = " ".join(part for part in (name, url and f"<{url}>") if part)
    return "\n".join([*(f"> {one}" for one in quoted), ">", f"> {source}"] if source else quoted)
