"""A request to Anthropic's Messages API as a chat completion request. Pure.

The other way round is `anthropic.py`. What chat completions have no word for is refused by name
where it would change the answer, and left out where it would not.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archipel.serve.translation import Unmappable, wrong_types_named

_CHOICES = {"auto": "auto", "none": "none", "any": "required"}
_AS_IT_IS = ("model", "temperature", "top_p", "top_k", "stream")
_SILENT = ("thinking", "redacted_thinking")  # what a model said to itself in an earlier answer

Fields = Mapping[str, Any]


def to_chat_request(request: Fields) -> dict[str, Any]:
    """The body for `/v1/chat/completions` that asks what a Messages request asks.

    Raises:
        Unmappable: a field is wrong, or says what can't be said there.
    """
    with wrong_types_named():
        return _chat(request)


def _chat(request: Fields) -> dict[str, Any]:
    system = _text("system", request.get("system") or "")
    turns: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for number, message in enumerate(request["messages"]):
        turns += _turns(f"messages.{number}", message)
    choice = request.get("tool_choice") or {}
    chat = {
        **{name: request.get(name) for name in _AS_IT_IS},
        "messages": turns,
        "max_completion_tokens": request["max_tokens"],
        "stop": request.get("stop_sequences") or None,
        "tools": [_tool(n, tool) for n, tool in enumerate(request.get("tools") or ())] or None,
        "tool_choice": _tool_choice(choice) if choice else None,
        "parallel_tool_calls": False if choice.get("disable_parallel_tool_use") else None,
        "response_format": _format(request.get("output_config") or {}),
        "stream_options": {"include_usage": True} if request.get("stream") else None,
    }
    return {key: value for key, value in chat.items() if value is not None}


def _turns(place: str, message: Fields) -> Iterator[dict[str, Any]]:
    """One turn as messages: results of tools are messages of their own, before what is said."""
    role, content = message["role"], message["content"]
    if role not in ("user", "assistant"):
        raise Unmappable(f"{place}.role", f"{role!r} is not a role. Take user or assistant")
    if isinstance(content, str):
        yield {"role": role, "content": content}
        return
    blocks = [(f"{place}.content.{n}", block) for n, block in enumerate(content)]
    if role == "assistant":
        yield _answer(blocks)
        return
    results = [(where, block) for where, block in blocks if block["type"] == "tool_result"]
    for where, block in results:
        said = _text(f"{where}.content", block.get("content") or "")
        yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": said}
    parts = [_part(where, block) for where, block in blocks if block["type"] != "tool_result"]
    if parts or not results:
        yield {"role": "user", "content": parts}


def _answer(blocks: Sequence[tuple[str, Fields]]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": None}
    texts, calls = [], []
    for place, block in blocks:
        if block["type"] == "text":
            texts.append(block["text"])
        elif block["type"] == "tool_use":
            function = {"name": block["name"], "arguments": json.dumps(block["input"])}
            calls.append({"id": block["id"], "type": "function", "function": function})
        elif block["type"] not in _SILENT:
            raise Unmappable(place, f"{block['type']!r}: an answer has text and tool_use only")
    if texts:
        said["content"] = "".join(texts)
    return {**said, "tool_calls": calls} if calls else said


def _part(place: str, block: Fields) -> dict[str, Any]:
    if block["type"] == "text":
        return {"type": "text", "text": block["text"]}
    if block["type"] == "image":
        return {"type": "image_url", "image_url": {"url": _url(place, block["source"])}}
    raise Unmappable(place, f"{block['type']!r} is none of text, image and tool_result")


def _url(place: str, source: Fields) -> str:
    if source["type"] == "base64":
        return f"data:{source['media_type']};base64,{source['data']}"
    if source["type"] == "url":
        return str(source["url"])
    raise Unmappable(f"{place}.source", f"{source['type']!r}: take base64 or url")


def _text(place: str, content: str | Sequence[Fields]) -> str:
    if isinstance(content, str):
        return content
    for number, block in enumerate(content):
        if block["type"] != "text":
            raise Unmappable(f"{place}.{number}", f"{block['type']!r}: only text can stand here")
    return "\n\n".join(block["text"] for block in content)


def _tool(number: int, tool: Fields) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):
        what = f"{tool['type']!r} is a tool that runs at Anthropic. Give one with an input_schema"
        raise Unmappable(f"tools.{number}", what)
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _tool_choice(choice: Fields) -> Any:
    kind = choice["type"]
    if kind == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    if kind not in _CHOICES:
        raise Unmappable("tool_choice", f"{kind!r}: take auto, any, none or tool")
    return _CHOICES[kind]


def _format(output: Fields) -> dict[str, Any] | None:
    wanted = output.get("format")
    if wanted is None:
        return None
    if wanted["type"] != "json_schema":
        raise Unmappable("output_config.format", f"{wanted['type']!r}: take json_schema")
    schema = {"name": "answer", "schema": wanted["schema"], "strict": True}
    return {"type": "json_schema", "json_schema": schema}
