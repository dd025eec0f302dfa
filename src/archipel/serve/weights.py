"""What the user calls a model → what runs it here and the files that it loads, by public name."""

import importlib.util
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from archipel.errors import ConfigError, ModelError, UnsupportedModel
from archipel.files import read_json, sha256_bytes, sha256_file
from archipel.images.pipeline import OWN_CLASS, read_index
from archipel.models.projectors import ggufs_in, is_projector, projector_in
from archipel.models.sizes import EXPORTED, has_weights, makes_pictures

Kind = Literal["llama.cpp", "openvino", "torch", "pictures", "vllm", "sglang", "command"]
_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """A model's engine, its file or folder (a server may take a name) and its adapters by name."""

    engine: Kind
    path: str
    adapters: Mapping[str, str] = field(default_factory=dict)
    projector: str | None = None  # the file by which llama.cpp sees pictures
    has_processor: bool = False  # by which torch does: the checkpoint's own
    graph: str | None = None  # a folder with the same model as OpenVINO has it, if there is one

    def described(self) -> str:
        """In a few words: the engine, and what it loads."""
        size = f"{self.bytes / 1e6:,.0f} MB" if self.bytes else self.path
        sees = ["sees pictures"] if self.sees else []
        return ", ".join([f"{self.engine} {size}".rstrip(), *sees, *self.adapters])

    @property
    def sees(self) -> bool:
        """Whether it is given pictures."""
        return self.projector is not None or self.has_processor

    @property
    def bytes(self) -> int:
        """Of the weights in files here; 0 if there are none."""
        path = Path(self.path)
        if path.is_dir():
            files = "**/*.safetensors" if self.engine == "pictures" else "*.safetensors"
            return sum(file.stat().st_size for file in path.glob(files))
        parts = [path, Path(self.projector)] if self.projector else [path]
        return sum(part.stat().st_size for part in parts if part.is_file())


def name_models(texts: Iterable[str], home: Path) -> dict[str, Path]:
    """Public name → file or folder, for directories, .gguf files and pulled names, each
    `[NAME=]MODEL`.

    Raises:
        ConfigError: two models would have the same name.
        ModelError: a model is unknown.
    """
    from archipel.models.here import resolve_model

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
        models[name] = path
    return models


def find_weights(
    path: Path,
    home: Path,
    engine: Kind | None = None,
    adapters: Mapping[str, str] | None = None,
    projector: str | None = None,
) -> Weights:
    """What runs the model at `path`: llama.cpp or, for a checkpoint that it does not know, torch;
    the engine of pictures for a pipeline's folder. `projector` is the file by which llama.cpp sees
    pictures, or "none", with which no engine does; if not given, the one beside the model, if there
    is one, and torch sees by a checkpoint's own processor.

    Raises:
        ConfigError: a directory leaves a choice; an adapter or the projector is not there, or that
            is named for torch; OpenVINO is not installed.
        ModelError: there is no model, it or an adapter can't be converted, torch or diffusers is
            lacking, or what torch needs to show it pictures.
    """
    if engine == "pictures" or (engine is None and makes_pictures(path)):
        if adapters:
            raise ConfigError(f"{path} makes pictures: adapters are for texts. Leave them out.")
        return _pictures(path)
    if engine == "openvino":
        return _openvino(path, home)
    if engine != "torch":
        try:
            return _llama(path, home, adapters or {}, projector)
        except UnsupportedModel as error:
            if engine is not None or adapters:
                raise
            _log.warning("%s: torch runs it, for llama.cpp can't: %s", path, error)
    return _torch(path, projector)


def _llama(path: Path, home: Path, adapters: Mapping[str, str], projector: str | None) -> Weights:
    base = find_gguf(path, home)
    made = {name: str(_adapter(text, base, home)) for name, text in adapters.items()}
    sees_by = find_projector(path, base, projector)
    return Weights("llama.cpp", str(base), made, str(sees_by) if sees_by else None)


def _torch(path: Path, projector: str | None) -> Weights:
    if not (path / "config.json").is_file() or not has_weights(path):
        raise ModelError(
            f"{path} has no config.json with *.safetensors beside it, which torch needs. Give a "
            "Hugging Face checkpoint's folder"
        )
    if lacking := [name for name in ("torch", "transformers") if not _is_installed(name)]:
        raise ModelError(
            f"{path} is run by torch, and {' and '.join(lacking)} is not installed. Install "
            "archipel[torch]"
        )
    if projector not in (None, "none"):
        raise ConfigError(
            f"mmproj {projector!r} is for llama.cpp, and {path} is run by torch, which sees by the "
            'checkpoint\'s own processor. Leave it out, or give "none".'
        )
    return Weights("torch", str(path), has_processor=projector is None and _has_processor(path))


def _has_processor(checkpoint: Path) -> bool:
    """Whether pictures can be shown to a checkpoint.

    Raises:
        ModelError: it could see them, but nothing makes them ready for it.
    """
    config = read_json(checkpoint / "config.json")
    if not isinstance(config, dict) or "vision_config" not in config:
        return False
    if not any((checkpoint / name).is_file() for name in _PROCESSOR_FILES):
        raise ModelError(
            f"{checkpoint} is of a model that sees, by its vision_config, and nothing says how "
            f"pictures are made ready for it, as {' or '.join(_PROCESSOR_FILES)} would. Fetch the "
            'whole checkpoint, or give mmproj = "none" in its table to serve it without its sight'
        )
    return True


def _pictures(path: Path) -> Weights:
    is_own = read_index(path)["_class_name"] == OWN_CLASS
    needed = ["torch", "PIL", "transformers", *([] if is_own else ["diffusers"])]
    if lacking := [name for name in needed if not _is_installed(name)]:
        raise ModelError(
            f"{path} makes pictures, and {' and '.join(lacking)} is not installed. `pip install "
            "'archipel[diffusers]'` has it"
        )
    return Weights("pictures", str(path))


def _openvino(path: Path, home: Path) -> Weights:
    """With the GGUF file that llama.cpp is asked with."""
    if not _is_installed("openvino_genai"):
        raise ConfigError(
            f'{path}: engine = "openvino" needs OpenVINO GenAI, which is not installed. '
            "`pip install 'archipel[openvino]'` has it."
        )
    graph = str(path) if (path / "openvino_model.xml").is_file() else None
    return Weights("openvino", str(find_gguf(path, home)), graph=graph)


def find_gguf(path: Path, home: Path) -> Path:
    """The GGUF file at `path` or in it; made in the cache from a checkpoint if there is none.

    Raises:
        ConfigError: the directory holds several.
        UnsupportedModel: it holds a checkpoint that has no equal in GGUF.
        ModelError: it holds neither a GGUF file nor a checkpoint, or that can't be converted; or
            it is a projector.
    """
    if path.is_file():
        if is_projector(path):
            raise ModelError(
                f"{path} is no model, but what lets one see pictures: give the model's own file, "
                "and this one is found beside it"
            )
        return path
    files = ggufs_in(path)
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ConfigError(f"{path} holds several GGUF files ({names}). Give the path of one.")
    if files:
        return files[0]
    if not (path / "config.json").is_file():
        raise ModelError(f"{path} holds no GGUF file and no config.json. Give a model's folder.")
    return _converted(path, home / "cache" / "gguf")


def find_projector(path: Path, base: Path, named: str | None) -> Path | None:
    """By which the model at `path` sees pictures, whose GGUF file is `base`: the file that is
    `named`, unless that is "none"; or what lies beside the model; or, of a Llava's checkpoint, made
    in the cache.

    Raises:
        ConfigError: what is named is not there.
        ModelError: a Llava's can't be converted.
    """
    if named == "none":
        return None
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            raise ConfigError(
                f'mmproj {named!r} is not there. Give the path of a .gguf file, or "none".'
            )
        return file
    found = projector_in(path if path.is_dir() else path.parent)
    if found or base == path or base.parent == path or _architecture(path) != "llava":
        return found
    made = base.with_name(f"{base.stem}-mmproj.gguf")
    if not made.exists():
        from archipel.models.gguf_mmproj import write_mmproj  # brings in torch

        write_mmproj(path, made)
    return made


def _converted(checkpoint: Path, cache: Path) -> Path:
    """The checkpoint as F16 GGUF, under a name that changes when what it is made from does."""
    converted = cache / f"{_digest(checkpoint)}.gguf"
    if not converted.exists():
        architecture = _architecture(checkpoint)
        if isinstance(architecture, str) and architecture not in EXPORTED:  # before torch is loaded
            raise UnsupportedModel(
                f"{checkpoint}: no GGUF of the architecture {architecture!r} can be made"
            )
        from archipel.models.gguf_export import export_gguf  # brings in torch

        cache.mkdir(parents=True, exist_ok=True)
        export_gguf(checkpoint, converted, "f16")
    return converted


def _architecture(checkpoint: Path) -> object:
    config = read_json(checkpoint / "config.json")
    return config.get("model_type") if isinstance(config, dict) else None


def _adapter(text: str, base: Path, home: Path) -> Path:
    """The GGUF file of an adapter, made in the cache from a PEFT folder."""
    path = Path(text).expanduser()
    if path.is_file():
        return path
    if not (path / "adapter_config.json").is_file():
        raise ConfigError(
            f"adapter {text!r} is neither a .gguf file nor a folder with adapter_config.json and "
            "adapter_model.safetensors. Check the path."
        )
    found = base.stat()
    made_for = sha256_bytes(f"{base} {found.st_size} {found.st_mtime_ns}".encode())[:16]
    converted = home / "cache" / "gguf" / f"{_digest(path)}-{made_for}.lora.gguf"
    if not converted.exists():
        from archipel.models.gguf_lora import export_lora  # brings in torch

        export_lora(path, base, converted)
    return converted


def _digest(folder: Path) -> str:
    kinds = (".json", ".jinja", ".safetensors")
    files = sorted(file for file in folder.iterdir() if file.suffix in kinds)
    return sha256_bytes("".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode())


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
