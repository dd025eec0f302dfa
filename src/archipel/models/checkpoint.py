"""Hugging Face checkpoints: make a new model, load one, save one with its tokenizer.

Knows nothing about how the weights were trained.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from archipel.errors import ConfigError, ModelError
from archipel.files import read_json, write_json
from archipel.models.folders import complete_folder
from archipel.models.sampling import UsualSampling
from archipel.models.sizes import has_weights, read_config

# A base model continues text: the chat template hands it the messages' contents and nothing else.
CONTINUE_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)

disable_progress_bar()  # one line per tensor is noise; the command line draws its own


def new_model(config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    """A model with random weights in fp32, the same for the same configuration and seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _from_config(config)


def load_model(folder: Path) -> PreTrainedModel:
    """The model in a checkpoint's directory, in fp32, from safetensors only.

    Raises:
        ModelError: a file is missing, truncated, or does not fit the configuration.
    """
    config = read_config(folder)
    if not has_weights(folder):
        raise ModelError(f"{folder} holds no .safetensors file: give a complete checkpoint")
    try:
        loaded: Any = _class_for(config).from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"can't load the weights in {folder}: {error}. Fetch or export the checkpoint again"
        ) from error
    model, report = loaded
    if report["missing_keys"]:
        raise ModelError(
            f"{folder} lacks the weights {_some(report['missing_keys'])}: fetch or export it again"
        )
    assert isinstance(model, PreTrainedModel)
    return model


def save_checkpoint(
    folder: Path,
    config: PreTrainedConfig,
    tensors: Mapping[str, np.ndarray[Any, Any]],
    tokenizer_folder: Path,
    *,
    card: str,
    further: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write a checkpoint that transformers, vLLM and SGLang open; `folder` appears when complete.

    `tensors` are the model's `named_parameters()`, so tied ones once; `card` becomes README.md, and
    `further` are JSON files by name.

    Raises:
        ModelError: a tensor is missing, unknown or of another shape.
        ConfigError: `folder` exists, can't be written, or the tokenizer can't be read.
    """
    model = _model_of(config, tensors)
    with complete_folder(folder) as temporary:
        try:
            model.save_pretrained(temporary)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise ConfigError(f"can't write {folder}: {error}. Free some space first") from error
        GenerationConfig.from_model_config(model.config).save_pretrained(temporary)
        _save_tokenizer(tokenizer_folder, temporary, model.config)
        for name, content in further.items():
            write_json(temporary / name, content)
        (temporary / "README.md").write_text(card, encoding="utf-8")


def generation_file(config: PreTrainedConfig, usual: UsualSampling) -> Mapping[str, object]:
    """A checkpoint's generation_config.json with what is said of how its tokens are best chosen."""
    made = GenerationConfig.from_model_config(config)
    if said := usual.model_dump(exclude_none=True):
        draws = usual.temperature != 0 and bool(said.keys() - {"repetition_penalty"})
        made.update(**said, do_sample=draws)
    found: dict[str, object] = made.to_diff_dict()
    return found


def end_tokens(model: Any, of_tokenizer: int | None) -> frozenset[int]:
    """Those after which an answer is over: a model's, and its tokenizer's, which may end a turn."""
    found: set[int] = set()
    own = getattr(model.config.get_text_config(), "eos_token_id", None)
    for ends in (model.generation_config.eos_token_id, own, of_tokenizer):
        found.update(ends if isinstance(ends, list) else [] if ends is None else [ends])
    return frozenset(found)


def _class_for(config: PreTrainedConfig) -> Any:
    """Whose models these are: of texts, or of texts and pictures."""
    return AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM


def _from_config(config: PreTrainedConfig) -> PreTrainedModel:
    model = _class_for(config).from_config(config, dtype=torch.float32, trust_remote_code=False)
    assert isinstance(model, PreTrainedModel)
    return model


def _model_of(
    config: PreTrainedConfig, tensors: Mapping[str, np.ndarray[Any, Any]]
) -> PreTrainedModel:
    with torch.device("meta"):
        model = _from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    wrong = [
        name
        for name in sorted(shapes.keys() | tensors.keys())
        if name not in shapes or name not in tensors or tensors[name].shape != shapes[name]
    ]
    if wrong:
        raise ModelError(
            f"the tensors do not fit the model's configuration: {_some(wrong)} missing, unknown "
            "or of another shape. Save them with the configuration that they were trained under"
        )
    state = {name: torch.tensor(array, dtype=torch.float32) for name, array in tensors.items()}
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model


def _save_tokenizer(source: Path, folder: Path, config: PreTrainedConfig) -> None:
    vocabulary = read_json(source / "tokenizer.json")
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    settings = folder / "tokenizer_config.json"
    if settings.exists():
        values = read_json(settings)
    else:
        text_of = {token["id"]: token["content"] for token in vocabulary["added_tokens"]}
        values = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": text_of.get(config.eos_token_id),
            "clean_up_tokenization_spaces": False,
            "model_max_length": config.max_position_embeddings,
        }
    if not (folder / "chat_template.jinja").exists():
        values.setdefault("chat_template", CONTINUE_TEMPLATE)
    write_json(settings, values)


def _some(names: Any) -> str:
    """The first few of many names."""
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
