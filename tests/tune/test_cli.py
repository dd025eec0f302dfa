"""`archipel finetune` as a person calls it: from a run, killed, interrupted, mistyped."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus import BuildOptions, build_corpus
from archipel.errors import ConfigError
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.tune.conversations import conversation
from archipel.tune.finetune import TuneOptions, finetune
from archipel.tune.lessons import Material
from tests.preloaded import Command, command
from tests.tune.conftest import FACTS

_SECONDS = 100
_WEIGHTS = "model.safetensors"


def _words(start: Path, data: Path, out: Path, *words: object) -> list[str]:
    options = ["-o", out, "--threads", 1, "--held-out", 0, "--batch", 2, *words]
    return [*map(str, ["finetune", start, data, *options])]


def test_killed_or_interrupted_the_same_command_goes_on(
    base: Path, chats: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = _words(base, chats, out, "--epochs", 100)
    checkpoint, end = tmp_path / "out.unfinished/checkpoint.safetensors", time.monotonic() + 120
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        written = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        log = tmp_path / f"{number}.log"
        process = Command(words, {}, log, log)
        while not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > written):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(number)
        ended, said = process.wait(_SECONDS), log.read_text(encoding="utf-8")
        assert ended == status, said
        assert not out.exists()
    assert "The same command goes on where it was." in said
    assert command(words, {}, _SECONDS).returncode == 0
    assert not checkpoint.parent.exists()
    material = Material(data=[chats], read=conversation, kind="conversations")
    options = TuneOptions(epochs=100, batch=2, held_out=0.0)
    whole = tmp_path / "whole"
    assert finetune(base, material, whole, options, threading.Event(), lambda progress: None)
    assert (out / _WEIGHTS).read_bytes() == (whole / _WEIGHTS).read_bytes()


def test_a_run_is_a_start_as_it_is_now(
    base: Path, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "home"))
    text = tmp_path / "text.md"
    text.write_text("\n".join([*FACTS, *FACTS.values()] * 200), encoding="utf-8")
    build_corpus([text], tmp_path / "corpus", BuildOptions(tokenizer=base))
    options = RunOptions(model=str(base), tokens=10_000, sequence_tokens=64, batch_sequences=1)
    create_run(Store(str(tmp_path / "run")), tmp_path / "corpus", options)
    figures = tmp_path / "figures.json"
    words = _words(tmp_path / "run", chats, tmp_path / "out", "--epochs", 2, "--json", figures)
    done = command(words, {}, _SECONDS)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'out'}: 4 lessons learnt, 0 held out, from conversations" in done.stdout
    assert "left out: 1 without an answer" in done.stdout
    assert "chat template: a plain one" in done.stdout
    assert "held-out loss, before and after each epoch: not measured" in done.stdout
    found = json.loads(figures.read_text())
    assert (found["items"], found["step"], len(found["losses"])) == (4, 4, 4)
    assert (tmp_path / "out" / _WEIGHTS).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fields", "en,fr"], "give --task too"),
        (["--task", "rewrite", "--preferences"], "give one of them"),
        (["--task", "rewrite", "--fields", "one"], "must name two fields"),
        (["--task", "translate", "--fields", "en,xx"], "language 'xx' is unknown"),
        (["--merge"], "give --lora too"),
    ],
)
def test_options_that_do_not_go_together_are_named(words: list[str], said: str) -> None:
    shown = CliRunner().invoke(app, ["finetune", "model", "data.jsonl", "-o", "out", *words])
    assert isinstance(shown.exception, ConfigError)
    assert said in str(shown.exception)
