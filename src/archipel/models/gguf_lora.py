"""A PEFT LoRA adapter of a Llama as a GGUF adapter for llama.cpp."""

import math
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from archipel.errors import ConfigError, ModelError
from archipel.files import read_json
from archipel.models.gguf_export import Array, interleave_rotary

_PREFIX = "base_model.model."
_ENDINGS = {".lora_A.weight": ".lora_a", ".lora_B.weight": ".lora_b"}


def export_lora(folder: Path, base: Path, path: Path) -> None:
    """Write the PEFT adapter in `folder` to `path`, for the model in the GGUF file `base`.

    Raises:
        ModelError: it is not a plain LoRA, does not fit the model, or a file is missing or broken.
        ConfigError: `path` can't be written.
    """
    alpha = _alpha(folder / "adapter_config.json")
    shapes, heads = _base_facts(base)
    tensors = _tensors(folder / "adapter_model.safetensors", shapes, heads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
            draft = Path(temporary) / path.name
            _write(draft, alpha, tensors)
            draft.replace(path)
    except OSError as error:
        raise ConfigError(
            f"can't write {path}: {error}. Check that there is room and that you may write there"
        ) from error


def _alpha(file: Path) -> float:
    """What llama.cpp divides by a matrix's rank to have the adapter's scale."""
    try:
        config = read_json(file)
        if config["peft_type"] != "LORA":
            raise ModelError(
                f"{file} is a {config['peft_type']!r} adapter: only LoRA can be served"
            )
        for name in ("alpha_pattern", "rank_pattern"):
            if config.get(name):
                raise ModelError(f"{file} has {name}: only one rank and alpha for all is supported")
        alpha, rank = float(config["lora_alpha"]), int(config["r"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} is not an adapter's configuration: {error!r}") from error
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha


def _base_facts(base: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """The shapes of a GGUF file's tensors, and how many heads its rotated matrices have."""
    try:
        reader = gguf.GGUFReader(base)
        architecture = reader.fields["general.architecture"].contents()
        if architecture != "llama":
            raise ModelError(
                f"{base} is of the architecture {architecture!r}: PEFT adapters are converted for "
                "'llama' only. Convert it with llama.cpp's own converter and give the .gguf file"
            )
        heads = reader.fields["llama.attention.head_count"].contents()
        kv_heads = reader.fields["llama.attention.head_count_kv"].contents()
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{base} is not a whole GGUF model: {error!r}") from error
    shapes = {one.name: tuple(int(n) for n in reversed(one.shape)) for one in reader.tensors}
    return shapes, {"attn_q": heads, "attn_k": kv_heads}


def _tensors(
    file: Path, shapes: dict[str, tuple[int, ...]], heads: dict[str, int]
) -> dict[str, Array]:
    blocks = (int(name.split(".")[1]) for name in shapes if name.startswith("blk."))
    layers = 1 + max(blocks, default=0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    found: dict[str, Array] = {}
    try:
        with safe_open(file, "pt") as opened:
            for source in opened.keys():  # noqa: SIM118
                name, ending = _name(source, names, file)
                values = opened.get_tensor(source).to(torch.float32).numpy()
                part = name.split(".")[-2]
                if part in heads and ending == ".lora_b":
                    values = interleave_rotary(values, heads[part])
                found[name + ending] = values
    except (OSError, SafetensorError) as error:
        raise ModelError(f"can't read {file}: {error}. Fetch the adapter again") from error
    _check_pairs(found, shapes, file)
    return found


def _name(source: str, names: gguf.TensorNameMap, file: Path) -> tuple[str, str]:
    """The base's tensor that an adapter's tensor changes, and which of its two factors it is."""
    for theirs, ours in _ENDINGS.items():
        if source.startswith(_PREFIX) and source.endswith(theirs):
            module = source.removeprefix(_PREFIX).removesuffix(theirs)
            name: str | None = names.get_name(module + ".weight", try_suffixes=(".weight",))
            if name:
                return name, ours
    raise ModelError(
        f"{file} has {source!r}, which is not a LoRA factor of one of a Llama's matrices (DoRA, "
        "biases, embeddings and modules saved whole are not supported). Merge it into the model"
    )


def _check_pairs(found: dict[str, Array], shapes: dict[str, tuple[int, ...]], file: Path) -> None:
    """Both factors are there, fit each other and the base's matrix, and are numbers."""
    if not found:
        raise ModelError(f"{file} holds no tensors. Fetch the adapter again")
    for name in sorted({name.rpartition(".")[0] for name in found}):
        a, b = found.get(name + ".lora_a"), found.get(name + ".lora_b")
        if a is None or b is None:
            raise ModelError(f"{file} has only one of the two factors of {name}. Fetch it again")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise ModelError(f"{file}: factors of {name} do not fit: {a.shape} and {b.shape}")
        if (b.shape[0], a.shape[1]) != shapes.get(name):
            raise ModelError(
                f"{file}: {name} is {shapes.get(name)} in the model and {b.shape[0]} x "
                f"{a.shape[1]} in the adapter. It belongs to another model"
            )
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ModelError(f"{file}: {name} is not finite. Train it again")


def _write(path: Path, alpha: float, tensors: dict[str, Array]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    try:
        writer.add_type("adapter")
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for name, values in tensors.items():
            writer.add_tensor(name, np.ascontiguousarray(values))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
