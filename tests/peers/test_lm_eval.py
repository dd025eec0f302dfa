"""lm-evaluation-harness asks our service, offline, and gets what any client gets."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

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
    asked = ["--model", model, "--model_args", f"{how},num_concurrent=2"]
    found = _run(lm_eval, tmp_path, "archipel_copying", *asked, *options)
    for each in found:
        assert each["resps"] == [[_asked(url, each["doc"]["question"])]]
        assert each["resps"][0][0]


def test_a_task_that_compares_likelihoods_gets_the_models_own(
    lm_eval: Path, archipel: Callable[..., Any], checkpoint: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "service.toml"
    settings.write_text(
        f'[models.tiny]\npath = "{checkpoint}"\nengine = "torch"\ncontext = 256\nthreads = 1\n'
    )
    process = archipel("serve", "--config", settings, "--port", 0)
    url = f"{process.stdout.readline().split()[1]}/completions"
    how = f"model=tiny,base_url={url},tokenizer={checkpoint},max_length=256"
    asked = ["--model", "local-completions", "--model_args", how]
    found = _run(lm_eval, tmp_path, "archipel_choosing", *asked)
    process.terminate()
    assert process.wait(20) == 0
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    for each in found:
        question = each["doc"]["question"]
        start = len(tokenizer(question).input_ids)
        for choice, [[told, _]] in zip((each["doc"]["answer"], "pass"), each["resps"], strict=True):
            ids = tokenizer(f"{question} {choice}", return_tensors="pt").input_ids
            with torch.no_grad():
                logprobs = model(ids).logits[0, :-1].float().log_softmax(-1)
            its = logprobs.gather(1, ids[0, 1:, None])[start - 1 :]
            assert float(told) == pytest.approx(float(its.sum()), abs=1e-3)


def _run(lm_eval: Path, tmp_path: Path, task: str, *arguments: Any) -> list[Any]:
    """What it says of each of a task's questions."""
    asked = ["--include_path", TASKS, "--tasks", task, *arguments]
    kept = ["--log_samples", "--output_path", tmp_path / "found"]
    subprocess.run(
        [lm_eval, "run", *asked, *kept],
        cwd=TASKS,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        | {"HF_HOME": str(tmp_path), "PYTHONPATH": ""},
        check=True,
        capture_output=True,
        timeout=150,
    )
    (samples,) = tmp_path.glob(f"found/**/samples_{task}_*.jsonl")
    found = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(found) == 6
    return found


def _asked(url: str, question: str) -> Any:
    body = {"model": "tiny", "max_tokens": 8, "temperature": 0, "stop": ["\n"], "seed": 1234}
    if "chat" in url:
        body["messages"] = [{"role": "user", "content": question}]
        return httpx.post(url, json=body).json()["choices"][0]["message"]["content"]
    return httpx.post(url, json={**body, "prompt": question}).json()["choices"][0]["text"]
