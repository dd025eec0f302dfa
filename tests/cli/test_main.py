"""The command as a whole: quick to answer, light to import, honest exit codes."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from archipel import __version__
from archipel.cli.main import app

HEAVY = ("torch", "transformers", "tokenizers", "numpy", "pydantic", "starlette", "httpx", "rich")
VERBS = (
    *("corpus", "run", "site", "demo", "serve", "chat", "up", "pull", "bench", "finetune"),
    "search",
)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from archipel.cli.main import app;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_verb() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert all(verb in shown.output for verb in VERBS)


@pytest.mark.parametrize(
    "words",
    [
        ["corpus", "build"],
        ["run", "create"],
        ["run", "watch"],
        ["run", "audit"],
        ["run", "export"],
        ["site", "join"],
        ["demo"],
        ["bench"],
        ["finetune"],
    ],
)
def test_every_training_verb_shows_an_example(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert f"archipel {' '.join(words)}" in " ".join(shown.output.split())


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


def test_an_unknown_benchmark_lists_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archipel", "bench", "nothing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "corpus, documents, documents_search, finetune" in done.stderr
