"""What editors' programs ask, each in its own shape, as a completion with a `suffix`. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from archipel.serve.question import Gap, Question

_MOST_TOKENS = 1 << 14
_USUAL_TOKENS = 128  # of a suggestion, where the client does not say
_CHARACTERS_A_TOKEN = 2  # of code, at least about
_BEFORE_SHARE = 0.75  # of the room for the text around a gap
_STEPS = 4  # in which the beginning of a text that is too long moves on
_SNIPPETS = (
    "declarations",
    "relevant_snippets_from_changed_files",
    "relevant_snippets_from_recently_opened_files",
)

Fields = Mapping[str, Any]


class Request(BaseModel):
    """What all have in common. `model`: the first that fills gaps where it is not given."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str | None = None
    stream: bool | None = None


class Extra(BaseModel):
    """A text from elsewhere in the project."""

    model_config = ConfigDict(extra="allow", strict=True)
    filename: str = ""
    text: str = ""


class InfillRequest(Request):
    """Of /infill, llama.cpp's. `prompt`: what stands in the gap already."""

    input_prefix: str = ""
    input_suffix: str = ""
    prompt: str = ""
    input_extra: list[Extra] = Field(default_factory=list, max_length=64)
    n_predict: int | None = Field(default=None, le=_MOST_TOKENS)
    temperature: float | None = Field(default=None, ge=0, le=2)


class FimRequest(Request):
    """Of /v1/fim/completions, Mistral's."""

    prompt: str
    suffix: str | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=_MOST_TOKENS)
    temperature: float | None = Field(default=None, ge=0, le=2)


class Snippet(BaseModel):
    """A text from elsewhere in the project, as Tabby's clients send it."""

    model_config = ConfigDict(extra="allow", strict=True)
    filepath: str = ""
    body: str = ""


class Segments(BaseModel):
    """The text around a gap, as Tabby's clients send it."""

    model_config = ConfigDict(extra="allow", strict=True)
    prefix: str
    suffix: str | None = None
    declarations: list[Snippet] | None = Field(default=None, max_length=64)
    relevant_snippets_from_changed_files: list[Snippet] | None = Field(default=None, max_length=64)
    relevant_snippets_from_recently_opened_files: list[Snippet] | None = Field(
        default=None, max_length=64
    )


class TabbyRequest(Request):
    """Of /tabby/v1/completions, Tabby's."""

    segments: Segments
    language: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)


class GenerateOptions(BaseModel):
    """How Ollama's clients say what is to be sampled."""

    model_config = ConfigDict(extra="allow", strict=True)
    num_predict: int | None = Field(default=None, le=_MOST_TOKENS)
    temperature: float | None = Field(default=None, ge=0, le=2)


class GenerateRequest(Request):
    """Of /api/generate, Ollama's. Without `suffix` and `raw` the prompt is a turn of a chat."""

    model: str
    prompt: str = ""
    suffix: str | None = None
    system: str | None = None
    raw: bool | None = None
    options: GenerateOptions | None = None


class ShowRequest(BaseModel):
    """Of /api/show, Ollama's."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str


def of_infill(asked: Fields, context: int | None) -> Gap:
    """llama.cpp's request, for a model of so many tokens of context."""
    asked_tokens = asked.get("n_predict")
    tokens = _USUAL_TOKENS if asked_tokens is None or asked_tokens < 0 else max(1, asked_tokens)
    extra = [(one.get("filename", ""), one.get("text", "")) for one in asked.get("input_extra", ())]
    line = asked.get("prompt", "")
    before, behind = fitted(
        _with_snippets(extra, asked.get("input_prefix", "") + line),
        asked.get("input_suffix", ""),
        _room(context, tokens),
    )
    own = {name: asked[name] for name in ("t_max_predict_ms", "n_indent") if name in asked}
    fields = own | {"suffix": behind, "max_tokens": tokens, **_sampling(asked)}
    begun = line if before.endswith(line) else ""
    return Gap("/completions", _asked(asked, before, fields), None, begun)


def of_fim(asked: Fields, context: int | None) -> Gap:
    """Mistral's request."""
    fields = dict(asked)
    if "random_seed" in fields:
        fields["seed"] = fields.pop("random_seed")
    tokens = fields.setdefault("max_tokens", _USUAL_TOKENS) or _USUAL_TOKENS
    behind = asked.get("suffix") or ""
    before, fields["suffix"] = fitted(asked["prompt"], behind, _room(context, tokens))
    return Gap("/completions", _asked(asked, before, fields), None)


def of_tabby(asked: Fields, context: int | None) -> Gap:
    """Tabby's request, which is never streamed."""
    segments = asked["segments"]
    snippets = [
        (one.get("filepath", ""), one.get("body", ""))
        for kind in _SNIPPETS
        for one in segments.get(kind) or ()
    ]
    room = _room(context, _USUAL_TOKENS)
    behind = segments.get("suffix") or ""
    before, behind = fitted(_with_snippets(snippets, segments["prefix"]), behind, room)
    fields = {"suffix": behind, "max_tokens": _USUAL_TOKENS, **_sampling(asked), "stream": False}
    return Gap("/completions", _asked(asked, before, fields), None)


def of_generate(asked: Fields, context: int | None) -> Question:
    """Ollama's request."""
    options = dict(asked.get("options") or {})
    tokens = options.pop("num_predict", None)
    fields = {name: options[name] for name in ("stop", "seed") if name in options}
    fields |= _sampling(options) | {"stream": asked.get("stream", True) is not False}
    if tokens is not None and tokens > 0:
        fields["max_tokens"] = tokens
    if asked.get("suffix") is not None:
        room = _room(context, fields.setdefault("max_tokens", _USUAL_TOKENS))
        before, fields["suffix"] = fitted(asked.get("prompt", ""), asked["suffix"], room)
        return Gap("/completions", _asked(asked, before, fields), None)
    if asked.get("raw"):
        return Question("/completions", _asked(asked, asked.get("prompt", ""), fields), None)
    system = [{"role": "system", "content": asked["system"]}] if asked.get("system") else []
    messages = [*system, {"role": "user", "content": asked.get("prompt", "")}]
    return Question(
        "/chat/completions", {**fields, "model": asked["model"], "messages": messages}, None
    )


def fitted(before: str, behind: str, most: int | None) -> tuple[str, str]:
    """The text around a gap, cut to so many characters: what is nearest to the gap stays. It begins
    at the same place while some more is typed, so that what the model has read of it is kept."""
    if most is None or len(before) + len(behind) <= most:
        return before, behind
    for_before = max(int(most * _BEFORE_SHARE), most - len(behind))
    step = max(for_before // _STEPS, 1)
    over = max(0, len(before) - for_before)
    before = before[-(-over // step) * step :]
    return before, behind[: most - len(before)]


def _room(context: int | None, tokens: int) -> int | None:
    """Characters for the text around a gap."""
    return None if context is None else max(1, context - tokens) * _CHARACTERS_A_TOKEN


def _with_snippets(snippets: list[tuple[str, str]], before: str) -> str:
    """Texts from elsewhere, each under its name, and then what is before the gap."""
    return "".join(f"# {name}\n{text}\n\n" for name, text in snippets) + before


def _sampling(asked: Fields) -> dict[str, Any]:
    """Likeliest first where nothing else is asked: a suggestion is to be the same each time."""
    names = ("temperature", "top_p", "seed", "stop")
    given = {name: asked[name] for name in names if asked.get(name) is not None}
    return {"temperature": 0.0, **given}


def _asked(asked: Fields, before: str, fields: Fields) -> dict[str, Any]:
    stream = {"stream": asked["stream"]} if asked.get("stream") is not None else {}
    return {**stream, **fields, "model": asked["model"], "prompt": before}
