"""A Hugging Face checkpoint of a Llama, or of a Llava's, as one GGUF file for llama.cpp, Ollama and
LM Studio.

The file gets its name only after llama.cpp has read it and cut text as the tokenizer does.
"""

import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import LlamaFileType as FileType
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedConfig

from archipel.errors import ConfigError, ModelError, UnsupportedModel
from archipel.models.gguf_tokens import check_tokens, write_tokenizer
from archipel.models.k_quants import K_BLOCK, K_TYPES, quantize_k
from archipel.models.llava import text_config, text_name
from archipel.models.sampling import UsualSampling, usual_sampling
from archipel.models.sizes import has_weights, read_config

Array = np.ndarray[Any, np.dtype[Any]]

KINDS: dict[str, tuple[FileType, Type]] = {
    "f32": (FileType.ALL_F32, Type.F32),
    "f16": (FileType.MOSTLY_F16, Type.F16),
    "bf16": (FileType.MOSTLY_BF16, Type.BF16),
    "q8_0": (FileType.MOSTLY_Q8_0, Type.Q8_0),
    "q4_0": (FileType.MOSTLY_Q4_0, Type.Q4_0),
    "q4_1": (FileType.MOSTLY_Q4_1, Type.Q4_1),
    "q5_0": (FileType.MOSTLY_Q5_0, Type.Q5_0),
    "q5_1": (FileType.MOSTLY_Q5_1, Type.Q5_1),
    "q4_k_m": (FileType.MOSTLY_Q4_K_M, Type.Q4_K),
    "q5_k_m": (FileType.MOSTLY_Q5_K_M, Type.Q5_K),
    "q6_k": (FileType.MOSTLY_Q6_K, Type.Q6_K),
}


@dataclass(frozen=True)
class _Tensor:
    """A tensor to write: where it comes from, and its name, shape and type in the file."""

    source: Path
    source_name: str
    name: str
    shape: tuple[int, ...]
    type: Type

    @property
    def size_bytes(self) -> int:
        return math.prod(gguf.quant_shape_to_byte_shape(self.shape, self.type))


def export_gguf(folder: Path, path: Path, kind: str) -> None:
    """Write the checkpoint in `folder` to `path` with weights of `kind`, one of `KINDS`. Of a Llava
    it is the half that writes: `gguf_mmproj` has the one that sees.

    Raises:
        UnsupportedModel: the architecture or the tokenizer is not supported, or llama.cpp cuts text
            into other tokens than the tokenizer does.
        ModelError: the kind is not supported, or a file is missing or truncated.
        ConfigError: `path` can't be written.
    """
    if kind not in KINDS:
        raise ModelError(f"unknown GGUF kind {kind!r}: use one of {', '.join(KINDS)}")
    config = text_config(read_config(folder))
    _check_supported(config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
            draft = Path(temporary) / path.name
            _write(folder, config, draft, kind)
            check_tokens(folder / "tokenizer.json", draft)
            draft.replace(path)
    except OSError as error:
        raise ConfigError(
            f"can't write {path}: {error}. Check that there is room and that you may write there"
        ) from error


def tensor_kinds(path: Path) -> dict[str, int]:
    """How many tensors of a GGUF file are of which type, the most frequent first."""
    found = Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors)
    return dict(found.most_common())


def _check_supported(config: PreTrainedConfig) -> None:
    if config.model_type != "llama":
        raise UnsupportedModel(
            f"can't export the architecture {config.model_type!r} as GGUF: only 'llama', and "
            "a 'llava' with one, is supported. Serve the checkpoint's folder, or use llama.cpp's "
            "own converter"
        )
    rope = config.rope_parameters["rope_type"]
    if rope != "default":
        raise UnsupportedModel(
            f"can't export rope type {rope!r} as GGUF: only 'default' is supported. "
            "Serve the checkpoint's folder, or use llama.cpp's own converter"
        )


def _write(folder: Path, config: PreTrainedConfig, path: Path, kind: str) -> None:
    """Names, shapes and types go first, so that one tensor at a time is in memory."""
    tensors = list(_tensors(folder, config, kind))
    writer = gguf.GGUFWriter(path, "llama")
    try:
        _write_facts(writer, folder, config, KINDS[kind][0])
        write_tokenizer(writer, folder, config)
        _write_sampling(writer, usual_sampling(folder))
        for tensor in tensors:
            writer.add_tensor_info(
                tensor.name,
                tensor.shape,
                np.dtype(np.float32),
                tensor.size_bytes,
                raw_dtype=tensor.type,
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            writer.write_tensor_data(_data(tensor, config))
        for file in writer.fout or []:
            file.flush()
            os.fsync(file.fileno())
    finally:
        writer.close()


def _write_facts(
    writer: gguf.GGUFWriter, folder: Path, config: PreTrainedConfig, file_type: FileType
) -> None:
    writer.add_type("model")
    writer.add_name(folder.resolve().name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _write_sampling(writer: gguf.GGUFWriter, usual: UsualSampling) -> None:
    """What llama.cpp goes by where a request says nothing."""
    if usual.temperature is not None:
        writer.add_sampling_temp(usual.temperature)
    if usual.top_k is not None:
        writer.add_sampling_top_k(usual.top_k)
    if usual.top_p is not None:
        writer.add_sampling_top_p(usual.top_p)
    if usual.min_p is not None:
        writer.add_sampling_min_p(usual.min_p)
    if usual.repetition_penalty is not None:
        writer.add_sampling_penalty_repeat(usual.repetition_penalty)


def _tensors(folder: Path, config: PreTrainedConfig, kind: str) -> Iterator[_Tensor]:
    if not has_weights(folder):
        raise ModelError(f"{folder} holds no .safetensors file: give a complete checkpoint")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for source in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(source, "pt") as file:
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ModelError(f"can't read {source}: {error}. Fetch or export it again") from error
        for source_name, shape in shapes.items():
            own_name = text_name(source_name)
            if own_name is None or (own_name == "lm_head.weight" and config.tie_word_embeddings):
                continue
            name = names.get_name(own_name, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise ModelError(f"{source} has a tensor that no Llama has: {source_name!r}")
            yield _Tensor(source, source_name, name, shape, _type_for(name, shape, config, kind))


def _type_for(name: str, shape: tuple[int, ...], config: PreTrainedConfig, kind: str) -> Type:
    """The type of one tensor. Rows that K-quants can't hold take Q8_0, or F16 at the last."""
    wanted = KINDS[kind][1]
    if len(shape) == 1:
        return Type.F32
    if kind.endswith("_k_m") and _wants_more_bits(name, config):
        wanted = Type.Q6_K
    if wanted in K_TYPES and shape[-1] % K_BLOCK:
        wanted = Type.Q8_0
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    return Type.F16 if shape[-1] % block else wanted


def _wants_more_bits(name: str, config: PreTrainedConfig) -> bool:
    """llama.cpp's rule for the `_M` mixes (llama_tensor_get_type in src/llama-quant.cpp).

    The output matrix, and the values and down projections of the first eighth of the layers, of
    the last eighth and of every third layer between.
    """
    if name in ("output.weight", "token_embd.weight"):
        return name == "output.weight" or bool(config.tie_word_embeddings)
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return False
    layer = int(name.split(".")[1])
    layers: int = config.num_hidden_layers
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _data(tensor: _Tensor, config: PreTrainedConfig) -> Array:
    try:
        with safe_open(tensor.source, "pt") as file:
            values: Array = file.get_tensor(tensor.source_name).to(torch.float32).numpy()
    except SafetensorError as error:
        raise ModelError(f"can't read {tensor.source}: {error}. Export it again") from error
    if ".q_proj." in tensor.source_name:
        values = interleave_rotary(values, config.num_attention_heads)
    if ".k_proj." in tensor.source_name:
        values = interleave_rotary(values, config.num_key_value_heads)
    if tensor.type in K_TYPES:
        return quantize_k(values, tensor.type)
    quantized: Array = gguf.quants.quantize(values, tensor.type)
    return quantized


def interleave_rotary(values: Array, heads: int) -> Array:
    """transformers rotates the two halves of a head, llama.cpp neighbouring pairs: reorder rows."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
