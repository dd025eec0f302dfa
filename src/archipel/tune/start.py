"""The model that a tuning starts from: a checkpoint's folder, or a GGUF file unpacked to fp32."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from archipel.errors import ConfigError, ModelError
from archipel.files import sha256_bytes, sha256_file
from archipel.models.checkpoint import load_model
from archipel.tune.templates import open_tokenizer

log = logging.getLogger(__name__)

_ANY = 1 << 30  # tokens, where a model's configuration names no most
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class Start:
    """A model in fp32 with its tokenizer; `folder` is None where they come from a GGUF file.

    `digest` tells apart any two starts.
    """

    model: PreTrainedModel
    tokenizer: Tokenizer
    folder: Path | None
    digest: str

    @property
    def context(self) -> int | None:
        """Of how many tokens the model was made, where its configuration says."""
        found = getattr(self.model.config, "max_position_embeddings", None)
        return found if isinstance(found, int) else None

    def most_tokens(self, context: int | None) -> int:
        """That a conversation may have: `context`, or as many as the model was made for.

        Raises:
            ConfigError: `context` is more than that.
        """
        own = self.context or _ANY
        if context and context > own:
            raise ConfigError(
                f"--context {context:,} is more than the {own:,} tokens that the model was made "
                "for: give fewer"
            )
        return context or own


def open_start(path: Path) -> Start:
    """The model at `path`.

    Raises:
        ConfigError: there is neither a folder nor a .gguf file.
        ModelError: it can't be loaded, or its tokenizer has more tokens than it.
    """
    if path.is_dir():
        start = _from_folder(path)
    elif path.is_file() and path.suffix == ".gguf":
        start = _from_gguf(path)
    else:
        raise ConfigError(
            f"{path} is neither a checkpoint's folder nor a .gguf file: export a run with "
            "`archipel run export`, or fetch a model with `archipel pull`"
        )
    if len(start.tokenizer) > start.model.config.vocab_size:
        raise ModelError(
            f"{path} has a tokenizer of {len(start.tokenizer):,} tokens for a model of "
            f"{start.model.config.vocab_size:,}: give it the tokenizer that it was trained with"
        )
    return start


def start_tokenizer(path: Path) -> tuple[Tokenizer, Path | None]:
    """The tokenizer of the model at `path`, and the folder that it is read from, as in a Start.

    Raises:
        ModelError: there is none that can be read.
    """
    return (_gguf_tokenizer(path), None) if path.suffix == ".gguf" else (open_tokenizer(path), path)


def _from_folder(folder: Path) -> Start:
    model = load_model(folder)
    kinds = (".json", ".jinja", ".safetensors", ".model")
    files = sorted(file for file in folder.iterdir() if file.suffix in kinds)
    lines = [f"{file.name} {sha256_file(file)}\n" for file in files]
    return Start(model, open_tokenizer(folder), folder, sha256_bytes("".join(lines).encode()))


def _from_gguf(path: Path) -> Start:
    log.info("unpacking %s to fp32", path)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, **_in_gguf(path)
        )
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    assert isinstance(model, PreTrainedModel)
    return Start(model, _gguf_tokenizer(path), None, sha256_file(path))


def _gguf_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path.parent, **_in_gguf(path))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    assert isinstance(tokenizer, Tokenizer)
    return tokenizer


def _in_gguf(path: Path) -> dict[str, Any]:
    return {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"transformers can't read {path} ({error}). Start from the checkpoint that it is of"
    )
