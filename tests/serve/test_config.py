"""`archipel serve --config`: a model here behind a supplier elsewhere, as a process."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.serve.test_start import failure

Archipel = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def file(checkpoint: Path, tmp_path: Path) -> Path:
    """A route whose first target is a supplier that is gone."""
    found = tmp_path / "service.toml"
    found.write_text(
        f"""
        [models.tiny]
        path = "{checkpoint}"
        context = 256
        threads = 1

        [providers.gone]
        url = "http://127.0.0.1:9/v1"
        key_env = "GONE_KEY"

        [routes.chat]
        targets = [{{provider = "gone", model = "large"}}, {{model = "tiny"}}]
        """
    )
    return found


def test_the_model_here_answers_for_a_supplier_that_is_gone(archipel: Archipel, file: Path) -> None:
    process = archipel("serve", "--config", file, "--port", 0, GONE_KEY="sk-never-shown")
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(2)]
    assert [line[0] for line in lines] == ["tiny", "chat"]
    with OpenAI(base_url=lines[1][1], api_key="none", max_retries=0, timeout=60) as client:
        assert [model.id for model in client.models.list()] == ["tiny", "chat"]
        whole = client.completions.create(model="chat", prompt="def ", max_tokens=4, temperature=0)
        stream = client.completions.create(
            model="chat", prompt="def ", max_tokens=4, temperature=0, stream=True
        )
        assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "gone/large" in log
    assert "sk-never-shown" not in log


def test_routes_are_read_again_under_a_stream(archipel: Archipel, file: Path) -> None:
    process = archipel("serve", "--config", file, "--port", 0, GONE_KEY="sk-never-shown")
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().split()[1]
    good = file.read_text()
    changes = (
        (good.replace("chat", "talk"), "tiny, talk"),
        (good + "[", "is not taken"),
        (f"{good}[accounts]\n[logs]\nrequests = true\n", "[accounts], [logs] changed"),
    )
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
        stream = client.completions.create(
            model="tiny", prompt="def ", max_tokens=200, temperature=0, stream=True
        )
        next(iter(stream))
        for text, said in changes:
            file.write_text(text)
            process.send_signal(signal.SIGHUP)
            assert said in next(line for line in process.stderr if "service.toml" in line)
            assert [model.id for model in client.models.list()] == ["tiny", "talk"]
        assert [chunk.choices[0].finish_reason for chunk in stream][-1]
    process.kill()


def test_a_check_says_what_would_be_served(archipel: Archipel, file: Path) -> None:
    process = archipel("serve", "--config", file, "--check", GONE_KEY="sk-never-shown")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.fullmatch(r"all is right; it would serve tiny, chat\ntiny: llama\.cpp \d MB\n", said)


def test_a_check_names_the_key_that_is_lacking(archipel: Archipel, file: Path) -> None:
    said = failure(archipel("serve", "--config", file, "--check", GONE_KEY=""))
    assert "providers.gone.key_env: GONE_KEY is not set" in said


def test_nothing_to_serve_is_said(archipel: Archipel) -> None:
    assert "--config" in failure(archipel("serve"))


def test_a_model_embeds_texts(archipel: Archipel, checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(
        f'[models.vectors]\npath = "{checkpoint}"\ncontext = 256\nthreads = 1\npooling = "mean"\n'
    )
    process = archipel("serve", "--config", file, "--port", 0)
    assert process.stdout is not None
    url = process.stdout.readline().split()[1]
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
        found = client.embeddings.create(model="vectors", input=["def f():", "import os"])
        assert len(found.data) == 2
        first, second = (one.embedding for one in found.data)
        assert len(first) == len(second) > 0
        assert first != second
        assert found.usage.prompt_tokens > 0
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="vectors", input=[])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
