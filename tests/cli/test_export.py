"""`archipel export`: what a device gets holds what the checkpoint does, or it gets nothing."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.errors import ArchipelError, ConfigError, ModelError
from archipel.evaluate.windows import compare, cut_windows
from archipel.models.checkpoint import load_model, new_model, save_checkpoint
from tests.models.conftest import TEXT, tokenizer_folder

__all__ = ["tokenizer_folder"]

QUESTION = {"role": "user", "content": "def add(first: int,"}
ANSWER = {"role": "assistant", "content": " second: int) -> int:"}


@pytest.fixture(scope="module")
def checkpoint(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as wide as K-quants need, that has learned a few sentences; with its licence."""
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    model = new_model(config, seed=0)
    ids = torch.tensor([[0, *tokenizer.encode("".join(TEXT)).ids[:120]]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(25):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("export") / "tiny"
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder, config, tensors, tokenizer_folder, card="")
    (folder / "LICENSE").write_text("Apache-2.0")
    return folder


def export(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["export", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_what_is_told_of_the_loss_is_so(checkpoint: Path, tmp_path: Path) -> None:
    text, facts = tmp_path / "text.txt", tmp_path / "facts.json"
    text.write_bytes("".join(TEXT).encode())
    shown = export(
        *("--for", "laptop", checkpoint, "-o", tmp_path / "out", "--text", text),
        *("--tokens", 64, "--json", facts),
    )
    told = json.loads(facts.read_text())
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    ids = torch.tensor([tokenizer.encode("".join(TEXT)).ids[:127]])
    with torch.no_grad():
        expected = float(load_model(checkpoint)(input_ids=ids, labels=ids).loss)
    assert told["checkpoint_loss"] == pytest.approx(expected, rel=1e-4)
    assert told["kinds"]["f16"]["rise_percent"] == pytest.approx(0, abs=0.05)
    laptop = told["kinds"]["q8_0"]
    assert told["accepted"]
    assert told["kind"] == "q8_0"
    assert abs(laptop["rise_percent"]) < 0.5
    assert laptop["bytes"] == (tmp_path / "out/tiny-q8_0.gguf").stat().st_size
    assert laptop["memory_bytes"] > laptop["bytes"]
    assert laptop["writes_tokens_per_second"] > 0
    assert "q8_0" in shown
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "tiny-q8_0.gguf",
        "LICENSE",
        "README.md",
    }


def test_what_loses_more_than_it_may_is_refused_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    command = ["--for", "phone", checkpoint, "-o", tmp_path / "out", "--tokens", 256]
    with pytest.raises(ModelError, match=r"q4_k_m raises the loss by .* --for laptop"):
        export(*command, "--at-most", "0.001%", "--json", tmp_path / "facts.json")
    told = json.loads((tmp_path / "facts.json").read_text())
    assert not told["accepted"]
    assert told["kinds"]["q4_k_m"]["tensors"]["Q4_K"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]


def test_of_conversations_the_answers_count(checkpoint: Path, tmp_path: Path) -> None:
    talk, facts = tmp_path / "talk.jsonl", tmp_path / "facts.json"
    too_long = {"role": "assistant", "content": "word " * 200}
    lines = [{"messages": [QUESTION, answer]} for answer in (ANSWER, too_long)]
    talk.write_text("\n".join(map(json.dumps, lines)))
    export("--for", "server", checkpoint, "-o", tmp_path / "out", "--text", talk, "--json", facts)
    told = json.loads(facts.read_text())
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    asked, answer = (tokenizer.encode(one["content"]).ids for one in (QUESTION, ANSWER))
    labels = torch.tensor([[-100] * len(asked) + answer])
    with torch.no_grad():
        model = load_model(checkpoint)
        expected = float(model(input_ids=torch.tensor([asked + answer]), labels=labels).loss)
    assert told["checkpoint_loss"] == pytest.approx(expected, rel=1e-4)
    assert told["kinds"]["f16"]["tokens"] == len(answer)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (["--for", "watch"], ConfigError, "server, laptop, phone"),
        (["--for", "phone", "--at-most", "little"], ConfigError, "0.5%"),
        (["--for", "phone", "--name", "../other"], ConfigError, "is no file's name"),
        (["--for", "phone", "--text", "short.txt"], ConfigError, "has 3 tokens only"),
        (["--for", "phone", "--text", "binary.txt"], ConfigError, "not text in UTF-8"),
        (["--for", "phone", "--text", "none.txt"], ConfigError, "can't read none.txt"),
        (["--for", "phone", "--text", "ask.jsonl"], ConfigError, "line 2: .*end with an answer"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[ArchipelError],
    match: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text("def add(")
    Path("ask.jsonl").write_text(f"\n{json.dumps({'messages': [QUESTION]})}\n")
    Path("binary.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(error, match=match):
        export(checkpoint, "-o", "out", *arguments)
    assert not Path("out").exists()


def test_a_gguf_is_not_exported_again(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="is a GGUF already"):
        export("--for", "phone", tmp_path / "model.gguf", "-o", tmp_path / "out")


def test_a_rise_is_over_the_tokens_that_both_tell_of() -> None:
    rise = compare([[1.0, 2.0, 9.0], [3.0]], [[1.1, 2.2, None], [3.3]])
    assert (rise.before, rise.tokens) == (2.0, 3)
    assert rise.percent == pytest.approx(10)
    assert rise.error == pytest.approx(2 * 0.0816497 / 3**0.5 / 2 * 100)
    with pytest.raises(ModelError, match="--text"):
        compare([[1.0]], [[None]])


def test_windows_are_spread_over_the_text() -> None:
    assert cut_windows(range(100), 10, 30) == [
        list(range(start, start + 10)) for start in (0, 30, 60)
    ]
    assert cut_windows(range(5), 10, 30) == [[0, 1, 2, 3, 4]]
