"""How fast models answer on this machine, as it was measured: kept in `<home>/speeds.json`.

Knows nothing about how that is measured.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archipel.errors import IntegrityError
from archipel.files import read_json, sha256_bytes, sha256_file, write_json

_FILE = "speeds.json"


@dataclass(frozen=True)
class Speed:
    """Of one model in its engine; `memory_bytes` is what the engine took. `machine` says on which
    machine, in words, and `date` when, in ISO 8601."""

    tokens_per_second: float
    memory_bytes: int
    engine: str
    machine: str
    date: str


def keep_speed(model: Path, speed: Speed, home: Path) -> None:
    """Keep what was measured of the model's file or folder, in place of what was before.

    Raises:
        ConfigError: it can't be written.
    """
    known = _all(home)
    told = asdict(speed) | {"stamp": _stamp(model), "sha256": _digest(model)}
    write_json(home / _FILE, {**known, str(model): told})


def known_speed(model: Path, machine: str, home: Path) -> Speed | None:
    """What was measured on this machine, if the model's files are still the same: untouched, or of
    the same digest."""
    told = _all(home).get(str(model))
    if not isinstance(told, dict):
        return None
    stamp, sha256 = told.pop("stamp", None), told.pop("sha256", None)
    try:
        speed = Speed(**told)
    except TypeError:
        return None
    if speed.machine != machine:
        return None
    return speed if stamp == _stamp(model) or sha256 == _digest(model) else None


def _all(home: Path) -> Mapping[str, Any]:
    """By file or folder; what can't be read was never measured."""
    if not (home / _FILE).exists():
        return {}
    try:
        found = read_json(home / _FILE)
    except IntegrityError:
        return {}
    return found if isinstance(found, dict) else {}


def _weights(model: Path) -> list[Path]:
    if model.is_file():
        return [model]
    return sorted([*model.glob("*.gguf"), *model.glob("*.safetensors")])


def _stamp(model: Path) -> str:
    told = ((one.name, one.stat()) for one in _weights(model))
    lines = (f"{name} {stat.st_size} {stat.st_mtime_ns}\n" for name, stat in told)
    return sha256_bytes("".join(lines).encode())


def _digest(model: Path) -> str:
    lines = (f"{sha256_file(one)}  {one.name}\n" for one in _weights(model))
    return sha256_bytes("".join(lines).encode())
