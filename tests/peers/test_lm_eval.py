"""lm-evaluation-harness asks our service, offline, and gets what any client gets."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serve.conftest import Service

TASKS = Path(__file__).parent / "tasks"


@pytest.mark.parametrize(
    ("model", "endpoint", "options"),
    [
        ("local-completions", "completions", []),
        ("local-chat-completions", "chat/completions", ["--apply_chat_template"]),
    ],
)
def test_a_task_that_generates_gets_what_any_client_gets(
    lm_eval: Path, service: Service, tmp_path: Path, model: str, endpoint: str, options: list[str]
) -> None:
    url = f"{service.url}/{endpoint}"
    how = f"model=tiny,base_url={url},tokenizer_backend=None,tokenized_requests=False"
    task = ["--include_path", TASKS, "--tasks", "archipel_copying", *options]
    kept = ["--log_samples", "--output_path", tmp_path / "found"]
    asked = ["--model", model, "--model_args", f"{how},num_concurrent=2"]
    subprocess.run(
        [lm_eval, "run", *asked, *task, *kept],
        cwd=TASKS,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        | {"HF_HOME": str(tmp_path), "PYTHONPATH": ""},
        check=True,
        capture_output=True,
        timeout=150,
    )
    (samples,) = tmp_path.glob("found/**/samples_archipel_copying_*.jsonl")
    found = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(found) == 6
    for each in found:
        assert each["resps"] == [[_asked(url, each["doc"]["question"])]]
        assert each["resps"][0][0]


def _asked(url: str, question: str) -> Any:
    body = {"model": "tiny", "max_tokens": 8, "temperature": 0, "stop": ["\n"], "seed": 1234}
    if "chat" in url:
        body["messages"] = [{"role": "user", "content": question}]
        return httpx.post(url, json=body).json()["choices"][0]["message"]["content"]
    return httpx.post(url, json={**body, "prompt": question}).json()["choices"][0]["text"]
