"""What the user names on the command line → the GGUF file that an engine loads, by public name."""

from collections.abc import Iterable
from pathlib import Path

from archipel.errors import ConfigError, ModelError
from archipel.files import sha256_bytes, sha256_file


def resolve_models(texts: Iterable[str], home: Path) -> dict[str, Path]:
    """Public name → GGUF file, for directories, .gguf files and pulled names, each `[NAME=]MODEL`.

    Raises:
        ConfigError: two models would have the same name, or a directory leaves a choice.
        ModelError: a model is unknown or can't be turned into GGUF.
    """
    from archipel.models.pull import resolve_model

    models: dict[str, Path] = {}
    for text in texts:
        given_name, _, model = text.partition("=") if "=" in text else ("", "", text)
        here = Path(model).expanduser()
        path = here if here.is_dir() else resolve_model(model, home)
        own_name = here.resolve().name.removesuffix(".gguf") if here.exists() else model
        name = given_name or own_name
        if name in models:
            raise ConfigError(
                f"two models are called {name!r}. Name them yourself: NAME=MODEL, as in "
                f"{name}-2={model}."
            )
        models[name] = find_gguf(path, home)
    return models


def find_gguf(path: Path, home: Path) -> Path:
    """The GGUF file at `path` or in it; made in the cache from a checkpoint if there is none.

    Raises:
        ConfigError: the directory holds several.
        ModelError: it holds neither a GGUF file nor a checkpoint, or that can't be converted.
    """
    if path.is_file():
        return path
    files = sorted(path.glob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ConfigError(f"{path} holds several GGUF files ({names}). Give the path of one.")
    if files:
        return files[0]
    if not (path / "config.json").is_file():
        raise ModelError(f"{path} holds no GGUF file and no config.json. Give a model's folder.")
    return _converted(path, home / "cache" / "gguf")


def _converted(checkpoint: Path, cache: Path) -> Path:
    """The checkpoint as F16 GGUF, under a name that changes when what it is made from does."""
    kinds = (".json", ".jinja", ".safetensors")
    files = sorted(file for file in checkpoint.iterdir() if file.suffix in kinds)
    digest = sha256_bytes("".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode())
    converted = cache / f"{digest}.gguf"
    if not converted.exists():
        from archipel.models.gguf_export import export_gguf  # brings in torch

        cache.mkdir(parents=True, exist_ok=True)
        export_gguf(checkpoint, converted, "f16")
    return converted
