"""onnxruntime-genai beside llama.cpp, one model in the precisions of both: its loss, and the tokens
read and written a second.

    pip install onnxruntime-genai==0.18.0 onnx==1.23.2 onnx_ir==1.1.0
    python -m benchmarks.serving.onnx_beside MODEL.gguf TEXT [--rounds 6]

All is asked in turns on one core, one stream. llama.cpp answers over HTTP, as the service starts
it, onnxruntime-genai in this process, which spares it that. The loss of a GGUF is of its weights
unpacked to 32 bits, computed by transformers; that of an ONNX model is its own.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from archipel.evaluate.text_loss import token_losses
from archipel.evaluate.windows import Window
from archipel.models.gguf_export import export_gguf
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import Weights
from archipel.tune.start import open_start
from benchmarks.serving.accelerator import session, stream

_GGUF = ("q4_0", "q4_k_m", "q8_0")
_ONNX = {  # precision and further options of the builder
    "int4": ("int4",),
    "int4_mixed": (
        "int4",
        "algo_config=k_quant",
        "matmul_mixed_precision=last_matmul:int8,mixed_layers:int8",
    ),
    "int8": ("int8",),
}
_READ, _WRITTEN, _TEXT_TOKENS = 256, 96, 900
_BUILDER = "onnxruntime_genai.models.builder"

Rates = tuple[float, float]  # tokens a second: read, written


def _unpack(file: Path, folder: Path) -> list[str]:
    """The model of a GGUF as a checkpoint in 32 bits, and as all that is compared; their names."""
    start = open_start(file)
    fields = {k: v for k, v in start.model.config.to_dict().items() if k != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**fields))
    model.load_state_dict(start.model.state_dict())
    model.save_pretrained(folder / "checkpoint")
    start.tokenizer.save_pretrained(folder / "checkpoint")
    for kind in _GGUF:
        export_gguf(folder / "checkpoint", folder / f"{kind}.gguf", kind)
    for kind, (precision, *further) in _ONNX.items():
        words = ["-i", folder / "checkpoint", "-o", folder / kind, "-c", folder / "cache"]
        words += ["-p", precision, "-e", "cpu", "--extra_options", "hf_token=false", *further]
        command = [sys.executable, "-m", _BUILDER, *map(str, words)]
        subprocess.run(command, check=True, capture_output=True)
    return [*_GGUF, *_ONNX]


def _gguf_loss(file: Path, ids: list[int]) -> float:
    [losses] = token_losses(open_start(file).model, [Window(ids, 1)])
    return sum(losses) / len(losses)


def _onnx_loss(model: Any, ids: list[int]) -> float:
    generator, total = _generator(model, len(ids) + 1), 0.0
    for token, following in pairwise(ids):
        generator.append_tokens(np.array([[token]], np.int32))
        logits = torch.from_numpy(generator.get_logits().reshape(-1).astype(np.float32))
        total -= float(torch.log_softmax(logits, 0)[following])
    return total / (len(ids) - 1)


def _generator(model: Any, length: int) -> Any:
    import onnxruntime_genai

    options = onnxruntime_genai.GeneratorParams(model)
    options.set_search_options(max_length=length, min_length=length, do_sample=False)
    return onnxruntime_genai.Generator(model, options)


def _onnx_rates(model: Any, prompt: list[int]) -> Rates:
    generator = _generator(model, len(prompt) + _WRITTEN)
    began = time.perf_counter()
    generator.append_tokens(np.array([prompt], np.int32))
    generator.generate_next_token()
    first = time.perf_counter()
    for _ in range(_WRITTEN - 1):
        generator.generate_next_token()
    return len(prompt) / (first - began), (_WRITTEN - 1) / (time.perf_counter() - first)


async def _gguf_rates(client: aiohttp.ClientSession, engine: Engine, prompt: list[int]) -> Rates:
    began = time.perf_counter()
    first, last, tokens = await stream(client, engine, prompt, _WRITTEN)
    return len(prompt) / (first - began), (tokens - 1) / (last - first)


async def _compare(folder: Path, names: list[str], rounds: int) -> dict[str, list[Rates]]:
    """Rates by name; each turn has a prompt of its own, so that nothing of one is kept."""
    import onnxruntime_genai

    found: dict[str, list[Rates]] = {name: [] for name in names}
    models = {name: onnxruntime_genai.Model(str(folder / name)) for name in _ONNX}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(session())
        engines = {}
        for name in _GGUF:
            file = str(folder / f"{name}.gguf")
            how = launch(name, ModelTable(path=file, context=1024), Weights("llama.cpp", file), 1)
            engines[name] = await stack.enter_async_context(Engine(name, how))
        for turn in range(rounds + 1):
            prompt = [1000 + 37 * turn + place for place in range(_READ)]
            for name, engine in engines.items():
                found[name].append(await _gguf_rates(client, engine, prompt))
            for name, model in models.items():
                found[name].append(_onnx_rates(model, prompt))
    return {name: rates[1:] for name, rates in found.items()}  # the first to warm up


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        names = _unpack(options.model, folder)
        rates = asyncio.run(_compare(folder, names, options.rounds))
        loss = _losses(folder, options)
        for name in names:
            read, written = (median(one[n] for one in rates[name]) for n in (0, 1))
            print(
                f"{name:12} {loss[name]:.3f} nats/token {read:8.1f} read/s {written:8.1f} written/s"
            )


def _losses(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    import onnxruntime_genai

    tokenizer: Callable[..., Any] = open_start(options.model).tokenizer
    ids = tokenizer(options.text.read_text(encoding="utf-8")).input_ids[:_TEXT_TOKENS]
    found = {name: _gguf_loss(folder / f"{name}.gguf", ids) for name in _GGUF}
    for name in _ONNX:
        found[name] = _onnx_loss(onnxruntime_genai.Model(str(folder / name)), ids)
    return found


if __name__ == "__main__":
    main()
