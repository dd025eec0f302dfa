"""The service's TOML file: models that run here, providers elsewhere, and routes over both."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from archipel.errors import ConfigError
from archipel.serve.login.settings import LoginTable, OidcTable
from archipel.serve.routing import PiecePrice, Policy, Price, Target
from archipel.serve.weights import Kind, Weights, find_weights, name_models

_Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,128}$")]
_Seconds = Annotated[float, Field(gt=0, le=24 * 3600)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_ENGINES_WITH: dict[str, tuple[Kind | None, ...]] = {
    "adapters": (None, "llama.cpp", "vllm"),
    "pooling": (None, "llama.cpp", "vllm", "sglang"),
    "command": ("vllm", "sglang", "command"),
    "arguments": ("vllm", "sglang"),
    "key_env": ("command",),
    "log_file": ("vllm", "sglang", "command"),
}


class ReplicasTable(_Table):
    """`replicas` of a model: how many of it run in a Ray cluster, with `--ray`."""

    min: int = Field(default=1, ge=1, le=1024)
    max: int = Field(default=1, ge=1, le=1024)
    streams_each: int | None = Field(
        default=None, ge=1, description="that one is to have; all its places if not given"
    )
    cpus: float = Field(default=1.0, ge=0, le=1024, description="that one takes of its node")
    gpus: float = Field(default=0.0, ge=0, le=64)
    up_seconds: _Seconds = Field(default=5.0, description="too busy for so long: one more")
    down_seconds: _Seconds = Field(default=300.0, description="idle for so long: one less")

    @model_validator(mode="after")
    def _is_a_range(self) -> "ReplicasTable":
        if self.min > self.max:
            raise ValueError(f"min is {self.min}, more than max, {self.max}")
        return self


class ModelTable(_Table):
    """`[models.NAME]`: a model that runs here, in a process of its own."""

    path: str = Field(default="", description="folder, .gguf file or pulled name")
    engine: Kind | None = Field(
        default=None, description="llama.cpp, or torch for a checkpoint that llama.cpp can't take"
    )
    adapters: dict[_Name, str] = Field(
        default_factory=dict, description="LoRA: a .gguf file or PEFT folder by public name"
    )
    command: tuple[str, ...] | None = Field(
        default=None, description="the server's program and, for engine command, all arguments"
    )
    arguments: tuple[str, ...] = Field(default=(), description="further ones, for vllm and sglang")
    key_env: str | None = Field(
        default=None, description="the variable in which engine command is given its key"
    )
    health: str = Field(default="/health", pattern="^/", description="answers 200 when loaded")
    start_seconds: _Seconds = Field(default=900.0, description="that a server may take to load")
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
    load: Literal["start", "demand"] = Field(
        default="start", description="in memory from the start, or from the first question on"
    )
    idle_seconds: _Seconds | None = Field(default=None, description="without a question: it leaves")
    pinned: bool = Field(default=False, description="it never leaves for another")
    replicas: ReplicasTable = ReplicasTable()

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


class EnginesTable(_Table):
    """`[engines]`: what the models that run here share."""

    memory_gigabytes: float | None = Field(default=None, gt=0, le=1e6)


class ProviderTable(_Table):
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


class TargetTable(_Table):
    """One entry of a route's `targets`; without `provider`, a model that runs here."""

    provider: _Name | None = None
    model: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, le=1e6)
    first_token_seconds: _Seconds = 60.0
    answer_seconds: _Seconds = 600.0
    prompt_price: float | None = Field(default=None, ge=0, le=1e6, description="a million tokens")
    completion_price: float | None = Field(default=None, ge=0, le=1e6)
    picture_price: float | None = Field(default=None, ge=0, le=1e6, description="one")
    sound_price: float | None = Field(default=None, ge=0, le=1e6, description="one request")

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


class AccountsTable(_Table):
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


class FilesTable(_Table):
    """`[files]`: clients keep files here, and have batches of requests made from them."""

    store: str | None = Field(default=None, description="URL; a folder in ARCHIPEL_HOME")
    file_megabytes: int = Field(default=200, ge=1, le=512)
    project_gigabytes: float = Field(default=20.0, gt=0, le=1e6)
    keep_days: float = Field(default=30.0, gt=0, le=36_500)


class BatchesTable(_Table):
    """`[batches]`: how much batches take of what serves live requests too."""

    parallel: int = Field(default=2, ge=1, le=1024, description="lines asked at once, a process")


class MetricsTable(_Table):
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


class LogsTable(_Table):
    """`[logs]`: what is logged beside what goes wrong."""

    requests: bool = Field(default=False, description="a line for each request, without its text")


class TracesTable(_Table):
    """`[traces]`: spans go to an OpenTelemetry collector by OTLP over HTTP."""

    otlp: str = Field(pattern="^https?://[^@]+$", description="the collector's URL, without path")
    share: float = Field(default=1.0, ge=0, le=1, description="of the traces that begin here")


class RouteTable(_Table):
    """`[routes.NAME]`: a public model name, answered by the first of its targets that can."""

    targets: tuple[TargetTable, ...] = Field(min_length=1, max_length=64)
    order: Literal["listed", "weighted"] = "listed"
    sticky: bool = False
    data_stays_here: bool = False
    hedge_seconds: _Seconds | None = None
    retry_share: float = Field(default=0.2, ge=0, le=1)
    retry_burst: float = Field(default=1000.0, ge=0)


class Settings(_Table):
    """The whole file. A model that runs here is public under its own name unless a route has it."""

    models: dict[_Name, ModelTable] = Field(default_factory=dict)
    providers: dict[_Name, ProviderTable] = Field(default_factory=dict)
    routes: dict[_Name, RouteTable] = Field(default_factory=dict)
    engines: EnginesTable = EnginesTable()
    accounts: AccountsTable | None = None
    metrics: MetricsTable | None = None
    login: LoginTable = LoginTable()
    oidc: OidcTable | None = None
    files: FilesTable | None = None
    batches: BatchesTable = BatchesTable()
    logs: LogsTable = LogsTable()
    traces: TracesTable | None = None

    @model_validator(mode="after")
    def _accounts_are_there(self) -> "Settings":
        if self.accounts is None and (self.oidc or self.login != LoginTable()):
            raise ValueError(
                "[login] and [oidc] are for people, who are in accounts: add [accounts]"
            )
        if self.accounts is None and self.files:
            raise ValueError("[files] without [accounts]: a file belongs to a key's project")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "Settings":
        if both := self.models.keys() & self.providers.keys():
            raise ValueError(f"{', '.join(sorted(both))}: in [models] and in [providers]. Rename")
        names = [*self.models, *(one for table in self.models.values() for one in table.adapters)]
        if twice := sorted(name for name, times in Counter(names).items() if times > 1):
            raise ValueError(f"{', '.join(twice)}: the name of two models or adapters. Rename one")
        for name, route in self.routes.items():
            for number, target in enumerate(route.targets):
                self._check_target(f"routes.{name}.targets.{number}", route, target)
        return self

    def _check_target(self, place: str, route: RouteTable, target: TargetTable) -> None:
        known = self._owners() if target.provider is None else self.providers
        wanted = target.provider or target.model
        if wanted not in known:
            kind = "models" if target.provider is None else "providers"
            names = ", ".join(known) or "none"
            raise ValueError(f"{place}: {wanted!r} is not one of [{kind}] ({names})")
        if route.data_stays_here and target.provider and not self.providers[wanted].is_here:
            raise ValueError(
                f"{place}: data_stays_here, and provider {wanted!r} is elsewhere. Take it out, "
                "or say is_here = true in its table if it is the organisation's own"
            )

    def policies(self) -> dict[str, Policy]:
        """What each public name stands for."""
        own = {name: _own_policy(name, owner) for name, owner in self._owners().items()}
        return own | {name: self._policy(name, route) for name, route in self.routes.items()}

    def _owners(self) -> dict[str, str]:
        """Each public name that a model here has, itself and its adapters, with that model's."""
        return {
            name: owner for owner, table in self.models.items() for name in (owner, *table.adapters)
        }

    def _policy(self, name: str, route: RouteTable) -> Policy:
        return Policy(
            name,
            tuple(self._target(target) for target in route.targets),
            weighted=route.order == "weighted",
            sticky=route.sticky,
            data_stays_here=route.data_stays_here,
            hedge_seconds=route.hedge_seconds,
            retry_share=route.retry_share,
            retry_burst=route.retry_burst,
        )

    def _target(self, table: TargetTable) -> Target:
        return Target(
            table.provider or self._owners()[table.model],
            table.model,
            is_here=table.provider is None or self.providers[table.provider].is_here,
            weight=table.weight,
            first_token_seconds=table.first_token_seconds,
            answer_seconds=table.answer_seconds,
            price=table.price(),
            pieces=PiecePrice(_nanos(table.picture_price), _nanos(table.sound_price)),
        )


def _own_policy(name: str, owner: str) -> Policy:
    return Policy(name, (Target(owner, name, is_here=True, price=Price(0, 0)),))


def read_settings(file: Path) -> Settings:
    """The settings in a TOML file.

    Raises:
        ConfigError: it can't be read, is not TOML, or a key is wrong: the message names it.
    """
    try:
        found = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read {file}: {error}. Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from error
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        raise ConfigError("\n".join([f"{file}:", *_lines(error)])) from error


def with_models(
    settings: Settings, models: Sequence[str], table: Callable[[str], ModelTable], home: Path
) -> tuple[Settings, dict[str, Weights]]:
    """The settings with further models, each `[NAME=]MODEL`, and what every model loads.

    Raises:
        ConfigError, ModelError: as `name_models` and `find_weights`; or a name is there twice.
    """
    further = name_models(models, home)
    if both := further.keys() & settings.models.keys():
        raise ConfigError(f"two models are called {', '.join(sorted(both))}. Give NAME=MODEL.")
    tables = {**settings.models, **{name: table(str(file)) for name, file in further.items()}}
    try:
        whole = Settings.model_validate({**dict(settings), "models": tables})
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(error))) from error
    return whole, {name: _weights(name, one, home) for name, one in tables.items()}


def _weights(name: str, table: ModelTable, home: Path) -> Weights:
    if table.engine in ("vllm", "sglang", "command"):
        return Weights(table.engine, table.path, table.adapters)
    [path] = name_models([f"{name}={table.path}"], home).values()
    return find_weights(path, home, table.engine, table.adapters)


def _host_and_port(listen: str) -> tuple[str, str]:
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def _nanos(price: float | None) -> int | None:
    return None if price is None else math.ceil(round(price * 1e9, 6))


def _nanos_a_token(price: float) -> int:
    """Of a price for a million tokens; rounded up, so that no budget is overspent."""
    return math.ceil(round(price * 1000, 6))


def _lines(error: ValidationError) -> list[str]:
    return [_line(problem["loc"], problem["msg"]) for problem in error.errors()]


def _line(place: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in place)
    return f"  {key}: {message}" if key else f"  {message.removeprefix('Value error, ')}"
