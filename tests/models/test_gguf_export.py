"""GGUF export: llama.cpp reads it, cuts text equally and continues it equally."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import GPT2Config, LlamaConfig, PreTrainedModel

from archipel.errors import ModelError
from archipel.models import gguf_tokens
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.gguf_export import KINDS, export_gguf
from tests.models.conftest import TEXT

PROMPTS = ["def add(", "The quick", "L'été, les", " fox jumps", " it's 20"]
GREEDY = """
import httpx, json, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.warmup, params.ui = 256, False, False
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
replies = [
    httpx.post(server.listening_address + "/completion", json={
        "prompt": prompt, "n_predict": 32, "temperature": 0, "return_tokens": True,
        "ignore_eos": True,
    }).json()["tokens"]
    for prompt in json.loads(sys.argv[2])
]
print(json.dumps(replies))
"""


@pytest.fixture(scope="module")
def trained(tiny_config: LlamaConfig, tokenizer_folder: Path) -> PreTrainedModel:
    """A tiny model that has learned a few sentences, so that its next token is seldom a toss-up."""
    torch.manual_seed(0)
    model = new_model(tiny_config, seed=0)
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    ids = torch.tensor([tokenizer.encode("".join(TEXT)).ids[:120]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(
    trained: PreTrainedModel, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("export") / "tiny"
    tensors = {name: tensor.detach().numpy() for name, tensor in trained.named_parameters()}
    save_checkpoint(folder, trained.config, tensors, tokenizer_folder, card="")
    return folder


@pytest.fixture
def edited(checkpoint: Path, tmp_path: Path) -> Callable[[str, Callable[[dict], None]], Path]:
    """The checkpoint with one of its JSON files changed."""

    def edit(name: str, change: Callable[[dict], None]) -> Path:
        folder = tmp_path / "edited"
        folder.mkdir()
        for path in checkpoint.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))
        return folder

    return edit


def test_f16_continues_text_like_transformers_in_fp32(
    trained: PreTrainedModel, checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.gguf"
    export_gguf(checkpoint, path, "f16")
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.gguf"]

    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    prompts = [tokenizer.encode(text).ids for text in PROMPTS]
    child = subprocess.run(
        [sys.executable, "-c", GREEDY, str(path), json.dumps(prompts)],
        capture_output=True,
        check=True,
    )
    replies = json.loads(child.stdout)
    assert all(len(set(reply)) > 10 for reply in replies)  # sentences, not one token repeated
    for prompt, reply in zip(prompts, replies, strict=True):
        generated = trained.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt)),
            max_new_tokens=32,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert reply == generated[0, len(prompt) :].tolist()


def test_the_file_says_what_it_is(checkpoint: Path, tmp_path: Path) -> None:
    export_gguf(checkpoint, tmp_path / "tiny.gguf", "q8_0")

    reader = gguf.GGUFReader(tmp_path / "tiny.gguf")
    facts = {name: field.contents() for name, field in reader.fields.items()}
    assert facts["general.architecture"] == "llama"
    assert facts["general.file_type"] == gguf.LlamaFileType.MOSTLY_Q8_0
    assert facts["tokenizer.ggml.model"] == "gpt2"
    assert facts["tokenizer.ggml.pre"] == "qwen2"
    assert facts["tokenizer.ggml.eos_token_id"] == 0
    assert facts["tokenizer.ggml.add_bos_token"] is False
    assert facts["tokenizer.chat_template"].startswith("{% for message in messages %}")
    types = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
    assert "output.weight" not in types  # tied to token_embd
    assert types["blk.0.attn_norm.weight"] == gguf.GGMLQuantizationType.F32
    assert types["blk.0.attn_q.weight"] == gguf.GGMLQuantizationType.Q8_0


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_stays_near_the_weights(
    tokenizer_folder: Path, tmp_path: Path, kind: str
) -> None:
    config = LlamaConfig(
        **{"vocab_size": 512, "hidden_size": 256, "intermediate_size": 320, "eos_token_id": 0},
        **{"num_hidden_layers": 3, "num_attention_heads": 4, "bos_token_id": None},
    )
    model = new_model(config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(tmp_path / "model", config, tensors, tokenizer_folder, card="")
    export_gguf(tmp_path / "model", tmp_path / "model.gguf", kind)

    # Root mean square of the error over that of Gaussian weights, with a little room.
    allowed = {"f32": 0.0, "f16": 3e-4, "bf16": 3e-3, "q8_0": 0.007, "q6_k": 0.02}
    allowed |= {"q5_k_m": 0.04, "q4_k_m": 0.08}
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    types = {name: tensor.tensor_type.name for name, tensor in read.items()}
    for ours, theirs in (("v_proj", "attn_v"), ("o_proj", "attn_output")):
        written = read[f"blk.0.{theirs}.weight"]
        values = gguf.quants.dequantize(written.data, written.tensor_type)
        weights = tensors[f"model.layers.0.self_attn.{ours}.weight"]
        error = np.sqrt(np.mean((values - weights) ** 2) / np.mean(weights**2))
        assert error <= allowed.get(kind, 0.12)
    if kind == "q4_k_m":
        assert types["blk.0.attn_output.weight"] == "Q4_K"
        assert types["blk.1.attn_v.weight"] == "Q4_K"
        assert types["blk.2.attn_v.weight"] == types["output.weight"] == "Q6_K"
        assert types["blk.2.ffn_down.weight"] == "Q8_0"  # rows of 320 can't hold blocks of 256


def test_tokens_that_differ_refuse_the_export(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [qwen2, _] = gguf_tokens._PRE_BY_SPLIT
    monkeypatch.setitem(gguf_tokens._PRE_BY_SPLIT, qwen2, "gpt-2")

    with pytest.raises(ModelError, match="into other tokens"):
        export_gguf(checkpoint, tmp_path / "tiny.gguf", "f16")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_split_is_refused(edited: Callable, tmp_path: Path) -> None:
    def change(content: dict) -> None:
        content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\w+"}

    with pytest.raises(ModelError, match="no name for"):
        export_gguf(edited("tokenizer.json", change), tmp_path / "tiny.gguf", "f16")


def test_an_unknown_kind_lists_those_that_exist(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'q3': use one of f32, f16"):
        export_gguf(checkpoint, tmp_path / "tiny.gguf", "q3")


def test_other_architectures_and_ropes_are_refused(edited: Callable, tmp_path: Path) -> None:
    config = GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=300)
    new_model(config, seed=0).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(ModelError, match="'gpt2' as GGUF: only 'llama'"):
        export_gguf(tmp_path / "gpt2", tmp_path / "x.gguf", "f16")

    def change(content: dict) -> None:
        content["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}

    with pytest.raises(ModelError, match="rope type 'linear'"):
        export_gguf(edited("config.json", change), tmp_path / "x.gguf", "f16")


def test_truncated_weights_are_a_clear_error(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])

    with pytest.raises(ModelError, match="can't read"):
        export_gguf(folder, tmp_path / "x.gguf", "f16")
    assert not (tmp_path / "x.gguf").exists()
