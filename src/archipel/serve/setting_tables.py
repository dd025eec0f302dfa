"""The tables of the service's TOML file, each with what it may hold."""

import math
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from archipel.models.gaps import Family
from archipel.models.purpose import LANGUAGE, Task
from archipel.serve.routing import PiecePrice, Price
from archipel.serve.weights import Kind

Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,128}$")]
Seconds = Annotated[float, Field(gt=0, le=24 * 3600)]
Ability = Literal["chat", "fill", "embeddings", "pictures", "sight"]
Language = Annotated[str, Field(pattern=f"^{LANGUAGE}$")]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_ENGINES_WITH: dict[str, tuple[Kind | None, ...]] = {
    "adapters": (None, "llama.cpp", "vllm"),
    "mmproj": (None, "llama.cpp", "torch"),
    "pooling": (None, "llama.cpp", "vllm", "sglang"),
    "speculation": (None, "llama.cpp"),
    "command": ("vllm", "sglang", "command"),
    "arguments": ("vllm", "sglang"),
    "key_env": ("command",),
    "log_file": ("vllm", "sglang", "command"),
}


class ReplicasTable(Table):
    """`replicas` of a model: how many of it run in a Ray cluster, with `--ray`."""

    min: int = Field(default=1, ge=1, le=1024)
    max: int = Field(default=1, ge=1, le=1024)
    streams_each: int | None = Field(
        default=None, ge=1, description="that one is to have; all its places if not given"
    )
    cpus: float = Field(default=1.0, ge=0, le=1024, description="that one takes of its node")
    gpus: float = Field(default=0.0, ge=0, le=64)
    up_seconds: Seconds = Field(default=5.0, description="too busy for so long: one more")
    down_seconds: Seconds = Field(default=300.0, description="idle for so long: one less")

    @model_validator(mode="after")
    def _is_a_range(self) -> "ReplicasTable":
        if self.min > self.max:
            raise ValueError(f"min is {self.min}, more than max, {self.max}")
        return self


class ModelTable(Table):
    """`[models.NAME]`: a model that runs here, in a process of its own."""

    path: str = Field(default="", description="folder, .gguf file or pulled name")
    engine: Kind | None = Field(
        default=None,
        description="llama.cpp, torch for a checkpoint that llama.cpp can't take, or pictures",
    )
    adapters: dict[Name, str] = Field(
        default_factory=dict, description="LoRA: a .gguf file or PEFT folder by public name"
    )
    mmproj: str | None = Field(
        default=None,
        description='the .gguf file by which it sees pictures, if not the one beside it; or "none"',
    )
    command: tuple[str, ...] | None = Field(
        default=None, description="the server's program and, for engine command, all arguments"
    )
    arguments: tuple[str, ...] = Field(default=(), description="further ones, for vllm and sglang")
    key_env: str | None = Field(
        default=None, description="the variable in which engine command is given its key"
    )
    health: str = Field(default="/health", pattern="^/", description="answers 200 when loaded")
    start_seconds: Seconds = Field(default=900.0, description="that a server may take to load")
    log_file: Path | None = Field(default=None, description="for what a server prints")
    memory_gigabytes: float | None = Field(
        default=None, gt=0, le=1e6, description="that it counts as, if not as it is measured"
    )
    context: int = Field(default=4096, ge=64)
    parallel: int = Field(default=4, ge=1, le=1024)
    threads: int | None = Field(default=None, ge=1)
    pooling: Literal["mean", "cls", "last"] | None = Field(
        default=None, description="it embeds texts, so pooled, instead of answering"
    )
    speculation: Literal["ngram"] | None = Field(
        default=None,
        description="what a text repeats is guessed, several tokens checked at once; no logprobs",
    )
    load: Literal["start", "demand"] = Field(
        default="start", description="in memory from the start, or from the first question on"
    )
    idle_seconds: Seconds | None = Field(default=None, description="without a question: it leaves")
    pinned: bool = Field(default=False, description="it never leaves for another")
    replicas: ReplicasTable = ReplicasTable()
    tasks: tuple[Task, ...] | None = Field(
        default=None, description="that it is made for, if not as its card says"
    )
    languages: tuple[Language, ...] | None = Field(default=None, description="by their codes")
    gaps: Family | Literal["none"] | None = Field(
        default=None, description="how it marks a gap that it fills, if not as its vocabulary says"
    )

    @model_validator(mode="after")
    def _stays_or_leaves(self) -> "ModelTable":
        if self.pinned and self.idle_seconds:
            raise ValueError("pinned, and idle_seconds: give one of them")
        return self

    @model_validator(mode="after")
    def _is_of_one_engine(self) -> "ModelTable":
        for name, engines in _ENGINES_WITH.items():
            if getattr(self, name) and self.engine not in engines:
                asked = self.engine or "llama.cpp, or torch by itself"
                raise ValueError(f"{name} is not for engine {asked}: leave it out")
        if not self.path and self.engine != "command":
            raise ValueError("path is lacking: a folder, a .gguf file or a pulled name")
        if self.engine == "command" and not any("{port}" in part for part in self.command or ()):
            raise ValueError('command must say where it listens: ["program", "--port", "{port}"]')
        return self

    @model_validator(mode="after")
    def _has_places(self) -> "ModelTable":
        if (self.replicas.streams_each or 0) > self.parallel:
            raise ValueError(
                f"replicas.streams_each is {self.replicas.streams_each}, and parallel, what one "
                f"replica answers at once, is {self.parallel}"
            )
        return self


class EnginesTable(Table):
    """`[engines]`: what the models that run here share."""

    memory_gigabytes: float | None = Field(default=None, gt=0, le=1e6)


class ProviderTable(Table):
    """`[providers.NAME]`: a service elsewhere. Its key is in the environment or in a file."""

    kind: Literal["openai", "azure", "anthropic"] = "openai"
    url: str
    key_env: str | None = None
    key_file: Path | None = None
    api_version: str | None = Field(default=None, description="Azure's and Anthropic's")
    is_here: bool = Field(default=False, description="what it is told stays in the organisation")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if "@" in rest:  # the URL may hold a password: it is not shown
            raise ValueError("give the URL without credentials; they belong in key_env or key_file")
        if scheme not in ("http", "https") or not rest:
            raise ValueError(f"{url!r} is not an http(s) URL")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_one_key(self) -> "ProviderTable":
        if self.key_env and self.key_file:
            raise ValueError("give key_env or key_file, not both")
        return self


class TargetTable(Table):
    """One entry of a route's `targets`; without `provider`, a model that runs here."""

    provider: Name | None = None
    model: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, le=1e6)
    first_token_seconds: Seconds = 60.0
    answer_seconds: Seconds = 600.0
    context: int | None = Field(default=None, ge=1, description="tokens, where it is elsewhere")
    prompt_price: float | None = Field(default=None, ge=0, le=1e6, description="a million tokens")
    completion_price: float | None = Field(default=None, ge=0, le=1e6)
    picture_price: float | None = Field(default=None, ge=0, le=1e6, description="one")
    sound_price: float | None = Field(default=None, ge=0, le=1e6, description="one request")

    @model_validator(mode="after")
    def _has_one_context(self) -> "TargetTable":
        if self.context is not None and self.provider is None:
            raise ValueError("context is for a model elsewhere; here it is in the model's table")
        return self

    @model_validator(mode="after")
    def _has_both_prices(self) -> "TargetTable":
        if (self.prompt_price is None) != (self.completion_price is None):
            raise ValueError("give prompt_price and completion_price, or neither")
        return self

    def price(self) -> Price | None:
        """What its tokens cost: nothing for a model that runs here, if the file does not say."""
        if self.prompt_price is None or self.completion_price is None:
            return Price(0, 0) if self.provider is None else None
        return Price(_nanos_a_token(self.prompt_price), _nanos_a_token(self.completion_price))

    def piece_price(self) -> PiecePrice:
        """What a picture and a sound cost, where the file says it. A picture that is made here
        costs nothing if it does not."""
        usual = 0 if self.provider is None else None
        picture = usual if self.picture_price is None else _nanos(self.picture_price)
        return PiecePrice(picture, _nanos(self.sound_price))


class AccountsTable(Table):
    """`[accounts]`: keys, limits and usage are in a database, and every request needs a key."""

    database: str | None = Field(default=None, description="URL without a password")
    answer_tokens: int = Field(default=2048, ge=1, le=1 << 20)
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    batch_price_share: float = Field(default=0.5, ge=0, le=1, description="of a batch's lines")

    @field_validator("database")
    @classmethod
    def _has_no_password(cls, url: str | None) -> str | None:
        if url and re.match(r"[^/]*//[^/@]*:[^/@]*@", url):
            raise ValueError("the URL has a password: put the whole URL into DATABASE_URL instead")
        return url


class FilesTable(Table):
    """`[files]`: clients keep files here, and have batches of requests made from them."""

    store: str | None = Field(default=None, description="URL; a folder in ARCHIPEL_HOME")
    file_megabytes: int = Field(default=200, ge=1, le=512)
    project_gigabytes: float = Field(default=20.0, gt=0, le=1e6)
    keep_days: float = Field(default=30.0, gt=0, le=36_500)


class BatchesTable(Table):
    """`[batches]`: how much batches take of what serves live requests too."""

    parallel: int = Field(default=2, ge=1, le=1024, description="lines asked at once, a process")


class MetricsTable(Table):
    """`[metrics]`: what is counted and timed, for Prometheus, on a port of its own."""

    listen: str = "127.0.0.1:9464"

    @field_validator("listen")
    @classmethod
    def _is_address(cls, listen: str) -> str:
        host, port = _host_and_port(listen)
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
        return listen

    def address(self) -> tuple[str, int]:
        """The host, without the brackets of an IPv6 address, and the port."""
        host, port = _host_and_port(self.listen)
        return host, int(port)


class LogsTable(Table):
    """`[logs]`: what is logged beside what goes wrong."""

    requests: bool = Field(default=False, description="a line for each request, without its text")


class BrowsersTable(Table):
    """`[browsers]`: pages and plugins of other origins that may ask with a key of their own (CORS),
    as ONLYOFFICE's does."""

    origins: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://[^/*@\s]+$")], ...] = Field(
        default=(), description="each as onlyoffice://plugin or https://office.example"
    )


class TracesTable(Table):
    """`[traces]`: spans go to an OpenTelemetry collector by OTLP over HTTP."""

    otlp: str = Field(pattern="^https?://[^@]+$", description="the collector's URL, without path")
    share: float = Field(default=1.0, ge=0, le=1, description="of the traces that begin here")


class ProvenanceTable(Table):
    """`[provenance]`: each picture that is made here is signed, with C2PA's Content Credentials."""

    certificate_file: Path = Field(description="PEM: the signer's, then those that certify it")
    key_file: Path = Field(description="PEM: the private key of the first of them")


class RouteTable(Table):
    """`[routes.NAME]`: a public model name, answered by the first of its targets that can."""

    targets: tuple[TargetTable, ...] = Field(min_length=1, max_length=64)
    order: Literal["listed", "weighted"] = "listed"
    sticky: bool = False
    data_stays_here: bool = False
    hedge_seconds: Seconds | None = None
    retry_share: float = Field(default=0.2, ge=0, le=1)
    retry_burst: float = Field(default=1000.0, ge=0)
    abilities: tuple[Ability, ...] | None = Field(default=None, description="told to clients")
    tasks: tuple[Task, ...] | None = Field(default=None, description="that it is made for; told")
    languages: tuple[Language, ...] | None = Field(default=None, description="told to clients")


def _host_and_port(listen: str) -> tuple[str, str]:
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def _nanos(price: float | None) -> int | None:
    return None if price is None else math.ceil(round(price * 1e9, 6))


def _nanos_a_token(price: float) -> int:
    """Of a price for a million tokens; rounded up, so that no budget is overspent."""
    return math.ceil(round(price * 1000, 6))
