"""A tiny real model, and `archipel serve` as a real process."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import OpenAI
from tokenizers import Tokenizer
from transformers import LlamaConfig

from archipel.models.gaps import FAMILIES
from tests.models.conftest import save_tokenizer, tiny_config, tokenizer_folder
from tests.serve.scripted import scripted

__all__ = ["scripted", "tiny_config", "tokenizer_folder"]

START_SECONDS = 60


@dataclass
class Service:
    """A running `archipel serve`."""

    process: subprocess.Popen[str]
    url: str

    def client(self, api_key: str = "none", max_retries: int = 0) -> OpenAI:
        return OpenAI(base_url=self.url, api_key=api_key, max_retries=max_retries, timeout=60)

    def engine_process_id(self) -> int:
        """The service's only child."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def wait_for_end(process_id: int, seconds: float = 20) -> bool:
    """Whether a process, which need not be a child, ends in time."""
    try:
        handle = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that all services of the session share: the checkpoint is converted once."""
    return tmp_path_factory.mktemp("serve-home")


@pytest.fixture(scope="session")
def checkpoint(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A Hugging Face checkpoint with random weights and 256 tokens of context."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    save_tiny(folder, tiny_config, tokenizer_folder)
    return folder


@pytest.fixture(scope="session")
def coder(tiny_config: LlamaConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `checkpoint`, with the marks of a gap in its vocabulary, and an output of its own: with
    its input's it would write the last mark again."""
    tokenizer, folder = tmp_path_factory.mktemp("marks"), tmp_path_factory.mktemp("coder") / "coder"
    save_tokenizer(tokenizer, ["<|endoftext|>", *FAMILIES["qwen"].tokens])
    config = copy(tiny_config)
    config.tie_word_embeddings = False
    config.vocab_size = Tokenizer.from_file(str(tokenizer / "tokenizer.json")).get_vocab_size()
    save_tiny(folder, config, tokenizer)
    return folder


def save_tiny(folder: Path, config: LlamaConfig, tokenizer: Path) -> None:
    from archipel.models.checkpoint import new_model, save_checkpoint

    model = new_model(config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder, config, tensors, tokenizer, card="")


@pytest.fixture(scope="session")
def archipel(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line; what still runs at the end of the session is killed."""
    processes = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from archipel.cli.main import main; main()"]
            + [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARCHIPEL_HOME": str(home), **environment},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def start_service(
    archipel: Callable[..., subprocess.Popen[str]], checkpoint: Path
) -> Callable[..., Service]:
    """Start `archipel serve tiny=CHECKPOINT` on a free port, and wait until it answers."""

    def start(*arguments: object) -> Service:
        options = ["--port", 0, "--context", 256, "--threads", 1, *arguments]
        process = archipel("serve", f"tiny={checkpoint}", *options)
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line, process.communicate()[1]
        return Service(process, line[1])

    return start


@contextmanager
def served(archipel: Callable[..., subprocess.Popen[str]], settings: Path) -> Iterator[OpenAI]:
    """A client of `archipel serve --config SETTINGS`, for the time of the block."""
    process = archipel("serve", "--config", settings, "--port", 0)
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line, process.communicate()[1]
    with OpenAI(base_url=line[1], api_key="none", max_retries=0, timeout=60) as found:
        yield found
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.fixture(scope="session")
def service(start_service: Callable[..., Service]) -> Iterator[Service]:
    """The service that tests share; they leave it as it was."""
    running = start_service()
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
