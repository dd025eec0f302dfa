"""Checkpoints: what is saved opens in transformers and computes the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel

from archipel.errors import ConfigError, ModelError
from archipel.models.checkpoint import load_model, new_model, save_checkpoint


def _arrays(model: PreTrainedModel) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}


def test_a_seed_gives_the_same_model_and_leaves_the_callers_randomness(
    tiny_config: LlamaConfig,
) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (_arrays(new_model(tiny_config, seed)) for seed in (1, 1, 2))

    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(
        first["model.embed_tokens.weight"], other["model.embed_tokens.weight"]
    )
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("tied", [True, False])
def test_a_saved_checkpoint_opens_in_transformers_with_equal_logits(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path: Path, tied: bool
) -> None:
    config = LlamaConfig(**{**tiny_config.to_dict(), "tie_word_embeddings": tied})
    model = new_model(config, seed=0)
    folder = tmp_path / "export"
    save_checkpoint(folder, config, _arrays(model), tokenizer_folder, card="# A card\n")

    opened = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("def add(a, b): return", return_tensors="pt").input_ids
    with torch.no_grad():
        for other in (opened, load_model(folder)):
            assert (other(ids).logits - model(ids).logits).abs().max() <= 1e-4
    with safe_open(folder / "model.safetensors", "np") as file:
        assert ("lm_head.weight" in file.keys()) is not tied  # noqa: SIM118
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert (folder / "README.md").read_text() == "# A card\n"
    assert tokenizer.eos_token == "<|endoftext|>"
    messages = [{"role": "user", "content": "def "}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "def "


def test_tensors_that_do_not_fit_leave_nothing_behind(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path: Path
) -> None:
    tensors = _arrays(new_model(tiny_config, seed=0))
    tensors["model.norm.weight"] = np.ones(3, dtype=np.float32)

    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        save_checkpoint(tmp_path / "export", tiny_config, tensors, tokenizer_folder, card="")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_not_overwritten(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    with pytest.raises(ConfigError, match="exists already"):
        save_checkpoint(
            tmp_path,
            tiny_config,
            _arrays(new_model(tiny_config, seed=0)),
            tokenizer_folder,
            card="",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_truncated_or_missing_file_is_a_clear_error(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    tensors = _arrays(new_model(tiny_config, seed=0))
    save_checkpoint(folder, tiny_config, tensors, tokenizer_folder, card="")
    weights = folder / "model.safetensors"

    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="can't load the weights"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(ModelError, match=r"no \.safetensors"):
        load_model(folder)
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_model(tmp_path)


def test_missing_weights_are_never_made_up(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    tensors = _arrays(new_model(tiny_config, seed=0))
    save_checkpoint(folder, tiny_config, tensors, tokenizer_folder, card="")
    deeper = LlamaConfig(**{**tiny_config.to_dict(), "num_hidden_layers": 3})
    deeper.save_pretrained(folder)

    with pytest.raises(ModelError, match=r"lacks the weights model\.layers\.2"):
        load_model(folder)
