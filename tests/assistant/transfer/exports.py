"""Exports as other programs write them, with words of nobody."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

BEGAN = 1_750_000_000.5


def chatgpt_message(
    id_: str, role: str, *parts: object, kind: str = "text", **more: Any
) -> dict[str, Any]:
    """A message as ChatGPT's export has it; `more` goes over what is usual."""
    content: dict[str, Any] = {"content_type": kind, "parts": list(parts)}
    return {
        "id": id_,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": BEGAN,
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        "channel": None,
    } | more


def chatgpt(id_: str, title: str | None, *chain: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation with a root, a hidden system message, and these messages one below the other;
    a message with `parent` hangs there instead."""
    hidden = chatgpt_message(f"{id_}-system", "system", "", weight=0.0, create_time=None)
    mapping: dict[str, Any] = {
        f"{id_}-root": _node(f"{id_}-root", None, None),
        f"{id_}-system": _node(f"{id_}-system", hidden, f"{id_}-root"),
    }
    above = f"{id_}-system"
    for message in chain:
        above = message.pop("parent", above)
        mapping[message["id"]] = _node(message["id"], message, above)
        above = message["id"]
    for name, node in mapping.items():
        if node["parent"] in mapping:
            mapping[node["parent"]]["children"].append(name)
    return {
        "title": title,
        "create_time": BEGAN,
        "update_time": BEGAN + 60,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": above,
        "plugin_ids": None,
        "conversation_id": id_,
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "gpt-4o",
        "id": id_,
    } | more


def _node(id_: str, message: dict[str, Any] | None, parent: str | None) -> dict[str, Any]:
    return {"id": id_, "message": message, "parent": parent, "children": []}


def lake() -> dict[str, Any]:
    """A question asked again and edited, with times of its own."""
    return chatgpt(
        "c-lake",
        "Le lac",
        chatgpt_message("q1", "user", "Où est le lac ?", create_time=BEGAN + 1),
        chatgpt_message(
            "a1", "assistant", "Au nord.", create_time=BEGAN + 2, metadata={"model_slug": "gpt-4"}
        ),
        chatgpt_message("a2", "assistant", "Au sud.", create_time=BEGAN + 3, parent="q1"),
        chatgpt_message("q2", "user", "Et la mer ?", create_time=BEGAN + 4, parent="c-lake-system"),
        chatgpt_message("a3", "assistant", "À l'ouest.", create_time=BEGAN + 5),
        current_node="a2",
    )


def workshop() -> dict[str, Any]:
    """All kinds of content."""
    python = {"content_type": "code", "language": "python", "text": "print(6 * 7)"}
    printed = {"content_type": "execution_output", "text": "42"}
    quote = {
        "content_type": "tether_quote",
        "url": "https://example.org/tides",
        "domain": "example.org",
        "title": "Tides",
        "text": "Twice a day.",
    }
    context = {
        "content_type": "user_editable_context",
        "user_profile": "secret profile",
        "user_instructions": "secret instructions",
    }
    thoughts = {
        "content_type": "thoughts",
        "thoughts": [{"summary": "secret", "content": "secret thought"}],
        "source_analysis_msg_id": "x",
    }
    image = {
        "content_type": "image_asset_pointer",
        "asset_pointer": "file-service://file-1",
        "size_bytes": 10,
        "width": 1,
        "height": 1,
    }
    voice = {"content_type": "audio_transcription", "text": "Bonjour", "direction": "in"}
    sound = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file-2"}
    attachments = {"attachments": [{"id": "file-3", "name": "plan.pdf", "size": 9}]}
    return chatgpt(
        "c-workshop",
        "Workshop",
        chatgpt_message(
            "w0", "user", content=context, metadata={"is_visually_hidden_from_conversation": True}
        ),
        chatgpt_message(
            "w1", "user", image, "What is this?", kind="multimodal_text", metadata=attachments
        ),
        chatgpt_message("w2", "assistant", content=thoughts),
        chatgpt_message("w3", "assistant", content=python, recipient="python"),
        chatgpt_message("w4", "tool", content=printed),
        chatgpt_message("w5", "assistant", content=python, recipient="canmore.create_textdoc"),
        chatgpt_message("w6", "tool", "Textdoc created"),
        chatgpt_message("w7", "tool", content=quote),
        chatgpt_message(
            "w8", "assistant", content={"content_type": "reasoning_recap", "content": "Thought 9 s"}
        ),
        chatgpt_message("w9", "assistant", "It is 42.", metadata={"model_slug": "o3"}),
        chatgpt_message("w10", "user", voice, sound, kind="multimodal_text"),
        chatgpt_message("w11", "assistant", "Bon", status="in_progress"),
    )


def zipped(files: Mapping[str, object], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these files: bytes as they are, else as JSON."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            archive.writestr(name, data)
    return held.getvalue()


def claude() -> dict[str, Any]:
    """A conversation of Claude's export."""
    return {
        "uuid": "cl-1",
        "name": "Tea",
        "summary": "",
        "created_at": "2025-06-15T12:00:00.000000Z",
        "updated_at": "2025-06-15T12:05:00.000000Z",
        "account": {"uuid": "nobody"},
        "chat_messages": [
            {
                "uuid": "m1",
                "text": "Green or black?",
                "content": [{"type": "text", "text": "Green or black?"}],
                "sender": "human",
                "created_at": "2025-06-15T12:01:00Z",
                "attachments": [
                    {"file_name": "teas.txt", "file_size": 5, "extracted_content": "oolong"}
                ],
                "files": [{"file_name": "leaf.png"}],
            },
            {
                "uuid": "m2",
                "text": "",
                "content": [
                    {"type": "thinking", "thinking": "secret"},
                    {"type": "text", "text": "Green."},
                    {"type": "tool_use", "name": "kettle", "input": {}},
                ],
                "sender": "assistant",
                "created_at": "2025-06-15T12:02:00Z",
                "attachments": [],
                "files": [],
            },
        ],
    }


def open_webui() -> dict[str, Any]:
    """A chat of Open WebUI's export."""
    messages = {
        "o1": {"id": "o1", "parentId": None, "childrenIds": ["o2", "o3"], "role": "user",
               "content": "Ping?", "timestamp": 1750000001, "models": ["small"]},
        "o2": {"id": "o2", "parentId": "o1", "childrenIds": [], "role": "assistant",
               "content": "Pong.", "model": "small", "timestamp": 1750000002, "done": True},
        "o3": {"id": "o3", "parentId": "o1", "childrenIds": [], "role": "assistant",
               "content": "Pang.", "model": "large", "timestamp": 1750000003, "done": True},
    }  # fmt: skip
    return {
        "id": "ow-1",
        "user_id": "nobody",
        "title": "Game",
        "chat": {
            "title": "Game",
            "models": ["small"],
            "history": {"messages": messages, "currentId": "o2"},
            "messages": [],
        },
        "created_at": 1750000000,
        "updated_at": 1750000009,
    }
