"""The OpenVINO engine: taken if it answers as llama.cpp does, else llama.cpp answers."""

import asyncio
import json
import logging
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import LlamaConfig

from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.gguf_export import export_gguf
from archipel.models.sampling import UsualSampling
from archipel.serve.engine import Engine
from archipel.serve.launch import Launch, launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.text_model import Prompt, Sampling, Token
from archipel.serve.text_server import Endpoints, create_app
from archipel.serve.weights import Weights
from tests.models.conftest import SPLIT, TEXT
from tests.serve.scripted import hosted_in_thread

Archipel = Callable[..., subprocess.Popen[str]]
_IS_HERE = find_spec("openvino_genai") is not None
_installed = pytest.mark.skipif(not _IS_HERE, reason="openvino-genai is not installed")
_TOKENS = 12
_TEXTS = ("def ", "The quick", "L'été")


@pytest.fixture(scope="module")
def decided(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Makes GGUF files of tiny models whose weights are large enough to prefer one token."""

    def make(seed: int, split: str = SPLIT) -> Path:
        folder = tmp_path_factory.mktemp("decided")
        tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(split), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.save(str(folder / "tokenizer.json"))
        config = LlamaConfig(**{**tiny_config.to_dict(), "initializer_range": 0.2})
        model = new_model(config, seed)
        tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
        save_checkpoint(folder / "checkpoint", config, tensors, folder, card="")
        export_gguf(folder / "checkpoint", folder / "model.gguf", "f16")
        return folder / "model.gguf"

    return make


@pytest.fixture(scope="module")
def gguf(decided: Callable[..., Path]) -> Path:
    return decided(seed=0)


def _launch(gguf: Path, **weights: str) -> Launch:
    table = ModelTable(path=str(gguf), context=256, parallel=2, threads=1)
    return launch("model", table, Weights("openvino", str(gguf), **weights), cores=1)


def _settings(gguf: Path, folder: Path) -> Path:
    """The same file by both engines."""
    common = f'path = "{gguf}"\ncontext = 256\nthreads = 1\nparallel = 2\n'
    file = folder / "service.toml"
    file.write_text(f'[models.plain]\n{common}[models.quick]\nengine = "openvino"\n{common}')
    return file


@pytest.fixture(scope="module")
def model(gguf: Path) -> Any:
    from archipel.serve.openvino_model import OpenVinoModel

    return OpenVinoModel(gguf, None, UsualSampling(), _launch(gguf).request)


@pytest.fixture(scope="module")
def client(model: Any) -> Iterator[OpenAI]:
    """Of the engine alone, without the service."""
    with _alone(model) as client:
        yield client


@contextmanager
def _alone(model: Any) -> Iterator[OpenAI]:
    with (
        ThreadPoolExecutor(2) as slots,
        hosted_in_thread(create_app(Endpoints("quick", model, 256, "key", slots))) as url,
        OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0, timeout=60) as client,
    ):
        yield client


def _complete(client: OpenAI, prompt: str, model: str = "quick", **fields: Any) -> Any:
    fields = {"max_tokens": _TOKENS, "temperature": 0, **fields}
    return client.completions.create(model=model, prompt=prompt, **fields)


@_installed
def test_the_engines_agree_on_a_model_that_openvino_can_take(model: Any, gguf: Path) -> None:
    from archipel.serve.llama_reference import llama_reference
    from archipel.serve.openvino_process import faults

    with llama_reference(_launch(gguf).request["reference"]) as llama:
        assert list(faults(model, llama, 256)) == []


@_installed
def test_a_stream_is_the_whole_answer_and_a_seed_gives_it_again(client: OpenAI) -> None:
    def ask(seed: int, **fields: Any) -> Any:
        return _complete(client, TEXT[0], temperature=1, seed=seed, **fields)

    whole = ask(7)
    stream = list(ask(7, stream=True, stream_options={"include_usage": True}))
    told = "".join(chunk.choices[0].text for chunk in stream[:-1])
    assert told == whole.choices[0].text
    assert stream[-1].usage == whole.usage
    assert whole.usage.completion_tokens == _TOKENS
    assert ask(8).choices[0].text != told


@_installed
def test_tokens_are_chosen_as_llama_cpp_has_it_of_the_same_file(gguf: Path, tmp_path: Path) -> None:
    from archipel.serve.llama_reference import llama_reference
    from archipel.serve.openvino_model import OpenVinoModel

    folder = tmp_path / "checkpoint"
    shutil.copytree(gguf.parent / "checkpoint", folder)
    said = {"temperature": 2.0, "top_k": 1, "top_p": 0.5, "min_p": 0.25, "repetition_penalty": 1.5}
    (folder / "generation_config.json").write_text(json.dumps({**said, "do_sample": True}))
    export_gguf(folder, tmp_path / "model.gguf", "f16")
    request = _launch(tmp_path / "model.gguf").request
    with llama_reference(request["reference"]) as llama:
        usual = llama.usual()
    assert usual.model_dump() == pytest.approx(said)
    with _alone(OpenVinoModel(tmp_path / "model.gguf", None, usual, request)) as client:
        free = {"temperature": openai.NOT_GIVEN}
        drawn = {_complete(client, "def ", seed=n, **free).choices[0].text for n in range(3)}
        hot = {"extra_body": {"top_k": 0, "min_p": 0.0}, "top_p": 1.0}
        wild = {_complete(client, "def ", seed=n, **free, **hot).choices[0].text for n in range(3)}
        assert drawn == {_complete(client, "def ").choices[0].text}
    assert len(wild) == 3


@_installed
def test_an_answer_ends_at_a_stop_text(client: OpenAI) -> None:
    whole = _complete(client, "def ").choices[0].text
    choice = _complete(client, "def ", stop=[whole[3:5]]).choices[0]
    assert (choice.text, choice.finish_reason) == (whole[: whole.find(whole[3:5])], "stop")


@_installed
def test_answers_under_way_at_once_are_those_of_each_alone(client: OpenAI) -> None:
    alone = [_complete(client, text).choices[0].text for text in _TEXTS * 2]
    with ThreadPoolExecutor(6) as pool:
        asked = pool.map(lambda text: _complete(client, text), _TEXTS * 2)
        assert [one.choices[0].text for one in asked] == alone


@_installed
def test_an_answer_that_nobody_wants_any_more_leaves_room(model: Any) -> None:
    ids, told = model.tokenizer.encode("def "), []

    def tell(token: Token) -> bool:
        told.append(token.id)
        return len(told) % 3 == 0

    for _ in range(8):  # all of them are more than its cache has room for
        model.answer(Prompt(ids), Sampling(200, 0, 1.0, None), tell)
    assert told == told[:3] * 8


@_installed
@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{"type": "function"}]}, "unsupported_by_provider", "tools"),
        ({"logprobs": True}, "unsupported_by_provider", "logprobs"),
        ({"presence_penalty": 1}, "unsupported_by_provider", "presence_penalty"),
        ({"n": 2}, "invalid_value", "n"),
        ({"text": "x" * 300}, "context_length_exceeded", None),
    ],
)  # fmt: skip
def test_what_it_can_not_do_is_refused_by_name(
    client: OpenAI, fields: dict[str, Any], code: str, param: str | None
) -> None:
    messages: list[Any] = [{"role": "user", "content": fields.pop("text", "x")}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="quick", messages=messages, **fields)
    assert (caught.value.code, caught.value.param) == (code, param)


@_installed
def test_log_probabilities_that_nobody_asked_for_are_not_told(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "def "}]
    told = client.chat.completions.create(model="quick", messages=messages, max_tokens=_TOKENS)
    assert told.choices[0].logprobs is None


def _served(archipel: Archipel, file: Path) -> tuple[str, str]:
    """What runs the model that asks for OpenVINO, and the log; both models answer alike."""
    process = archipel("serve", "--config", file, "--port", 0)
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(2)]
    assert all(lines), process.communicate()[1]
    with OpenAI(base_url=lines[0][1], api_key="none", max_retries=0, timeout=60) as client:
        for text in _TEXTS:
            plain, quick = (_complete(client, text, name) for name in ("plain", "quick"))
            assert quick.choices[0].text == plain.choices[0].text
            assert quick.usage.prompt_tokens == plain.usage.prompt_tokens
            assert quick.usage.completion_tokens == plain.usage.completion_tokens
    process.send_signal(signal.SIGTERM)
    log = process.communicate(timeout=20)[1]
    return lines[1][2], log


@_installed
def test_the_service_answers_by_the_quicker_engine_and_says_so(
    archipel: Archipel, gguf: Path, tmp_path: Path
) -> None:
    engine, log = _served(archipel, _settings(gguf, tmp_path))
    said = {"openvino": "by openvino: it reads", "llama.cpp": "of openvino: it is slower here"}
    assert said[engine] in log


@_installed
def test_a_tokenizer_that_openvino_does_not_have_is_found_out(
    archipel: Archipel, decided: Callable[..., Path], tmp_path: Path
) -> None:
    gguf = decided(seed=0, split=SPLIT.replace(r"\p{N}|", r"\p{N}{1,3}|"))
    engine, log = _served(archipel, _settings(gguf, tmp_path))
    assert engine == "llama.cpp"
    assert "quick is run by llama.cpp instead of openvino: it cuts" in log


@_installed
def test_a_graph_of_other_weights_is_found_out(
    decided: Callable[..., Path], gguf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import openvino_genai

    other = decided(seed=1)
    openvino_genai.LLMPipeline(str(other), "CPU", enable_save_ov_model=True)
    assert (other.parent / "openvino_model.xml").is_file()
    assert _taken(_launch(gguf, graph=str(other.parent))) == "llama.cpp"
    assert "of its answer to" in caplog.text


def test_what_can_not_start_is_run_by_llama_cpp(
    gguf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert _taken(_launch(gguf, graph=str(tmp_path))) == "llama.cpp"
    assert "model is run by llama.cpp instead of openvino: the engine can't load" in caplog.text


def _taken(how: Launch) -> str:
    async def start() -> str:
        async with Engine("model", how) as engine:
            return engine.kind

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("archipel"), "propagate", True)
        return asyncio.run(start())


@pytest.mark.skipif(_IS_HERE, reason="openvino-genai is installed")
def test_without_openvino_it_is_said_what_to_install(
    archipel: Archipel, gguf: Path, tmp_path: Path
) -> None:
    process = archipel("serve", "--config", _settings(gguf, tmp_path), "--check")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "pip install 'archipel[openvino]'" in said
