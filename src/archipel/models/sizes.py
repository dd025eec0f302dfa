"""Model sizes by name, or any Hugging Face configuration from disk, as a configuration to train.

Knows nothing about weights. transformers, and torch with it, is imported by the functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from archipel.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


EXPORTED = frozenset({"llama", "llava"})  # architectures that can be written as GGUF
PICTURES_INDEX = "model_index.json"  # that a folder with a model of pictures has, as diffusers' do


@dataclass(frozen=True)
class Size:
    """A Llama with tied embeddings. Widths are multiples of 256, as GGUF's K-quants need."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    context: int
    usual_vocab: int

    def parameters(self, vocab_size: int) -> int:
        """How many parameters the model has with a vocabulary of `vocab_size`."""
        kv_width = self.hidden // self.heads * self.kv_heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * kv_width
        layer = attention + 3 * self.hidden * self.feed_forward + 2 * self.hidden
        return vocab_size * self.hidden + self.layers * layer + self.hidden


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "nano": Size(256, 4, 4, 2, 768, context=512, usual_vocab=4_096),
        "micro": Size(512, 4, 8, 4, 1_280, context=1_024, usual_vocab=8_192),
        "small": Size(512, 14, 8, 4, 1_536, context=1_024, usual_vocab=32_768),
        "base": Size(768, 16, 12, 4, 2_048, context=1_024, usual_vocab=32_768),
    }
)


def model_config(
    size_or_path: str, *, vocab_size: int, context: int | None = None, end_of_text_id: int
) -> PreTrainedConfig:
    """The configuration of a size by name, of a `config.json`, or of a checkpoint's directory.

    A configuration without weights takes the given vocabulary and context. One that has weights
    keeps its own, which must be large enough.

    Raises:
        ModelError: the size is unknown, the configuration can't be used, or it is too small.
    """
    if size_or_path in SIZES:
        config = _llama(SIZES[size_or_path], vocab_size, context)
    else:
        config = _from_disk(size_or_path, vocab_size, context)
    config.eos_token_id = end_of_text_id
    config.bos_token_id = None
    config.pad_token_id = None
    return config


def end_with(config: PreTrainedConfig, token_id: int) -> None:
    """An answer ends with this token; and still with the model's own."""
    own = config.eos_token_id
    former = own if isinstance(own, list) else [] if own is None else [own]
    ends = list(dict.fromkeys([token_id, *former]))
    config.eos_token_id = ends if len(ends) > 1 else ends[0]


def makes_pictures(folder: Path) -> bool:
    """Whether `folder` holds a model of pictures, each part in a folder of its own."""
    return (folder / PICTURES_INDEX).is_file()


def has_weights(folder: Path) -> bool:
    """Whether `folder` holds a checkpoint's weights in safetensors."""
    return any(folder.glob("*.safetensors"))


def _llama(size: Size, vocab_size: int, context: int | None) -> PreTrainedConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        max_position_embeddings=context or size.context,
        rms_norm_eps=1e-5,
        # 1/√fan-in: transformers' 0.02 holds narrow models back (docs/decisions/0003).
        initializer_range=size.hidden**-0.5,
        tie_word_embeddings=True,
    )


def _from_disk(path: str, vocab_size: int, context: int | None) -> PreTrainedConfig:
    folder = Path(path).parent if path.endswith(".json") else Path(path)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"unknown model size {path!r}: use one of {', '.join(SIZES)}, or the path of a "
            "Hugging Face config.json or checkpoint directory"
        )
    config = read_config(folder)
    if not has_weights(folder):
        config.vocab_size = vocab_size
        if context is not None:
            config.max_position_embeddings = context
        return config
    check_fits(config, path, vocab_size=vocab_size, context=context)
    return config


def check_fits(
    config: PreTrainedConfig, path: str, *, vocab_size: int, context: int | None
) -> None:
    """Whether a model, that `path` names, is large enough for a vocabulary and a context.

    Raises:
        ModelError: it is not.
    """
    for name, needed in (("vocab_size", vocab_size), ("max_position_embeddings", context or 0)):
        if getattr(config, name) < needed:
            raise ModelError(
                f"{path} has {name} = {getattr(config, name)}, but {needed} is needed: use the "
                "checkpoint's own tokenizer and a context that it was made for"
            )


def read_config(folder: Path) -> PreTrainedConfig:
    """A checkpoint's `config.json`.

    Raises:
        ModelError: it is missing, is not valid, or asks for code of its own.
    """
    from transformers import AutoConfig, PreTrainedConfig

    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json: give a Hugging Face checkpoint directory")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / 'config.json'} can't be used: {error}. It must be the configuration of an "
            "architecture that transformers has; code inside a checkpoint is never run"
        ) from error
    assert isinstance(config, PreTrainedConfig)
    return config
