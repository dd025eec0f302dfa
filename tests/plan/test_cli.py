"""`archipel plan`, as people call it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.errors import ConfigError

PARIS = "paris:hardware=h100,count=8,price=24"
ROME = "rome:tokens_per_second=50000,price=9,up=200,down=500,rtt=30"


def plan(*words: str) -> str:
    result = CliRunner().invoke(app, ["plan", *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_it_shows_the_run_its_sites_and_what_would_be(tmp_path: Path) -> None:
    figures, picture = tmp_path / "plan.json", tmp_path / "plan.png"
    output = plan(
        *("--model", "1B", "--tokens", "20B", "--site", PARIS, "--site", ROME),
        *("--what-if", "slower:rome:0.2", "--json", str(figures), "--png", str(picture)),
    )
    assert "paris" in output
    assert "slower:rome:0.2" in output
    assert "Recommended" in output
    assert "2501.18512" in output
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert written["forecasts"]["as planned"]["cost"] > 0
    assert {site["name"] for site in written["forecasts"]["as planned"]["sites"]} == {
        "paris",
        "rome",
    }
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_model_may_be_a_size_or_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {
                "model_type": "llama",
                "hidden_size": 64,
                "intermediate_size": 128,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "vocab_size": 512,
                "tie_word_embeddings": True,
            }
        ),
        encoding="utf-8",
    )
    figures = tmp_path / "plan.json"
    plan("--model", str(config), "--tokens", "1M", "--site", ROME, "--json", str(figures))
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert 100_000 < written["plan"]["parameters"] < 150_000
    plan("--model", "nano", "--tokens", "1M", "--site", ROME, "--json", str(figures))
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert written["plan"]["parameters"] > 3e6


def test_options_go_over_the_file(tmp_path: Path) -> None:
    file, figures = tmp_path / "plan.toml", tmp_path / "plan.json"
    file.write_text(
        'parameters = 1e9\ntokens = 20e9\ncodec = "sparse"\n'
        '[[sites]]\nname = "a"\ntokens_per_second = 5e4\n'
        '[[sites]]\nname = "b"\ntokens_per_second = 5e4\n',
        encoding="utf-8",
    )
    plan(str(file), "--sync", "30", "--json", str(figures))
    written = json.loads(figures.read_text(encoding="utf-8"))["plan"]
    assert (written["codec"], written["sync_steps"]) == ("sparse", 30)


def test_a_store_is_probed_and_left_as_it_was(tmp_path: Path) -> None:
    output = plan("--probe", str(tmp_path / "store"))
    values = dict(pair.split("=") for pair in output.strip().split(","))
    assert float(values["up"]) > 0
    assert float(values["down"]) > 0
    assert float(values["rtt"]) >= 0
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "big", "--tokens", "1M", "--site", ROME], "neither a number of parameters"),
        (["--model", "1B", "--tokens", "1M", "--site", "rome:up=0"], "impossible plan"),
        (["--model", "1B", "--tokens", "1M", "--site", "rome:fast"], "not key=value"),
        (["--model", "1B", "--site", ROME], "tokens"),
        (["none.toml", "--from", "./run"], "not from both"),
    ],
)
def test_bad_input_is_named(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(*words)
