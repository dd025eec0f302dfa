"""Sizes by name and configurations from disk."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config

from archipel.errors import ModelError
from archipel.models.checkpoint import new_model
from archipel.models.sizes import SIZES, model_config


@pytest.mark.parametrize(
    ("name", "millions"), [("nano", 4.2), ("micro", 15.2), ("small", 60.8), ("base", 125.9)]
)
def test_a_named_size_has_the_parameters_it_says(name: str, millions: float) -> None:
    vocab = SIZES[name].usual_vocab
    config = model_config(name, vocab_size=vocab, end_of_text_id=0)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)

    assert model.num_parameters() == SIZES[name].parameters(vocab)
    assert round(model.num_parameters() / 1e6, 1) == millions
    assert config.max_position_embeddings == (512 if name == "nano" else 1024)


def test_the_context_and_the_end_of_text_are_taken_over() -> None:
    config = model_config("nano", vocab_size=300, context=64, end_of_text_id=7)

    assert (config.vocab_size, config.max_position_embeddings) == (300, 64)
    assert (config.eos_token_id, config.bos_token_id) == (7, None)


def test_an_unknown_size_lists_those_that_exist() -> None:
    with pytest.raises(ModelError, match="'huge': use one of nano, micro, small, base"):
        model_config("huge", vocab_size=300, end_of_text_id=0)


def test_a_configuration_from_disk_takes_vocabulary_and_context(tmp_path: Path) -> None:
    GPT2Config(n_layer=1, n_embd=32, n_head=2).save_pretrained(tmp_path)

    for path in (tmp_path, tmp_path / "config.json"):
        config = model_config(str(path), vocab_size=300, context=64, end_of_text_id=0)
        assert config.model_type == "gpt2"
        assert (config.vocab_size, config.max_position_embeddings) == (300, 64)


def test_a_checkpoint_keeps_its_own_vocabulary_and_must_hold_the_tokenizer(tmp_path: Path) -> None:
    config = GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=300, n_positions=64)
    new_model(config, seed=0).save_pretrained(tmp_path)

    assert model_config(str(tmp_path), vocab_size=280, end_of_text_id=0).vocab_size == 300
    with pytest.raises(ModelError, match="vocab_size = 300, but 301 is needed"):
        model_config(str(tmp_path), vocab_size=301, end_of_text_id=0)
    with pytest.raises(ModelError, match="max_position_embeddings = 64, but 65"):
        model_config(str(tmp_path), vocab_size=300, context=65, end_of_text_id=0)


def test_a_configuration_that_asks_for_its_own_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine"}}'
    )
    with pytest.raises(ModelError, match="never run"):
        model_config(str(tmp_path), vocab_size=300, end_of_text_id=0)
