"""LoRA adapters under names of their own, beside the model that they change."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from openai import OpenAI
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedModel

from archipel.errors import ConfigError, ModelError
from archipel.models.gguf_lora import export_lora
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import read_settings, with_models
from archipel.serve.weights import find_gguf, find_weights
from tests.models.conftest import TEXT
from tests.serve.conftest import served

Archipel = Callable[..., subprocess.Popen[str]]
_RANK, _ALPHA = 4, 8
_PROMPTS = [text[start : start + 12] for text in TEXT[:4] for start in range(0, 12, 3)]
_ADAPTERS = {"legal": 1, "medical": 2}  # and the seed of each


def _factors(model: PreTrainedModel, seed: int) -> dict[str, torch.Tensor]:
    """Large enough to change every answer."""
    draw = torch.Generator().manual_seed(seed)
    found = {}
    for name, weight in model.named_parameters():
        if "_proj." not in name:
            continue
        rows, columns = weight.shape
        module = "base_model.model." + name.removesuffix(".weight")
        found[f"{module}.lora_A.weight"] = torch.randn(_RANK, columns, generator=draw)
        found[f"{module}.lora_B.weight"] = torch.randn(rows, _RANK, generator=draw)
    return found


def _write(folder: Path, factors: dict[str, torch.Tensor], **further: object) -> Path:
    folder.mkdir()
    save_file(factors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": _RANK, "lora_alpha": _ALPHA, **further}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _merge(model: PreTrainedModel, factors: dict[str, torch.Tensor]) -> None:
    for name, weight in model.named_parameters():
        module = "base_model.model." + name.removesuffix(".weight")
        if f"{module}.lora_A.weight" in factors:
            a, b = (factors[f"{module}.lora_{half}.weight"] for half in "AB")
            weight.data += _ALPHA / _RANK * b @ a


@pytest.fixture(scope="module")
def folders(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    model = LlamaForCausalLM.from_pretrained(checkpoint)
    parent = tmp_path_factory.mktemp("adapters")
    return {name: _write(parent / name, _factors(model, seed)) for name, seed in _ADAPTERS.items()}


Answers = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> Answers:
    """What transformers answers with the weights merged, by public name and prompt: prompts whose
    answer hangs on no rounding, for llama.cpp computes in other types."""
    torch.set_num_threads(1)  # two would wait for each other on a busy machine
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    answers = {}
    for name, seed in {"base": None, **_ADAPTERS}.items():
        model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
        if seed is not None:
            _merge(model, _factors(model, seed))
        found = {text: _greedy(model, tokenizer, text) for text in _PROMPTS}
        answers[name] = {text: said for text, said in found.items() if said is not None}
        assert len(answers[name]) >= 3
    return answers


def _greedy(model: Any, tokenizer: Any, text: str) -> str | None:
    ids = tokenizer(text, return_tensors="pt").input_ids
    told = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=4,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    for logits in told.logits:
        first, second = logits[0].topk(2).values
        if first - second < 0.02:
            return None
    kept = told.sequences[0, ids.shape[1] :]
    return str(tokenizer.decode(kept, skip_special_tokens=True))


@pytest.fixture(scope="module")
def client(
    archipel: Archipel,
    checkpoint: Path,
    folders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenAI]:
    file = tmp_path_factory.mktemp("settings") / "service.toml"
    adapters = "\n".join(f'{name} = "{folder}"' for name, folder in folders.items())
    file.write_text(
        f'[models.base]\npath = "{checkpoint}"\ncontext = 256\nthreads = 1\nparallel = 2\n'
        f"[models.base.adapters]\n{adapters}\n"
        '[routes.lawyer]\ntargets = [{model = "legal"}]\n'
    )
    with served(archipel, file) as found:
        yield found


def _ask(client: OpenAI, model: str, text: str, tokens: int = 4, **further: object) -> str:
    answer = client.completions.create(
        model=model, prompt=text, temperature=0, max_tokens=tokens, extra_body=further
    )
    return answer.choices[0].text


def test_each_name_answers_as_its_merged_weights(client: OpenAI, expected: Answers) -> None:
    assert [model.id for model in client.models.list()] == ["base", *_ADAPTERS, "lawyer"]
    for name, answers in expected.items():
        assert {text: _ask(client, name, text) for text in answers} == answers
    text, answer = next(iter(expected["legal"].items()))
    assert _ask(client, "lawyer", text) == answer != _ask(client, "base", text)


def test_names_do_not_mix_under_load_nor_in_what_is_cached(
    client: OpenAI, expected: Answers
) -> None:
    asked = [(name, text) for _ in range(4) for text in TEXT[:4] for name in expected]
    alone = {one: _ask(client, *one, 12, cache_prompt=False) for one in asked}
    assert [_ask(client, *one, 12) for one in asked] == [alone[one] for one in asked]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda one: _ask(client, *one, 12), asked))
    assert together == [alone[one] for one in asked]


def test_a_client_can_not_choose_an_adapter_by_its_number(
    client: OpenAI, expected: Answers
) -> None:
    text, answer = next(iter(expected["base"].items()))
    assert _ask(client, "base", text, lora=[{"id": 0, "scale": 1.0}]) == answer
    with pytest.raises(openai.NotFoundError):
        _ask(client, "base:legal", text)


def test_adapters_that_can_not_be_served_are_named(
    checkpoint: Path, home: Path, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = LlamaForCausalLM.from_pretrained(checkpoint)
    base, factors = find_gguf(checkpoint, home), _factors(model, 3)
    first = next(iter(factors))
    q_a = next(name for name in factors if "q_proj.lora_A" in name)
    wrong = {
        "only one of the two factors": ({k: v for k, v in factors.items() if k != first}, {}),
        "belongs to another model": ({**factors, q_a: torch.ones(_RANK, 8)}, {}),
        "not finite": ({**factors, first: torch.full_like(factors[first], torch.nan)}, {}),
        "DoRA": (
            {
                **factors,
                first.replace("lora_A", "lora_magnitude_vector"): model.lm_head.weight.data.clone(),
            },
            {},
        ),
        "only LoRA": (factors, {"peft_type": "IA3"}),
        "alpha_pattern": (factors, {"alpha_pattern": {"q_proj": 2}}),
        "configuration": (factors, {"r": "many"}),
    }
    for number, (said, (tensors, config)) in enumerate(wrong.items()):
        folder = _write(tmp_path / str(number), tensors, **config)
        with pytest.raises(ModelError, match=said):
            export_lora(folder, base, tmp_path / "out.gguf")
    cut = folders["legal"] / "adapter_model.safetensors"
    (tmp_path / "0" / "adapter_model.safetensors").write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(ModelError, match="can't read"):
        export_lora(tmp_path / "0", base, tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def test_settings_that_make_no_sense_are_named(
    checkpoint: Path, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "service.toml"
    for adapter, said in (
        ("legal", "neither a .gguf file nor a folder"),
        ("tiny", "the name of two models or adapters"),
    ):
        file.write_text(
            f'[models.tiny]\npath = "{checkpoint}"\nadapters = {{{adapter} = "nowhere"}}'
        )
        with pytest.raises(ConfigError, match=said):
            with_models(read_settings(file), [], lambda path: ModelTable(path=path), home)


def test_an_adapter_file_that_is_none_ends_the_start(
    checkpoint: Path, home: Path, tmp_path: Path
) -> None:
    async def start(adapter: Path) -> None:
        weights = find_weights(checkpoint, home, adapters={"legal": str(adapter)})
        how = launch("tiny", ModelTable(path="x", context=256), weights, cores=1)
        async with Engine("tiny", how):
            pass

    (tmp_path / "legal.gguf").write_bytes(b"GGUF" + bytes(60))
    for adapter in (tmp_path / "legal.gguf", find_gguf(checkpoint, home)):
        with pytest.raises(ModelError, match="can't load model 'tiny'"):
            asyncio.run(start(adapter))
