"""How the process of each engine is started: by which module, and what it is told. Pure.

vLLM's and SGLang's arguments are of their command lines as of 2026; they are never imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archipel.errors import ConfigError
from archipel.serve.setting_tables import ModelTable, ProvenanceTable
from archipel.serve.weights import Kind, Weights

_PROCESS_BYTES = 32 << 20  # without a model
_FILE_SHARE = 1.2  # of a file's size in memory, with the context
_OPENVINO_BYTES = 256 << 20  # its libraries and what it compiles; and the weights, unpacked in part
_OPENVINO_SHARE = 4.0
_PICTURES_BYTES = 768 << 20  # torch, diffusers, and a picture under way
_SERVER_STOP_SECONDS = 10.0  # it has 5 to end by itself


@dataclass(frozen=True)
class Launch:
    """A module that reads `request` and a key, a line of JSON, from its standard input, writes its
    URL to its standard output, and ends when its input does. Instead of a URL it may say that it is
    unfit for the model, and why."""

    engine: Kind
    module: str
    request: Mapping[str, Any]
    bytes: int  # of memory, before it has run
    is_measured: bool = True  # whether the process's own memory is all that it takes
    stop_seconds: float = 5.0
    adapters: tuple[str, ...] = ()  # which each request names by number, in this order
    sees: bool = False  # pictures
    projector: str | None = None  # the file by which it does, if not by itself
    tells_logprobs: bool = True
    otherwise: "Launch | None" = None  # if this one is unfit or fails as it starts


def launch(
    name: str,
    table: ModelTable,
    weights: Weights,
    cores: int,
    *,
    host: str = "127.0.0.1",
    provenance: ProvenanceTable | None = None,
) -> Launch:
    """How the model runs. Another `host` opens llama.cpp, with its key, to that network; by
    `provenance` a model of pictures signs them.

    Raises:
        ConfigError: it is to speculate, and llama.cpp does not run it.
    """
    if table.speculation and weights.engine != "llama.cpp":
        raise ConfigError(
            f"speculation in the table of {name} is for llama.cpp, and {weights.path} is run by "
            f"{weights.engine}: leave it out."
        )
    said = _said_bytes(table)
    if weights.engine == "pictures":
        request = {"name": name, "path": weights.path, "threads": table.threads or cores}
        request["provenance"] = _files(provenance)
        size = said or _PICTURES_BYTES + weights.bytes
        return Launch("pictures", "image_process", request, size, is_measured=said is None)
    if weights.engine in ("llama.cpp", "torch"):
        return _of_texts(name, table, weights, cores, host)
    if weights.engine == "openvino":
        return _openvino(launch(name, table, replace(weights, engine="llama.cpp"), cores), weights)
    request = {
        "command": _command(name, table, weights),
        "health": table.health,
        "key_env": "VLLM_API_KEY" if weights.engine == "vllm" else table.key_env,
        "start_seconds": table.start_seconds,
        "log_file": str(table.log_file.absolute()) if table.log_file else None,
    }
    engine, stop = weights.engine, _SERVER_STOP_SECONDS
    return Launch(engine, "server_process", request, said or 0, False, stop)


def _of_texts(name: str, table: ModelTable, weights: Weights, cores: int, host: str) -> Launch:
    """By llama.cpp or torch, which are told the same."""
    said = _said_bytes(table)
    request = {
        "name": name,
        "path": weights.path,
        "parallel": table.parallel,
        "context_tokens": table.context,
        "threads": table.threads or cores,
    }
    size = said or _PROCESS_BYTES + int(weights.bytes * _FILE_SHARE)
    if weights.engine == "torch":
        request["sees"] = weights.sees
        measured = said is None
        return Launch("torch", "torch_process", request, size, measured, sees=weights.sees)
    projector = None if table.pooling else weights.projector
    request |= {"pooling": table.pooling, "adapters": list(weights.adapters.values())}
    request |= {"host": host, "projector": projector, "speculation": table.speculation}
    return Launch(
        "llama.cpp",
        "engine_process",
        request,
        size,
        is_measured=said is None,
        adapters=tuple(weights.adapters),
        sees=projector is not None,
        projector=projector,
        tells_logprobs=table.speculation is None,
    )


def _said_bytes(table: ModelTable) -> int | None:
    """Of memory, if its table says that."""
    return int(table.memory_gigabytes * 1e9) if table.memory_gigabytes else None


def _files(provenance: ProvenanceTable | None) -> dict[str, str] | None:
    """Where they are. The key itself is read by who signs, and by nobody else."""
    if provenance is None:
        return None
    return {name: str(file.absolute()) for name, file in provenance}


def _openvino(llama: Launch, weights: Weights) -> Launch:
    """With llama.cpp to be compared with, and to fall back on."""
    request = {**llama.request, "path": weights.graph or weights.path, "reference": llama.request}
    size = _OPENVINO_BYTES + int(weights.bytes * _OPENVINO_SHARE)
    return Launch(
        "openvino",
        "openvino_process",
        request,
        size if llama.is_measured else llama.bytes,
        llama.is_measured,
        otherwise=llama,
    )


def _command(name: str, table: ModelTable, weights: Weights) -> list[str]:
    """The arguments; `{port}` and `{key}` stay, for they are known when the process starts."""
    if weights.engine == "vllm":
        return [*(table.command or ("vllm", "serve")), *vllm_arguments(name, table, weights)]
    if weights.engine == "sglang":
        program = table.command or ("python3", "-m", "sglang.launch_server")
        return [*program, *sglang_arguments(name, table, weights)]
    values = {
        "name": name,
        "path": weights.path,
        "context": table.context,
        "parallel": table.parallel,
    }
    return [filled(part, values) for part in table.command or ()]


def vllm_arguments(name: str, table: ModelTable, weights: Weights) -> list[str]:
    """After `vllm serve`. Its key goes through VLLM_API_KEY."""
    arguments = [weights.path, "--served-model-name", name, "--host", "127.0.0.1"]
    arguments += ["--port", "{port}", "--max-model-len", str(table.context)]
    arguments += ["--max-num-seqs", str(table.parallel)]
    if table.pooling:
        arguments += ["--runner", "pooling"]
    if weights.adapters:
        arguments += ["--enable-lora", "--max-loras", str(len(weights.adapters))]
        arguments += [
            "--lora-modules",
            *(f"{key}={path}" for key, path in weights.adapters.items()),
        ]
    return [*arguments, *table.arguments]


def sglang_arguments(name: str, table: ModelTable, weights: Weights) -> list[str]:
    """After `python3 -m sglang.launch_server`. It takes its key as an argument only."""
    arguments = ["--model-path", weights.path, "--served-model-name", name, "--host", "127.0.0.1"]
    arguments += ["--port", "{port}", "--api-key", "{key}"]
    arguments += ["--context-length", str(table.context)]
    arguments += ["--max-running-requests", str(table.parallel)]
    if table.pooling:
        arguments.append("--is-embedding")
    return [*arguments, *table.arguments]


def filled(part: str, values: Mapping[str, object]) -> str:
    """An argument with values for the `{name}`s that are known; other braces stay."""
    for name, value in values.items():
        part = part.replace("{" + name + "}", str(value))
    return part
