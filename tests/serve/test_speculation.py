"""What a text repeats is guessed: the real engine with it and without, by the official client."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from archipel.errors import ConfigError
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import read_settings
from archipel.serve.weights import Weights
from tests.models.conftest import TEXT
from tests.serve.conftest import served

_REPEATED = 4 * TEXT[0]


@pytest.fixture(scope="module")
def client(
    archipel: Callable[..., subprocess.Popen[str]],
    checkpoint: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenAI]:
    file = tmp_path_factory.mktemp("settings") / "service.toml"
    common = f'path = "{checkpoint}"\ncontext = 256\nthreads = 1\nparallel = 1\n'
    file.write_text(
        f'[models.plain]\n{common}[models.guessing]\n{common}speculation = "ngram"\n'
        '[routes.either]\ntargets = [{model = "guessing"}, {model = "plain"}]\n'
    )
    with served(archipel, file) as found:
        yield found


def test_what_is_guessed_is_what_the_model_says_anyway(client: OpenAI) -> None:
    def ask(model: str) -> tuple[str, int]:
        answer = client.completions.create(
            model=model, prompt=_REPEATED, temperature=0, max_tokens=60
        )
        timings = answer.model_dump()["timings"]
        return answer.choices[0].text, timings.get("draft_n_accepted", 0)

    said, none = ask("plain")
    again, accepted = ask("guessing")
    assert again == said
    assert (none, accepted > 0) == (0, True)


def test_logprobs_are_refused_where_some_would_be_missing(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="speculation") as refused:
        client.completions.create(model="guessing", prompt="a", max_tokens=4, logprobs=1)
    assert refused.value.param == "logprobs"
    message = {"role": "user", "content": "a"}
    for asked in ({"logprobs": True}, {"n_probs": 2}):
        with pytest.raises(openai.BadRequestError, match="without: speculation in its table"):
            client.chat.completions.create(
                model="guessing", messages=[message], max_tokens=4, extra_body=asked
            )
    told = client.completions.create(model="either", prompt="a", max_tokens=4, logprobs=1)
    assert told.choices[0].logprobs  # of the next that answers for the name


def test_it_is_llama_cpps_only(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text('[models.big]\npath = "x"\nengine = "vllm"\nspeculation = "ngram"')
    with pytest.raises(ConfigError, match="speculation is not for engine vllm"):
        read_settings(file)
    with pytest.raises(ConfigError, match=r"big is for llama\.cpp, and x is run by torch"):
        launch("big", ModelTable(path="x", speculation="ngram"), Weights("torch", "x"), cores=1)
