"""Providers: who answers chat messages, here or elsewhere, each in its own way over HTTP.

A provider says what is to be sent for a request; `upstream.py` sends it.
"""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from archipel import config
from archipel.errors import ConfigError
from archipel.models.gaps import Marks
from archipel.serve.anthropic import to_messages_request
from archipel.serve.anthropic_stream import AnthropicDialect
from archipel.serve.engines import Engines, Lease
from archipel.serve.gap import FilledGap, marked
from archipel.serve.image_parts import first_picture, with_pictures_read
from archipel.serve.question import OPENAI, Dialect, Question
from archipel.serve.routing import Policy, Target
from archipel.serve.setting_tables import Ability, ProviderTable
from archipel.serve.shadow import Shadow
from archipel.serve.translation import Unmappable
from archipel.serve.weights import Kind

_OF_OTHERS: Collection[Kind] = ("vllm", "sglang", "command")  # they know what they see
AZURE_VERSION = "2024-10-21"
ANTHROPIC_VERSION = "2023-06-01"


@dataclass(frozen=True)
class Call:
    """An HTTP POST, how to read the answer, and whom to tell when that is over."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    dialect: Dialect = OPENAI
    done: Callable[[], None] = lambda: None


class Provider(Protocol):
    """One engine or one service elsewhere."""

    async def call(self, question: Question, model: str) -> Call:
        """What to send.

        Raises:
            ModelError: the engine can't be started.
            Unmappable: this provider has no word for what is asked.
        """
        ...


class Replicated(Provider, Protocol):
    """A provider that several engines stand behind, each of which may be asked by itself."""

    def targets(self, target: Target, draw: bytes, *, sticky: bool) -> list[Target]:
        """Those that may answer for the target, in their order; equal draws go, if `sticky`, to
        the same one while it has room."""
        ...

    def replica(self, id: str) -> Provider:
        """One of them."""
        ...


@dataclass
class Directory:
    """The policies by public name and the providers that they name; all may be replaced."""

    policies: Mapping[str, Policy]
    providers: Mapping[str, Provider]
    replicated: Mapping[str, Replicated] = field(default_factory=dict)  # of the providers
    drained: Collection[str] = ()  # providers that are asked for nothing new
    shadows: Mapping[str, Shadow] = field(default_factory=dict)  # by route
    offers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # told of public names
    # What engines can do beside chatting.
    further: Mapping[str, Sequence[Ability]] = field(default_factory=dict)

    def provider(self, target: Target) -> Provider:
        """Whom to ask for a target."""
        if target.replica is None:
            return self.providers[target.provider]
        return self.replicated[target.provider].replica(target.replica)


@dataclass(frozen=True)
class EngineProvider:
    """A model that runs here."""

    engines: Engines
    name: str
    marks: Marks | None = None  # by which it fills gaps

    async def call(self, question: Question, model: str) -> Call:
        """As `Provider.call`; starts the engine if it is not running."""
        asked = marked(question, self.marks)
        call = await engine_call(await self.engines.lend(self.name), asked, model)
        if asked is question:
            return call
        return replace(call, dialect=FilledGap(question.fields["suffix"]))


@dataclass(frozen=True)
class OpenAIProvider:
    """Any service with OpenAI's API, at `url` (…/v1)."""

    url: str
    key: str | None

    async def call(self, question: Question, model: str) -> Call:
        """As `Provider.call`."""
        headers = _bearer(self.key) if self.key else {}
        return Call(self.url + question.endpoint, headers, question.to(model))


@dataclass(frozen=True)
class AzureProvider:
    """Azure OpenAI: a model is a deployment, named in the URL; `url` is the resource's."""

    url: str
    key: str | None
    version: str

    async def call(self, question: Question, model: str) -> Call:
        """As `Provider.call`."""
        url = f"{self.url}/openai/deployments/{model}{question.endpoint}?api-version={self.version}"
        return Call(url, {"api-key": self.key} if self.key else {}, question.to(model))


@dataclass(frozen=True)
class AnthropicProvider:
    """Anthropic's Messages API, at `url` (…/v1)."""

    url: str
    key: str | None
    version: str

    async def call(self, question: Question, model: str) -> Call:
        """As `Provider.call`."""
        if question.endpoint != "/chat/completions":
            raise Unmappable("model", "its provider only chats. Ask through /v1/chat/completions")
        body = to_messages_request(question.fields, model)
        headers = {"anthropic-version": self.version}
        if self.key:
            headers["x-api-key"] = self.key
        options = question.fields.get("stream_options") or {}
        dialect = AnthropicDialect(int(time.time()), bool(options.get("include_usage")))
        return Call(f"{self.url}/messages", headers, json.dumps(body).encode(), dialect)


async def engine_call(lease: Lease, question: Question, model: str) -> Call:
    """What to send to an engine; the lease ends with the answer.

    Raises:
        Unmappable: the engine has no word for it, would fetch what it names, or leave a part of it
            out.
        ApiError: a picture in it is no good.
    """
    try:
        _check_kind(lease.kind, question)
        _check_links(question.fields)
        _check_prompt(question.fields)
        if lease.kind == "llama.cpp" and question.fields.get("echo"):
            # It answers as if that were not there, and tells nothing of a prompt's tokens.
            raise Unmappable("echo", "this model's engine does not give its prompt back")
        _check_logprobs(lease, question.fields)
        question = await _with_pictures(lease, question)
    except BaseException:  # cancelled too: no lease may outlive its request
        lease.end()
        raise
    url = f"{lease.address.url}/v1{question.endpoint}"
    # llama.cpp's server ends connections that are kept, also while the next request comes: of 400
    # requests, eight at once, 15 failed so.
    headers = {**_bearer(lease.address.api_key), "Connection": "close"}
    adapted = _adapted(question, model, lease.adapters)
    return Call(url, headers, adapted.to(model), done=lease.end)


def _check_kind(kind: Kind, question: Question) -> None:
    """Refuse pictures asked of a model of texts, and the other way round."""
    asks_pictures = question.endpoint.startswith("/images/")
    if kind == "pictures" and not asks_pictures:
        instead = "Ask it through /v1/images/generations, or ask another model"
        raise Unmappable("model", f"it makes pictures only. {instead}")
    if kind != "pictures" and question.is_media:
        raise Unmappable("model", "it runs here, and knows texts only. Ask another model")


def _check_logprobs(lease: Lease, fields: Mapping[str, Any]) -> None:
    """Refuse to be asked for what llama.cpp, as of 2026, leaves out of tokens that were guessed: it
    says 0 of each."""
    for name in ("logprobs", "n_probs"):
        if fields.get(name) and not lease.tells_logprobs:
            raise Unmappable(
                name,
                "this model runs with speculation, and does not tell how likely what it guessed "
                "was. Ask another model, or serve it without: speculation in its table",
            )


async def _with_pictures(lease: Lease, question: Question) -> Question:
    """The question as an engine that sees is asked it."""
    place = first_picture(question.fields)
    if place is None or lease.kind in _OF_OTHERS:
        return question
    if not lease.sees:
        instead = "serve this one with a projector: mmproj in its table"
        raise Unmappable(
            place,
            'this model can\'t see pictures. Ask one whose "abilities" in GET /v1/models have '
            '"sight"' + (f", or {instead}" if lease.kind == "llama.cpp" else ""),
        )
    fields = await asyncio.to_thread(with_pictures_read, question.fields)
    return Question(question.endpoint, fields, None)


def _adapted(question: Question, model: str, adapters: Sequence[str]) -> Question:
    """The question with every adapter's scale, which llama.cpp otherwise takes from elsewhere."""
    if not adapters:
        return question
    scales = [{"id": number, "scale": float(name == model)} for number, name in enumerate(adapters)]
    return Question(question.endpoint, {**question.fields, "lora": scales}, None)


def _check_links(fields: Mapping[str, Any]) -> None:
    """Refuse pictures and the like that are not in the request itself: the engine would fetch them
    from wherever this machine reaches."""
    for number, message in enumerate(fields.get("messages") or ()):
        parts = message.get("content")
        for place, part in enumerate(parts if isinstance(parts, list) else ()):
            if not all(map(_is_inside, _links(part))):
                raise Unmappable(
                    f"messages.{number}.content.{place}",
                    "this model takes what is in the request only. Send a data: URL",
                )


def _check_prompt(fields: Mapping[str, Any]) -> None:
    """Refuse llama.cpp's own way of sending pictures, past what looks at them here."""
    for name in ("prompt", "input"):
        given = fields.get(name)
        if isinstance(given, list) and any(isinstance(one, dict) for one in given):
            raise Unmappable(name, "an object is neither text nor tokens. Send one of these")


def _links(part: Mapping[str, Any]) -> list[Any]:
    return [value for name, value in part.items() if name.endswith("_url")]


def _is_inside(link: Any) -> bool:
    url = link.get("url") if isinstance(link, Mapping) else link
    return isinstance(url, str) and url.startswith("data:")


def provider_elsewhere(name: str, table: ProviderTable) -> Provider:
    """The provider that a table of the settings describes.

    Raises:
        ConfigError: its key can't be had.
    """
    key = _key(name, table)
    if table.kind == "azure":
        return AzureProvider(table.url, key, table.api_version or AZURE_VERSION)
    if table.kind == "anthropic":
        return AnthropicProvider(table.url, key, table.api_version or ANTHROPIC_VERSION)
    return OpenAIProvider(table.url, key)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _key(name: str, table: ProviderTable) -> str | None:
    if table.key_env:
        key = config.variable(table.key_env)
        if not key:
            raise ConfigError(
                f"providers.{name}.key_env: {table.key_env} is not set. Put the key into it."
            )
        return _one_line(key, f"providers.{name}.key_env: {table.key_env}")
    return read_key(table.key_file) if table.key_file else None


def read_key(file: Path) -> str:
    """The key that a file holds.

    Raises:
        ConfigError: the file can't be read or is empty.
    """
    try:
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the key in {file}: {error}. Check the path.") from error
    if not key:
        raise ConfigError(f"{file} is empty. Put one key into it.")
    return _one_line(key, str(file))


def _one_line(key: str, place: str) -> str:
    if not key.isprintable():  # in a header, a line's end would begin another header
        raise ConfigError(f"{place} is not one line of printable text. Put one key into it.")
    return key
