"""`archipel eval` as a person uses it, on a tiny model, its GGUF file and a service that has it."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from archipel.cli.evaluate.gating import reach
from archipel.cli.main import app
from archipel.errors import ConfigError, ModelError
from tests.serve.conftest import Service


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, words)])


def figures(path: Path, task: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(path.read_text())["tasks"][task]["figures"]
    return found


def test_a_model_is_measured_compared_with_itself_and_gated(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    first, answers = tmp_path / "first.json", tmp_path / "answers"
    tasks = ("--tasks", "blimp, arc_easy", "--data", data, "--limit", 6)
    done = run(checkpoint, *tasks, "--results", answers, "--json", first)
    assert done.exit_code == 0, done
    assert "acc_norm" in done.output
    acc = figures(first, "arc_easy")["acc"]
    assert 0 <= acc["low"] <= acc["value"] <= acc["high"] <= 1

    again = tmp_path / "again.json"
    gate = ("--gate", first, "--tolerance", 0, "--json", again)
    done = run(checkpoint, *tasks, *gate, "--results", answers, "--against", answers)
    assert done.exit_code == 0, done
    assert "the gate is passed" in done.output
    assert figures(again, "blimp") == figures(first, "blimp")
    gap = json.loads(again.read_text())["against"]["differences"]["arc_easy"]["acc"]
    assert gap["value"] == gap["low"] == gap["high"] == 0

    better = json.loads(first.read_text())
    better["tasks"]["blimp"]["figures"]["acc"]["value"] += 0.2
    first.write_text(json.dumps(better))
    done = run(checkpoint, *tasks, *gate, "--results", answers)
    assert done.exit_code == 1
    assert "blimp acc" in done.output

    fewer = (*tasks[:-1], 5)
    done = run(checkpoint, *fewer, *gate, "--results", answers)
    assert isinstance(done.exception, ConfigError)
    assert "other questions" in str(done.exception)
    done = run(answers, *tasks)  # a folder of answers stands for its model
    assert done.exit_code == 0, done


def test_a_gate_calls_the_model_by_its_name(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate.json"
    done = run(checkpoint, "--tasks", "blimp", "--data", data, "--limit", 4, "--json", gate)
    assert done.exit_code == 0, done
    reach(gate, checkpoint, "first", 0, data)
    shown = capsys.readouterr().out
    assert "first" in shown
    assert checkpoint.name not in shown


def test_another_model_is_not_mixed_in(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text('{"model": "other", "identity": "x"}')
    done = run(checkpoint, "--tasks", "blimp", "--data", data, "--results", tmp_path)
    assert isinstance(done.exception, ConfigError)
    assert "another model" in str(done.exception)


def test_a_service_and_an_engine_write_alike_but_do_not_read(
    service: Service, home: Path, data: Path, tmp_path: Path
) -> None:
    tasks = ("--tasks", "translate_en_fr", "--data", data)
    done = run("tiny", *tasks, "--url", service.url, "--json", tmp_path / "served.json")
    assert done.exit_code == 0, done
    (gguf,) = (home / "cache" / "gguf").glob("*.gguf")
    done = run(gguf, *tasks, "--json", tmp_path / "own.json")
    assert done.exit_code == 0, done
    served = figures(tmp_path / "served.json", "translate_en_fr")
    assert figures(tmp_path / "own.json", "translate_en_fr") == served
    assert served["chrf"]["value"] < 50
    done = run("tiny", "--tasks", "blimp", "--data", data, "--url", service.url)
    assert isinstance(done.exception, ModelError)
    assert "can't be asked how likely a text is" in str(done.exception)


def test_ctrl_c_keeps_what_came(
    archipel: Callable[..., subprocess.Popen[str]], checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    asked = ("eval", checkpoint, "--tasks", "blimp", "--data", data, "--results", tmp_path / "kept")
    process = archipel(*asked)
    assert process.stderr is not None
    assert "answers are kept in" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "The same command goes on" in said
    done = run(*asked[1:])
    assert done.exit_code == 0, done


def test_a_model_and_tasks_are_needed(tmp_path: Path) -> None:
    assert run("--tasks", "blimp").exit_code == 2
    shown = run("--list")
    assert shown.exit_code == 0
    assert "instructions" in shown.output
    done = run(tmp_path, "--tasks", "instructions")
    assert isinstance(done.exception, ModelError)
    with pytest.raises(ConfigError, match="named twice"):
        raise run("x", "--tasks", "instructions,instructions").exception or AssertionError
