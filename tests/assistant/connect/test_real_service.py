"""The configurations against a real service: what they name is asked as their programs ask it."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from archipel.assistant.connect.snippets import Reached
from archipel.assistant.connect.table import CLIENTS, configuration
from archipel.assistant.connect.trial import Trial, Tried
from archipel.assistant.people import LOCAL
from archipel.chat import ChatService
from tests.conftest import missing
from tests.serve.conftest import Service, coder

__all__ = ["coder"]

BEFORE, BEHIND = "def add(first", "):\n    return 1\n"


@pytest.fixture(scope="module")
def reached(start_service: Callable[..., Service], coder: Path) -> Reached:
    service = start_service(f"coder={coder}")
    return Reached(service.url, "coder", "tiny", wants_key=False)


def first(name: str, reached: Reached) -> str:
    return configuration(CLIENTS[name], reached)[0].text


def post(url: str, **body: Any) -> Any:
    answer = httpx.post(url, json=body, headers={"Authorization": "Bearer none"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_editors_get_completions_where_they_are_sent(reached: Reached) -> None:
    zed = json.loads(first("zed", reached))["edit_predictions"]["open_ai_compatible_api"]
    marked = f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{BEHIND}<|fim_middle|>"
    assert post(zed["api_url"], model=zed["model"], prompt=marked, max_tokens=4)["choices"]
    vscode = json.loads(first("llama_vscode", reached))["llama-vscode.endpoint"]
    asked = {"input_prefix": BEFORE, "input_suffix": BEHIND, "n_predict": 4}
    assert post(f"{vscode}/infill", **asked)["content"]
    fill = yaml.safe_load(first("continue", reached))["models"][0]
    asked = {"model": fill["model"], "prompt": BEFORE, "suffix": BEHIND, "max_tokens": 4}
    assert post(f"{fill['apiBase']}/fim/completions", **asked)["choices"]
    tabby = tomllib.loads(first("jetbrains", reached))["server"]["endpoint"]
    assert post(f"{tabby}/v1/health")["model"] == "coder"
    segments = {"prefix": BEFORE, "suffix": BEHIND}
    assert post(f"{tabby}/v1/completions", language="python", segments=segments)["choices"]


def test_claude_code_gets_messages_where_it_is_sent(reached: Reached) -> None:
    env = json.loads(first("claude_code", reached))["env"]
    asked = [{"role": "user", "content": "Hello"}]
    url = f"{env['ANTHROPIC_BASE_URL']}/v1/messages"
    answer = post(url, model=env["ANTHROPIC_MODEL"], messages=asked, max_tokens=4)
    assert answer["type"] == "message"


def test_the_python_program_runs(reached: Reached, tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(first("python", reached))
    command = [sys.executable, "ask.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_curl_command_runs(reached: Reached) -> None:
    if not shutil.which("curl"):
        missing("curl")
    command = ["bash", "-c", first("curl", reached)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["choices"]


def test_the_test_buttons_questions_are_answered(reached: Reached) -> None:
    async def asked() -> tuple[Tried, Tried, Tried]:
        async with ChatService(reached.api) as service:
            trial = Trial(service, time.monotonic)
            models = await trial.models(LOCAL)
            fill = await trial.fill(LOCAL, reached.fill)
            return models, fill, await trial.chat(LOCAL, reached.chat)

    models, fill, chat = asyncio.run(asked())
    assert models.text == "tiny, coder"
    assert fill.text
    assert all(0 < one.seconds < 20 for one in (models, fill, chat))
