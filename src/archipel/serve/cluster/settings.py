"""What the settings say of models that run in a Ray cluster, where this machine has no files."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from archipel.errors import ConfigError
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import Settings


def check_for_ray() -> None:
    """Raises ConfigError if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--ray needs Ray: pip install 'archipel[ray]', on all nodes.")


def with_models_elsewhere(
    settings: Settings, models: Sequence[str], table: Callable[[str], ModelTable]
) -> Settings:
    """The settings with further models, each `[NAME=]MODEL`. A path that is here is made absolute;
    the nodes look for it, or for a model that was pulled there.

    Raises:
        ConfigError: two have one name, a name is a provider's too, or a model has settings that
            only one which runs here can have.
    """
    tables = dict(settings.models)
    for text in models:
        name, _, path = text.partition("=") if "=" in text else (_name(text), "", text)
        if name in tables:
            raise ConfigError(f"two models are called {name!r}. Name them yourself: NAME=MODEL.")
        tables[name] = table(path)
    found = {
        name: each.model_copy(update={"path": _everywhere(each.path)})
        for name, each in tables.items()
    }
    for name, each in found.items():
        if each.load != "start" or each.idle_seconds or each.pinned:
            raise ConfigError(
                f"models.{name}: load, idle_seconds and pinned are for models that run here. With "
                "--ray say replicas = {min = …, max = …}"
            )
        if each.adapters or each.engine not in (None, "llama.cpp"):
            raise ConfigError(
                f"models.{name}: with --ray a model runs on llama.cpp, without adapters. Run it "
                "without --ray, or behind a provider with is_here = true"
            )
    if settings.engines.memory_gigabytes:
        raise ConfigError("engines.memory_gigabytes is for models that run here, not for --ray.")
    try:
        return Settings.model_validate({**dict(settings), "models": found})
    except ValidationError as error:
        said = "\n".join(problem["msg"] for problem in error.errors())
        raise ConfigError(said.removeprefix("Value error, ")) from error


def _name(model: str) -> str:
    return Path(model).name.removesuffix(".gguf")


def _everywhere(path: str) -> str:
    here = Path(path).expanduser()
    return str(here.resolve()) if here.exists() else path
