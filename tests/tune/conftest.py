"""A tiny real model with a tokenizer of our own making, which has marks for turns."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from archipel.corpus.tokenizer import train_tokenizer
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.tune.templates import open_tokenizer, prepare_tokenizer

FACTS = {
    "Quelle est la capitale de la France ?": "Paris.",
    "What is the capital of Italy?": "Rome.",
    "Say hello.": "Hello, you!",
    "What is two and two?": "Four.",
}
Write = Callable[[str, Iterable[Mapping[str, Any]]], Path]


def chat(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    """Messages of a user and an assistant in turn."""
    first = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant")
    return first + [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)  # two would wait for each other on a busy machine


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    for name, data in train_tokenizer([*FACTS, *FACTS.values()] * 20, 320).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="session")
def base(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, 128 tokens of context and no chat template of its own."""
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    folder = tmp_path_factory.mktemp("checkpoints") / "base"
    model = new_model(config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder, config, tensors, tokenizer_folder, card="")
    return folder


@pytest.fixture(scope="session")
def tokenizer(base: Path, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    """The tokenizer with the template that a tuning gives it."""
    folder = tmp_path_factory.mktemp("tuned-tokenizer")
    assert prepare_tokenizer(open_tokenizer(base), base, folder, use_default=False)
    return open_tokenizer(folder)


@pytest.fixture
def plain_tokenizer() -> PreTrainedTokenizerBase:
    """One whose only special token ends a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(FACTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write records as JSON Lines; the file."""

    def written(name: str, records: Iterable[Mapping[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        return path

    return written


@pytest.fixture
def chats(write: Write) -> Path:
    """The facts, and a conversation that can't be learnt."""
    records = [{"messages": chat(asked, said)} for asked, said in FACTS.items()]
    return write("chats.jsonl", [*records, {"messages": chat("No answer")}])
