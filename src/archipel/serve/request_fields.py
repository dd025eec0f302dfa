"""What a client may ask: the fields that the service itself needs, or that no engine checks."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_MOST_TOKENS = 1 << 24  # times answers and price, it is a number that the database holds
_MOST_ANSWERS = 128


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="allow", strict=True)
    role: str
    content: str | list[dict[str, Any]] | None = None


class CommonFields(BaseModel):
    """Of every endpoint that asks a model; further fields go to its provider as they are."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    stream: bool | None = None
    max_tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)
    n: int | None = Field(default=None, ge=1, le=_MOST_ANSWERS)
    best_of: int | None = Field(default=None, ge=1, le=_MOST_ANSWERS)
    stream_options: dict[str, Any] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)


class ChatRequest(CommonFields):
    """Of /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)


class CompletionRequest(CommonFields):
    """Of /v1/completions."""

    prompt: str | list[Any]


class EmbeddingRequest(CommonFields):
    """Of /v1/embeddings."""

    input: str | list[Any]


class MessagesRequest(BaseModel):
    """Of /v1/messages, Anthropic's API."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    max_tokens: int = Field(ge=1, le=_MOST_TOKENS)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=1)


class ResponsesRequest(BaseModel):
    """Of /v1/responses."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    input: str | list[dict[str, Any]] = Field(min_length=1)
    max_output_tokens: int | None = Field(default=None, ge=1, le=_MOST_TOKENS)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
