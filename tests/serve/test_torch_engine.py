"""The torch engine: a checkpoint of any architecture, behind the same API."""

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, cast

import openai
import pytest
import torch
from openai import OpenAI
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    MambaConfig,
    PreTrainedConfig,
)

from archipel.errors import ModelError
from archipel.models.sampling import UsualSampling
from archipel.serve import torch_model
from archipel.serve.incremental_text import Detokenizer, StopTexts
from archipel.serve.text_model import Prompt, Sampling, TextModel, Token
from archipel.serve.text_server import Endpoints, create_app
from archipel.serve.torch_model import TorchModel
from archipel.serve.weights import find_weights
from tests.models.conftest import TEXT
from tests.serve.scripted import hosted_in_thread

Archipel = Callable[..., subprocess.Popen[str]]
_TEXTS = ("def ", "The quick", "L'été")
_TOKENS = 12


@pytest.fixture(scope="module")
def others(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path
) -> dict[type[PreTrainedConfig], Path]:
    """Checkpoints of architectures that our GGUF export does not know."""
    torch.manual_seed(0)
    common = {"vocab_size": 512, "eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0}
    configs = [
        GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=128, **common),
        MambaConfig(hidden_size=32, num_hidden_layers=2, state_size=4, **common),
    ]
    folders = {}
    for config in configs:
        folder = tmp_path_factory.mktemp(config.model_type)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((checkpoint / name).read_bytes())
        folders[type(config)] = folder
    return folders


def _greedy(folder: Path, text: str) -> str:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(text, return_tensors="pt").input_ids
    told = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=_TOKENS, do_sample=False
    )
    return str(tokenizer.decode(told[0, ids.shape[1] :], skip_special_tokens=True))


class Running:
    def __init__(self, process: subprocess.Popen[str], url: str, first_lines: list[str]) -> None:
        self.process, self.first_lines = process, first_lines
        self.client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60)

    def complete(self, model: str, prompt: Any, **fields: Any) -> Any:
        fields = {"max_tokens": _TOKENS, "temperature": 0, **fields}
        return self.client.completions.create(model=model, prompt=prompt, **fields)

    def chat(self, text: str, **fields: Any) -> Any:
        messages: list[Any] = [{"role": "user", "content": text}]
        fields = {"max_tokens": _TOKENS, "temperature": 0, **fields}
        return self.client.chat.completions.create(model="torch", messages=messages, **fields)


@pytest.fixture(scope="module")
def running(
    archipel: Archipel, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """One checkpoint by both engines."""
    file = tmp_path_factory.mktemp("settings") / "service.toml"
    common = "context = 256\nthreads = 1\nparallel = 2\n"
    file.write_text(
        f'[models.llama]\npath = "{checkpoint}"\n{common}'
        f'[models.torch]\npath = "{checkpoint}"\nengine = "torch"\n{common}'
    )
    process = archipel("serve", "--config", file, "--port", 0)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    assert lines[0], process.communicate()[1]
    found = Running(process, lines[0].split()[1], lines)
    yield found
    found.client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_greedy_answers_are_those_of_generate_and_of_llama_cpp(
    running: Running, checkpoint: Path
) -> None:
    assert [line.split()[2] for line in running.first_lines] == ["llama.cpp", "torch"]
    for text in _TEXTS:
        said = _greedy(checkpoint, text)
        assert running.complete("torch", text).choices[0].text == said
        assert running.complete("llama", text).choices[0].text == said


def test_a_stream_is_the_whole_answer_in_pieces(running: Running) -> None:
    whole = running.chat(TEXT[0], temperature=1, seed=7)
    stream = list(
        running.chat(
            TEXT[0], temperature=1, seed=7, stream=True, stream_options={"include_usage": True}
        )
    )
    told = "".join(chunk.choices[0].delta.content or "" for chunk in stream[:-1])
    assert told == whole.choices[0].message.content
    assert stream[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert stream[-1].usage == whole.usage
    assert whole.usage.completion_tokens == _TOKENS
    assert whole.usage.prompt_tokens > 0
    assert running.chat(TEXT[0], temperature=1, seed=8).choices[0].message.content != told


def test_an_answer_ends_at_a_stop_text(running: Running) -> None:
    whole = running.complete("torch", "def ").choices[0].text
    stop = whole[3:5]
    choice = running.complete("torch", "def ", stop=[stop, "never there"]).choices[0]
    assert (choice.text, choice.finish_reason) == (whole[: whole.find(stop)], "stop")


def test_log_probabilities_are_those_of_the_likeliest(running: Running) -> None:
    found = running.chat("def ", logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert len(found) == _TOKENS
    for one in found:
        assert one.logprob == one.top_logprobs[0].logprob
        assert all(a.logprob >= b.logprob for a, b in pairwise(one.top_logprobs))


def test_log_probabilities_of_a_prompt_are_those_of_the_model(
    running: Running, checkpoint: Path
) -> None:
    ids = AutoTokenizer.from_pretrained(checkpoint)(TEXT[0], return_tensors="pt").input_ids
    wanted = _logprobs(checkpoint, ids)
    asked = {"echo": True, "logprobs": 2, "max_tokens": 3}
    whole = running.complete("torch", TEXT[0], **asked)
    found = whole.choices[0].logprobs
    assert found.token_logprobs[0] is found.top_logprobs[0] is None
    its = wanted.gather(1, ids[0, 1:, None])[:, 0]
    count = ids.shape[1]
    assert found.token_logprobs[1:count] == pytest.approx(its.tolist(), abs=1e-4)
    likeliest = [max(one.values()) for one in found.top_logprobs[1:count]]
    assert likeliest == pytest.approx(wanted.amax(-1).tolist(), abs=1e-4)
    after = zip(found.token_logprobs[count:], found.top_logprobs[count:], strict=True)
    assert [one == max(top.values()) for one, top in after] == 3 * [True]
    bare = running.complete("torch", TEXT[0], max_tokens=3).choices[0]
    assert whole.choices[0].text == TEXT[0] + bare.text
    assert found.text_offset == [len("".join(found.tokens[:n])) for n in range(count + 3)]
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (count, 3)
    stream = list(running.complete("torch", ids.tolist(), stream=True, **asked))
    told = [chunk.choices[0].logprobs for chunk in stream if chunk.choices[0].logprobs]
    for column in ("token_logprobs", "text_offset"):
        pieces = [getattr(one, column) for one in told]
        assert list(chain.from_iterable(pieces)) == getattr(found, column)
    plain = running.complete("torch", TEXT[0], echo=True, max_tokens=1).choices[0]
    assert plain.text.startswith(TEXT[0])
    assert plain.logprobs is None


def _logprobs(folder: Path, ids: torch.Tensor) -> torch.Tensor:
    """Of every token after each of a text's but its last."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        return cast(torch.Tensor, model(ids).logits[0, :-1].float().log_softmax(-1))


@pytest.mark.parametrize("kind", [GPT2Config, MambaConfig])
def test_a_long_prompt_is_told_in_parts(
    kind: type[PreTrainedConfig],
    others: dict[type[PreTrainedConfig], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = TorchModel(others[kind], threads=1)
    prompt = model.tokenizer.encode(TEXT[0])
    wanted = _logprobs(others[kind], torch.tensor([prompt]))
    for at_once in (1 << 28, 512 * 5):
        monkeypatch.setattr(torch_model, "_NUMBERS_AT_ONCE", at_once)
        found = model.read(prompt, 1)
        assert [one.id for one in found] == prompt
        its = [float(row[token]) for row, token in zip(wanted, prompt[1:], strict=True)]
        assert [one.logprob for one in found[1:]] == pytest.approx(its, abs=1e-4)
    assert model.read(prompt[:1], 1) == [Token(prompt[0])]


def test_a_small_top_p_leaves_the_likeliest_only(running: Running) -> None:
    hot = running.complete("torch", "def ", temperature=2, top_p=1e-6).choices[0].text
    assert hot == running.complete("torch", "def ").choices[0].text


def test_more_than_the_slots_are_answered_each_in_turn(running: Running) -> None:
    alone = [running.complete("torch", text).choices[0].text for text in _TEXTS * 2]
    with ThreadPoolExecutor(6) as pool:
        asked = pool.map(lambda text: running.complete("torch", text), _TEXTS * 2)
        assert [one.choices[0].text for one in asked] == alone


def _told(model: TorchModel, text: str, sampling: Sampling, most: int = 1000) -> list[int]:
    """The tokens of an answer of which `most` are wanted."""
    tokens: list[int] = []

    def tell(token: Token) -> bool:
        tokens.append(token.id)
        return len(tokens) >= most

    model.answer(Prompt(model.tokenizer.encode(text)), sampling, tell)
    return tokens


@pytest.mark.parametrize("kind", [GPT2Config, MambaConfig])
def test_architectures_that_llama_cpp_is_not_given_answer_as_generate_does(
    kind: type[PreTrainedConfig], others: dict[type[PreTrainedConfig], Path]
) -> None:
    folder = others[kind]
    model, greedy = TorchModel(folder, threads=1), Sampling(_TOKENS, 0, 1.0, None)
    for text in _TEXTS:
        tokens = _told(model, text, greedy)
        assert model.tokenizer.decode(tokens) == _greedy(folder, text)
        assert _told(model, text, greedy, most=5) == tokens[:5]


class _Endless:
    """A model that goes on until nobody wants more, at a small model's pace.

    With no pace at all its thread would tell tokens faster than the loop can pass them on.
    """

    tokenizer = property(lambda self: self)
    end_tokens = frozenset[int]()
    context = None
    usual = UsualSampling()

    def __init__(self) -> None:
        self.ended: queue.Queue[bool] = queue.Queue()
        self._never = threading.Event()

    def encode(self, text: str) -> list[int]:
        return [1]

    def decode(self, ids: list[int]) -> str:
        return "x" * len(ids)

    def answer(self, prompt: object, sampling: object, tell: Callable[[Token], bool]) -> None:
        while not tell(Token(1, None, ())):
            self._never.wait(0.001)  # seconds a token
        self.ended.put(True)


def test_clients_that_leave_free_their_slot() -> None:
    model = _Endless()
    with ThreadPoolExecutor(1) as slot:
        endpoints = Endpoints("endless", cast(TextModel, model), 1 << 40, "key", slot)
        with (
            hosted_in_thread(create_app(endpoints)) as url,
            OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0) as client,
        ):
            stream = client.completions.create(model="endless", prompt="x", stream=True)
            next(stream)
            brief = client.with_options(timeout=0.2)
            with pytest.raises(openai.APITimeoutError):  # there is one slot only
                brief.completions.create(model="endless", prompt="x")
            stream.close()
            assert model.ended.get(timeout=20)
            with pytest.raises(openai.APITimeoutError):
                brief.completions.create(model="endless", prompt="x")
            assert model.ended.get(timeout=20)
            told = client.completions.create(model="endless", prompt="x", max_tokens=5)
            assert told.choices[0].text == "xxxxx"
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key="other").completions.create(model="", prompt="x")


class _Ending(_Endless):
    """A model that ends its answer at once, and says how likely that was."""

    end_tokens = frozenset({0})

    def shown(self, token: int) -> str:
        return "<end>"

    def read(self, prompt: list[int], likeliest: int) -> list[Token]:
        return [Token(prompt[0])]

    def answer(self, prompt: object, sampling: object, tell: Callable[[Token], bool]) -> None:
        assert tell(Token(0, -0.5, ((0, -0.5),)))


def test_an_end_has_its_place_among_a_completions_log_probabilities() -> None:
    """Who reads a prompt's leaves out the last one, whatever it is."""
    with ThreadPoolExecutor(1) as slot:
        endpoints = Endpoints("ending", cast(TextModel, _Ending()), 100, "key", slot)
        with (
            hosted_in_thread(create_app(endpoints)) as url,
            OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0) as client,
        ):
            told = client.completions.create(model="ending", prompt="x", echo=True, logprobs=1)
            assert told.choices[0].text == "x"
            assert told.choices[0].logprobs is not None
            assert told.choices[0].logprobs.token_logprobs == [None, -0.5]
            for logprobs in (True, 21):
                with pytest.raises(openai.BadRequestError, match="logprobs"):
                    client.completions.create(
                        model="ending", prompt="x", extra_body={"logprobs": logprobs}
                    )


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{"type": "function"}]}, "unsupported_by_provider", "tools"),
        ({"presence_penalty": 1}, "unsupported_by_provider", "presence_penalty"),
        ({"extra_body": {"echo": True}}, "unsupported_by_provider", "echo"),
        ({"extra_body": {"logprobs": 2}}, "invalid_value", "logprobs"),
        ({"n": 2}, "invalid_value", "n"),
        ({"extra_body": {"seed": "x"}}, "invalid_value", "seed"),
        ({"stop": ["x"] * 17}, "invalid_value", "stop"),
        ({"text": "x" * 300}, "context_length_exceeded", None),
    ],
)  # fmt: skip
def test_what_it_can_not_do_is_refused_by_name(
    running: Running, fields: dict[str, Any], code: str, param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        running.chat(fields.pop("text", "x"), **fields)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_checkpoint_that_llama_cpp_is_not_given_falls_to_torch(
    archipel: Archipel, others: dict[type[PreTrainedConfig], Path]
) -> None:
    process = archipel("serve", f"other={others[GPT2Config]}", "--check")
    said, log = process.communicate(timeout=60)
    assert "other: torch" in said
    assert "no GGUF of the architecture 'gpt2'" in log


def test_code_and_pickles_of_a_checkpoint_are_not_loaded(
    others: dict[type[PreTrainedConfig], Path], tmp_path: Path
) -> None:
    other = others[GPT2Config]
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((other / name).read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        find_weights(tmp_path, tmp_path)
    with pytest.raises(OSError, match="safetensors"):
        TorchModel(tmp_path, threads=1)
    (tmp_path / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    own = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "ours", "auto_map": own}))
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ValueError, match="trust_remote_code"):
        TorchModel(tmp_path, threads=1)


def test_half_characters_wait_for_their_other_half(tokenizer_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    for text in TEXT:
        detokenizer = Detokenizer(lambda ids: str(tokenizer.decode(ids)))
        pieces = [detokenizer.add(token) for token in tokenizer.encode(text).ids]
        assert "".join(pieces) + detokenizer.rest() == text
        assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


def test_a_stop_text_is_found_however_it_is_cut() -> None:
    text, stops = "aabaabaac, and more", ["aabaac", "nd m"]
    for size in range(1, len(text)):
        found = StopTexts(stops)
        shown = "".join(found.add(text[n : n + size]) for n in range(0, len(text), size))
        assert (shown, found.is_met) == ("aab", True)
    without = StopTexts(["more than this"])
    assert without.add(text) + without.rest() == text
