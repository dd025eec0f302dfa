"""The half of a Llava that sees, its tower and its projector, as llama.cpp's mmproj file.

The other half is a Llama, which `gguf_export` writes. llama.cpp computes a SigLIP tower as
transformers does, and a CLIP tower with its class token behind the patches instead of before them:
each patch is taken for its neighbour, and the class token for the last one
(github.com/ggml-org/llama.cpp/issues/25814). The file is as if that were mended.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from operator import attrgetter
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from transformers import LlavaConfig, PreTrainedConfig

from archipel.errors import ConfigError, ModelError, UnsupportedModel
from archipel.files import read_json
from archipel.models.gguf_export import Array
from archipel.models.llava import sight_name
from archipel.models.sizes import has_weights, read_config

_TOWERS = {"clip_vision_model": "default", "siglip_vision_model": "full"}  # and which patches count
_USES_GELU = {"quick_gelu": False, "gelu": True, "gelu_pytorch_tanh": True}
# What llama.cpp computes for a Llava, by the names in config.json.
_ONLY: Mapping[str, Sequence[Any]] = {
    "text_config.model_type": ("llama",),
    "vision_config.model_type": tuple(_TOWERS),
    "vision_config.num_channels": (3,),
    "vision_config.hidden_act": tuple(_USES_GELU),
    "projector_hidden_act": ("gelu", "gelu_pytorch_tanh"),
    "multimodal_projector_bias": (True,),
}
_PROJECTOR = {"linear_1": "mm.0", "linear_2": "mm.2"}


@dataclass(frozen=True)
class _Sight:
    """What llama.cpp must know of a Llava beside its tensors."""

    tower: PreTrainedConfig
    layers: int  # of the tower, that a picture goes through
    text_width: int
    mean: Sequence[float]  # of red, green and blue, from 0 to 1
    std: Sequence[float]


def write_mmproj(folder: Path, path: Path) -> None:
    """Write the tower and the projector of the Llava in `folder` to `path`, matrices in F16.

    Raises:
        UnsupportedModel: it is not a Llava of a Llama and CLIP or SigLIP, or has settings that
            llama.cpp does not know.
        ModelError: a file is missing, truncated, or does not fit the configuration.
        ConfigError: `path` can't be written.
    """
    sight = _sight(folder)
    tensors = _tensors(folder, sight)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
            draft = Path(temporary) / path.name
            _write(draft, folder.resolve().name, sight, tensors)
            draft.replace(path)
    except OSError as error:
        raise ConfigError(
            f"can't write {path}: {error}. Check that there is room and that you may write there"
        ) from error


def _sight(folder: Path) -> _Sight:
    config = read_config(folder)
    if not isinstance(config, LlavaConfig):
        raise UnsupportedModel(
            f"{folder} is of the architecture {config.model_type!r}: only a 'llava' has a tower "
            "and a projector that can be written. Use llama.cpp's own converter"
        )
    for name, allowed in _ONLY.items():
        _check(folder, name, value := attrgetter(name)(config), value in allowed)
    layer: Any = config.vision_feature_layer
    tower: Any = config.vision_config
    text: Any = config.text_config
    strategy = config.vision_feature_select_strategy
    _check(
        folder, "vision_feature_select_strategy", strategy, strategy == _TOWERS[tower.model_type]
    )
    _check(folder, "vision_feature_layer", layer, isinstance(layer, int))
    # llama.cpp tells a feed-forward's two matrices apart by their widths.
    width = tower.intermediate_size
    _check(folder, "vision_config.intermediate_size", width, width != tower.hidden_size)
    layers = layer if layer >= 0 else tower.num_hidden_layers + 1 + layer
    _check(folder, "vision_feature_layer", layer, 1 <= layers <= tower.num_hidden_layers)
    mean, std = _normalisation(folder)
    return _Sight(tower, layers, text.hidden_size, mean, std)


def _check(folder: Path, name: str, value: object, is_supported: bool) -> None:
    if not is_supported:
        raise UnsupportedModel(
            f"{folder / 'config.json'} has {name} = {value!r}, which llama.cpp does not compute "
            "for a Llava. Use llama.cpp's own converter, or another model"
        )


def _normalisation(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    """The mean and the deviation of each colour. transformers keeps them in a file of their own
    or, since its version 5, in one of several parts."""
    file = folder / "preprocessor_config.json"
    if not file.is_file():
        file = folder / "processor_config.json"
    try:
        settings = read_json(file)
        settings = settings.get("image_processor", settings)
        mean, std = ([float(one) for one in settings[f"image_{kind}"]] for kind in ("mean", "std"))
        is_usual = settings.get("do_normalize", True) and settings.get("do_rescale", True)
        is_usual = is_usual and isclose(settings.get("rescale_factor", 1 / 255), 1 / 255)
    except (ConfigError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{file} does not say how pictures are prepared ({error!r}). It must have image_mean "
            "and image_std, three numbers each: take it from the model's source"
        ) from error
    if not (is_usual and len(mean) == len(std) == 3 and all(std)):
        raise UnsupportedModel(
            f"{file} does not bring colours from 0…255 to 0…1, and these by three values of "
            f"image_mean ({mean}) and image_std ({std}), as llama.cpp does"
        )
    return mean, std


def _tensors(folder: Path, sight: _Sight) -> dict[str, Array]:
    """By their names in the file; matrices in F16, the rest in F32."""
    if not has_weights(folder):
        raise ModelError(f"{folder} holds no .safetensors file: give a complete checkpoint")
    lacking = dict(_shapes(sight))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, sight.tower.num_hidden_layers)
    found: dict[str, Array] = {}
    for source in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(source, "pt") as file:
                for source_name in file.keys():  # noqa: SIM118
                    name = _name(source_name, names)
                    if name in lacking:
                        values = file.get_tensor(source_name).to(torch.float32).numpy()
                        found[name] = _checked(
                            values, lacking.pop(name), f"{source}: {source_name}"
                        )
        except SafetensorError as error:
            raise ModelError(f"can't read {source}: {error}. Fetch or export it again") from error
    if lacking:
        raise ModelError(
            f"{folder} lacks {len(lacking)} tensors of the half that sees, {min(lacking)!r} for "
            "one, as llama.cpp calls it. Fetch or export the checkpoint again"
        )
    return found


def _shapes(sight: _Sight) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of all tensors of the file, by name."""
    tower, text = sight.tower, sight.text_width
    width, wide, patch = tower.hidden_size, tower.intermediate_size, tower.patch_size
    patches = (tower.image_size // patch) ** 2
    linear = {"mm.0": (text, width), "mm.2": (text, text)}
    norms = []
    yield "v.patch_embd.weight", (width, 3, patch, patch)
    if tower.model_type == "clip_vision_model":
        yield "v.class_embd", (width,)
        yield "v.position_embd.weight", (patches + 1, width)
        norms += ["v.pre_ln"]
    else:
        yield "v.patch_embd.bias", (width,)
        yield "v.position_embd.weight", (patches, width)
    for layer in range(sight.layers):
        block = f"v.blk.{layer}"
        linear |= {f"{block}.attn_{part}": (width, width) for part in ("q", "k", "v", "out")}
        linear |= {f"{block}.ffn_up": (wide, width), f"{block}.ffn_down": (width, wide)}
        norms += [f"{block}.ln1", f"{block}.ln2"]
    for name, (rows, columns) in linear.items():
        yield f"{name}.weight", (rows, columns)
        yield f"{name}.bias", (rows,)
    for name in norms:
        yield f"{name}.weight", (width,)
        yield f"{name}.bias", (width,)


def _name(source_name: str, names: gguf.TensorNameMap) -> str | None:
    """A tensor's name in the file; None if it is none of the half that sees."""
    part, _, rest = (sight_name(source_name) or "").partition(".")
    if part == "multi_modal_projector":
        layer, _, kind = rest.partition(".")
        return f"{_PROJECTOR.get(layer)}.{kind}"
    named: str | None = names.get_name(
        f"{part}.vision_model.{rest}", try_suffixes=(".weight", ".bias")
    )
    return named


def _checked(values: Array, shape: tuple[int, ...], place: str) -> Array:
    if values.shape != shape:
        raise ModelError(
            f"{place} is {values.shape}, and by config.json it is {shape}: they belong to "
            "different models. Fetch or export the checkpoint again"
        )
    return values.astype(np.float16) if values.ndim > 1 else values


def _write(path: Path, name: str, sight: _Sight, tensors: Mapping[str, Array]) -> None:
    tower = sight.tower
    writer = gguf.GGUFWriter(path, "clip")
    try:
        writer.add_type("mmproj")
        writer.add_name(name)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        writer.add_clip_has_vision_encoder(True)
        writer.add_clip_projector_type("mlp")
        writer.add_vision_projection_dim(sight.text_width)
        writer.add_vision_image_size(tower.image_size)
        writer.add_vision_patch_size(tower.patch_size)
        writer.add_vision_embedding_length(tower.hidden_size)
        writer.add_vision_feed_forward_length(tower.intermediate_size)
        writer.add_vision_block_count(sight.layers)
        writer.add_array("clip.vision.feature_layer", [sight.layers])
        writer.add_vision_head_count(tower.num_attention_heads)
        writer.add_vision_attention_layernorm_eps(tower.layer_norm_eps)
        writer.add_vision_use_gelu(_USES_GELU[tower.hidden_act])
        writer.add_vision_image_mean(sight.mean)
        writer.add_vision_image_std(sight.std)
        for tensor, values in tensors.items():
            writer.add_tensor(tensor, np.ascontiguousarray(values))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
