"""The service's TOML file: models that run here, providers elsewhere, and routes over both."""

import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from archipel.errors import ConfigError
from archipel.models.here import find_purpose
from archipel.models.purpose import Purpose, unlearnt_gaps
from archipel.serve.login.settings import LoginTable, OidcTable
from archipel.serve.routing import PiecePrice, Policy, Price, Target
from archipel.serve.setting_tables import (
    AccountsTable,
    BatchesTable,
    BrowsersTable,
    EnginesTable,
    FilesTable,
    LogsTable,
    MetricsTable,
    ModelTable,
    Name,
    ProvenanceTable,
    ProviderTable,
    RouteTable,
    Table,
    TargetTable,
    TracesTable,
)
from archipel.serve.weights import Weights, find_weights, name_models

_READ_AGAIN = ("providers", "routes")  # what a service changes while it runs


class Settings(Table):
    """The whole file. A model that runs here is public under its own name unless a route has it."""

    models: dict[Name, ModelTable] = Field(default_factory=dict)
    providers: dict[Name, ProviderTable] = Field(default_factory=dict)
    routes: dict[Name, RouteTable] = Field(default_factory=dict)
    engines: EnginesTable = EnginesTable()
    accounts: AccountsTable | None = None
    metrics: MetricsTable | None = None
    login: LoginTable = LoginTable()
    oidc: OidcTable | None = None
    files: FilesTable | None = None
    batches: BatchesTable = BatchesTable()
    logs: LogsTable = LogsTable()
    browsers: BrowsersTable = BrowsersTable()
    traces: TracesTable | None = None
    provenance: ProvenanceTable | None = None

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

    def fixed_changes(self, before: "Settings") -> list[str]:
        """The tables that are others than before and that only a restart changes."""
        fixed = [name for name in type(self).model_fields if name not in _READ_AGAIN]
        return [name for name in fixed if getattr(self, name) != getattr(before, name)]

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
            pieces=table.piece_price(),
        )


def _own_policy(name: str, owner: str) -> Policy:
    pieces = PiecePrice(picture=0)
    target = Target(owner, name, is_here=True, price=Price(0, 0), pieces=pieces)
    return Policy(name, (target,))


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
    paths = {name: _path(name, one, home) for name, one in tables.items()}
    told = {name: _with_purpose(one, paths[name], home) for name, one in tables.items()}
    weights = {name: _weights(one, paths[name], home) for name, one in tables.items()}
    for name, found in weights.items():
        if found.engine == "pictures":
            told[name] = told[name].model_copy(update={"engine": "pictures"})
    return whole.model_copy(update={"models": told}), weights


def _path(name: str, table: ModelTable, home: Path) -> Path | None:
    """Where the model is; None if a server of others is to know."""
    if table.engine in ("vllm", "sglang", "command"):
        return None
    return name_models([f"{name}={table.path}"], home)[name]


def _with_purpose(table: ModelTable, path: Path | None, home: Path) -> ModelTable:
    """The table with what it leaves to the model's card."""
    card = Purpose() if path is None else find_purpose(path, home)
    said = {"tasks": table.tasks, "languages": table.languages}
    left = {name: getattr(card, name) for name, value in said.items() if value is None}
    if path is not None and table.gaps is None:
        folder = path if path.is_dir() else path.parent
        left["gaps"] = "none" if unlearnt_gaps(folder) else None
    return table.model_copy(update=left)


def _weights(table: ModelTable, path: Path | None, home: Path) -> Weights:
    if path is None:
        assert table.engine is not None
        return Weights(table.engine, table.path, table.adapters)
    return find_weights(path, home, table.engine, table.adapters, table.mmproj)


def _lines(error: ValidationError) -> list[str]:
    return [_line(problem["loc"], problem["msg"]) for problem in error.errors()]


def _line(place: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in place)
    return f"  {key}: {message}" if key else f"  {message.removeprefix('Value error, ')}"
