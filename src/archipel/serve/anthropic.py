"""A chat completion request as one for Anthropic's Messages API. Pure.

What Anthropic has no word for is refused by name where it would change the answer, and left out
where it would not.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from archipel.serve.translation import Unmappable, wrong_types_named

_MOST_TOKENS = 4096  # of an answer whose length the client leaves open
_CHANGING = (
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "audio",
    "functions",
)
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}

Fields = Mapping[str, Any]


def to_messages_request(chat: Fields, model: str) -> dict[str, Any]:
    """The body for `/v1/messages` that asks what a chat completion request asks.

    Raises:
        Unmappable: a field is wrong, or says what can't be said there.
    """
    with wrong_types_named():
        return _request(chat, model)


def _request(chat: Fields, model: str) -> dict[str, Any]:
    _check(chat)
    system, turns = _turns(chat["messages"])
    temperature = chat.get("temperature")
    stop = chat.get("stop")
    body = {
        "model": model,
        "messages": turns,
        "max_tokens": chat.get("max_completion_tokens") or chat.get("max_tokens") or _MOST_TOKENS,
        "system": system or None,
        "temperature": None if temperature is None else min(1.0, temperature),
        "top_p": chat.get("top_p"),
        "stop_sequences": [stop] if isinstance(stop, str) else stop,
        "stream": chat.get("stream"),
        "tools": [_tool(n, tool) for n, tool in enumerate(chat.get("tools") or ())] or None,
        "tool_choice": _tool_choice(chat),
        "output_config": _output(chat),
    }
    return {key: value for key, value in body.items() if value is not None}


def _check(chat: Fields) -> None:
    for key in _CHANGING:
        if chat.get(key):
            raise Unmappable(key, "the provider of this model has no such option. Leave it out")
    if chat.get("n") not in (None, 1):
        raise Unmappable("n", f"{chat['n']!r} answers: this model's provider gives one. Ask again")


def _turns(messages: Sequence[Any]) -> tuple[str, list[dict[str, Any]]]:
    """The system's text, and the rest with neighbours of one role merged, as Anthropic wants it."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        role = message.get("role")
        if role in ("system", "developer"):
            system += [block["text"] for block in _blocks(place, message.get("content"))]
            continue
        if role not in ("user", "assistant", "tool"):
            raise Unmappable(f"{place}.role", f"{role!r} is not a role. Take user or assistant")
        speaker = "assistant" if role == "assistant" else "user"
        blocks = _said(place, role, message)
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": speaker, "content": blocks})
    return "\n\n".join(system), turns


def _said(place: str, role: str, message: Fields) -> list[dict[str, Any]]:
    blocks = _blocks(place, message.get("content"))
    if role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
        return [{**result, "content": blocks}]
    calls = message.get("tool_calls") or ()
    return blocks + [_call(f"{place}.tool_calls.{n}", call) for n, call in enumerate(calls)]


def _call(place: str, call: Any) -> dict[str, Any]:
    try:
        function = call["function"]
        given = from_json(function["arguments"] or "{}")
        json.dumps(given, allow_nan=False)  # raises where a number is none
        return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}
    except (KeyError, TypeError, ValueError) as error:
        raise Unmappable(place, "not a call with an id, a name and JSON arguments") from error


def _blocks(place: str, content: Any) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_block(f"{place}.content.{n}", part) for n, part in enumerate(content)]


def _block(place: str, part: Any) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "image_url" and isinstance(part.get("image_url"), Mapping):
        return {"type": "image", "source": _image(place, part["image_url"].get("url"))}
    raise Unmappable(place, f"{kind!r} is neither a text nor an image_url part. Leave it out")


def _image(place: str, url: Any) -> dict[str, str]:
    if isinstance(url, str) and url.startswith("https://"):
        return {"type": "url", "url": url}
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if head.startswith("data:image/") and head.endswith(";base64") and comma:
        kind = head.removeprefix("data:").removesuffix(";base64")
        return {"type": "base64", "media_type": kind, "data": data}
    raise Unmappable(place, "an image's URL begins with https:// or data:image/…;base64,")


def _tool(number: int, tool: Any) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise Unmappable(f"tools.{number}", "not a function with a name")
    found = {"name": function["name"], "input_schema": function.get("parameters")}
    found["input_schema"] = found["input_schema"] or {"type": "object", "properties": {}}
    if function.get("description"):
        found["description"] = function["description"]
    return found


def _tool_choice(chat: Fields) -> dict[str, Any] | None:
    choice = chat.get("tool_choice")
    if choice is None and chat.get("parallel_tool_calls") is not False:
        return None
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        found: dict[str, Any] = {"type": "tool", "name": name}
    elif (choice or "auto") in _CHOICES:
        found = {"type": _CHOICES[choice or "auto"]}
    else:
        raise Unmappable("tool_choice", f"{choice!r}: take auto, none, required or a function")
    if chat.get("parallel_tool_calls") is False and found["type"] != "none":
        found["disable_parallel_tool_use"] = True
    return found


def _output(chat: Fields) -> dict[str, Any] | None:
    wanted = chat.get("response_format")
    if wanted is None or wanted.get("type") == "text":
        return None
    schema = (wanted.get("json_schema") or {}).get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, Mapping):
        raise Unmappable("response_format", "this model's provider takes json_schema with a schema")
    return {"format": {"type": "json_schema", "schema": schema}}
