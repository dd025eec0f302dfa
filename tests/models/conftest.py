"""A tiny real model and a tokenizer like those that a corpus comes with."""

from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = [
    "def add(first: int, second: int) -> int:\n    return first + second\n",
    "The quick brown fox jumps over the lazy dog; it's 2026, isn't it?\r\n",
    "L'été, les élèves lisent à l'ombre : « Où est-ce ? »",
    "世界你好。こんにちは 🙂🎉",
] * 3


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer of 512 tokens with the split that llama.cpp calls qwen2."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder, ["<|endoftext|>"])
    return folder


def save_tokenizer(folder: Path, special_tokens: list[str]) -> None:
    """The tokenizer with other special tokens; the first of them ends a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="session")
def tiny_config(tokenizer_folder: Path) -> LlamaConfig:
    """Two layers, 64 wide."""
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    return LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
