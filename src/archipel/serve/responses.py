"""A request to OpenAI's Responses API as a chat completion request. Pure.

Nothing is stored here, so that what refers to an earlier response is refused by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archipel.serve.translation import Unmappable, wrong_types_named

_AS_IT_IS = (
    *("model", "temperature", "top_p", "stream", "parallel_tool_calls"),
    *("seed", "user", "metadata", "service_tier"),
)
_REFUSED = ("previous_response_id", "conversation", "background", "prompt", "top_logprobs")
_ROLES = ("user", "assistant", "system", "developer")

Fields = Mapping[str, Any]


def to_chat_request(request: Fields) -> dict[str, Any]:
    """The body for `/v1/chat/completions` that asks what a Responses request asks.

    Raises:
        Unmappable: a field is wrong, or says what can't be said there.
    """
    with wrong_types_named():
        return _chat(request)


def _chat(request: Fields) -> dict[str, Any]:
    for name in _REFUSED:
        if request.get(name):
            raise Unmappable(name, "there is no such thing here. Send the whole conversation")
    instructions = request.get("instructions")
    turns = [{"role": "system", "content": instructions}] if instructions else []
    chat = {
        **{name: request.get(name) for name in _AS_IT_IS},
        "messages": [*turns, *_merged(_turns(request["input"]))],
        "max_completion_tokens": request.get("max_output_tokens"),
        "tools": [_tool(n, tool) for n, tool in enumerate(request.get("tools") or ())] or None,
        "tool_choice": _tool_choice(request.get("tool_choice")),
        "response_format": _format((request.get("text") or {}).get("format")),
        "reasoning_effort": (request.get("reasoning") or {}).get("effort"),
        "stream_options": {"include_usage": True} if request.get("stream") else None,
    }
    return {key: value for key, value in chat.items() if value is not None}


def _turns(given: str | Sequence[Fields]) -> Iterator[dict[str, Any]]:
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    for number, item in enumerate(given):
        place, kind = f"input.{number}", item.get("type", "message")
        if kind == "message":
            yield _message(place, item)
        elif kind == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            yield {"role": "assistant", "content": None, "tool_calls": [call]}
        elif kind == "function_call_output":
            said = _text(f"{place}.output", item["output"])
            yield {"role": "tool", "tool_call_id": item["call_id"], "content": said}
        elif kind != "reasoning":  # what a model said to itself in an earlier answer
            raise Unmappable(place, f"{kind!r} is no message, function_call or its output")


def _merged(turns: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls in the answer that they belong to, as chat completions have them."""
    merged: list[dict[str, Any]] = []
    for turn in turns:
        if merged and "tool_calls" in turn and merged[-1]["role"] == "assistant":
            calls = merged[-1].get("tool_calls", []) + turn["tool_calls"]
            merged[-1] = {**merged[-1], "tool_calls": calls}
        else:
            merged.append(turn)
    return merged


def _message(place: str, item: Fields) -> dict[str, Any]:
    role, content = item["role"], item["content"]
    if role not in _ROLES:
        raise Unmappable(f"{place}.role", f"{role!r}: take one of {', '.join(_ROLES)}")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if role != "user":
        return {"role": role, "content": _text(f"{place}.content", content)}
    parts = [_part(f"{place}.content.{n}", part) for n, part in enumerate(content)]
    return {"role": role, "content": parts}


def _part(place: str, part: Fields) -> dict[str, Any]:
    if part["type"] == "input_text":
        return {"type": "text", "text": part["text"]}
    if part["type"] == "input_image" and part.get("image_url"):
        image = {"url": part["image_url"], "detail": part.get("detail")}
        image = {key: value for key, value in image.items() if value is not None}
        return {"type": "image_url", "image_url": image}
    raise Unmappable(place, f"{part['type']!r} is no input_text, or input_image with an image_url")


def _text(place: str, content: str | Sequence[Fields]) -> str:
    if isinstance(content, str):
        return content
    for number, part in enumerate(content):
        if part["type"] not in ("input_text", "output_text"):
            raise Unmappable(f"{place}.{number}", f"{part['type']!r}: only text can stand here")
    return "".join(part["text"] for part in content)


def _tool(number: int, tool: Fields) -> dict[str, Any]:
    if tool["type"] != "function":
        what = f"{tool['type']!r} is a tool that runs at OpenAI. Give a function"
        raise Unmappable(f"tools.{number}", what)
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _tool_choice(choice: Any) -> Any:
    if choice is None or isinstance(choice, str):
        return choice
    if choice["type"] != "function":
        raise Unmappable("tool_choice", f"{choice['type']!r}: take a function")
    return {"type": "function", "function": {"name": choice["name"]}}


def _format(wanted: Fields | None) -> dict[str, Any] | None:
    if wanted is None or wanted["type"] == "text":
        return None
    if wanted["type"] != "json_schema":
        return dict(wanted)
    schema = {key: value for key, value in wanted.items() if key != "type"}
    return {"type": "json_schema", "json_schema": schema}
