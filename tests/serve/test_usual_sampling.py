"""How a model's maker would have its tokens chosen, where a request does not say."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from openai import OpenAI
from transformers import AutoModelForCausalLM, AutoTokenizer

from archipel.errors import ModelError
from archipel.models.sampling import UsualSampling, usual_sampling
from tests.serve.conftest import served

_TOKENS = 24
_PENALTY = 1.7
_ENGINES = ("llama", "torch")


@pytest.fixture(scope="module")
def advised(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose maker wants of all tokens the likeliest, however hot."""
    folder = tmp_path_factory.mktemp("advised") / "model"
    shutil.copytree(checkpoint, folder)
    said = {"do_sample": True, "temperature": 2.0, "top_k": 1, "eos_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def client(
    advised: Path,
    archipel: Callable[..., subprocess.Popen[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenAI]:
    """Of a service that has it by both engines."""
    file = tmp_path_factory.mktemp("settings") / "service.toml"
    common = f'path = "{advised}"\ncontext = 256\nthreads = 1\n'
    file.write_text(f'[models.llama]\n{common}[models.torch]\nengine = "torch"\n{common}')
    with served(archipel, file) as client:
        yield client


def _complete(client: OpenAI, model: str, **fields: Any) -> str:
    told = client.completions.create(
        model=model, prompt="The quick", max_tokens=_TOKENS, **{"seed": 1, **fields}
    )
    return told.choices[0].text


@pytest.mark.parametrize("engine", _ENGINES)
def test_the_makers_advice_is_followed_unless_the_request_says_otherwise(
    client: OpenAI, engine: str
) -> None:
    likeliest = _complete(client, engine, temperature=0)
    assert {_complete(client, engine, seed=seed) for seed in range(3)} == {likeliest}
    of_all = {"extra_body": {"top_k": 0}}
    assert len({_complete(client, engine, seed=seed, **of_all) for seed in range(3)}) == 3
    only = {"extra_body": {"top_k": 0, "min_p": 1.0}}
    assert {_complete(client, engine, seed=seed, **only) for seed in range(3)} == {likeliest}


def test_what_was_said_before_is_less_likely_as_transformers_has_it(
    client: OpenAI, advised: Path
) -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(advised)
    ids = tokenizer("The quick", return_tensors="pt").input_ids
    told = AutoModelForCausalLM.from_pretrained(advised).generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=_TOKENS,
        do_sample=False,
        temperature=None,
        top_k=None,
        repetition_penalty=_PENALTY,
    )
    wanted = tokenizer.decode(told[0, ids.shape[1] :], skip_special_tokens=True)
    asked = {"temperature": 0, "extra_body": {"repetition_penalty": _PENALTY}}
    assert _complete(client, "torch", **asked) == wanted
    assert _complete(client, "torch", temperature=0) != wanted


def test_nothing_is_made_of_what_the_maker_does_not_say(tmp_path: Path) -> None:
    assert usual_sampling(tmp_path) == UsualSampling()
    (tmp_path / "generation_config.json").write_text('{"top_p": null, "eos_token_id": [1, 2]}')
    assert usual_sampling(tmp_path) == UsualSampling()


def test_a_value_that_there_can_not_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"temperature": -1}')
    with pytest.raises(ModelError, match=r"generation_config.json: temperature is -1: .*[Mm]end"):
        usual_sampling(tmp_path)
