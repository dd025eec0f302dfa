"""Servers of others that the service starts and keeps: a stand-in that speaks vLLM's API."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from archipel.errors import ConfigError, ModelError
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import read_settings
from archipel.serve.weights import Weights
from tests.serve.conftest import wait_for_end
from tests.serve.test_start import failure

Archipel = Callable[..., subprocess.Popen[str]]
_STAND_IN = Path(__file__).parent / "stand_in.py"


class Kept:
    """A service over one stand-in, called `big`."""

    def __init__(self, archipel: Archipel, folder: Path, *options: str) -> None:
        self.pids = folder / "pids"
        self.file = folder / "service.toml"
        command = [sys.executable, str(_STAND_IN), "--port", "{port}", "--name", "{name}"]
        command += ["--pids", str(self.pids), *options]
        self.file.write_text(
            f'[models.big]\nengine = "command"\ncommand = {json.dumps(command)}\n'
            'key_env = "STAND_IN_KEY"\nmemory_gigabytes = 0.5\n'
        )
        self.process = archipel(
            *("serve", "--config", self.file, "--port", 0),
            ARCHIPEL_SECRET="of the service",
        )

    def client(self) -> OpenAI:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line, self.process.communicate()[1]
        assert line[2:] == ["command"]
        return OpenAI(base_url=line[1], api_key="none", max_retries=0, timeout=60)

    def started(self) -> list[dict[str, list[int]]]:
        """Of each start, the process and its child."""
        return [json.loads(line) for line in self.pids.read_text().splitlines()]


def test_a_server_is_waited_for_asked_and_ended_with_its_children(
    archipel: Archipel, tmp_path: Path
) -> None:
    kept = Kept(archipel, tmp_path, "--ready-after", "2")
    with kept.client() as client:
        told = client.completions.create(model="big", prompt="hello")
    assert told.choices[0].text == "HELLO"
    [start] = kept.started()
    assert start["secrets"] == []
    kept.process.send_signal(signal.SIGTERM)
    assert kept.process.wait(20) == 0
    assert all(wait_for_end(pid, 1) for pid in start["pids"])


def test_a_server_that_dies_costs_its_answer_and_is_started_again(
    archipel: Archipel, tmp_path: Path
) -> None:
    kept = Kept(archipel, tmp_path)
    with kept.client() as client:
        stream = client.completions.create(model="big", prompt="die", stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            list(stream)
        [first] = kept.started()
        keepers = _children(kept.process.pid)
        assert all(wait_for_end(pid) for pid in first["pids"])
        assert all(map(wait_for_end, keepers))
        again = client.with_options(max_retries=1)  # the service may not have noticed yet
        assert again.completions.create(model="big", prompt="again").choices[0].text == "AGAIN"
    assert len(kept.started()) == 2
    kept.process.send_signal(signal.SIGTERM)
    _, log = kept.process.communicate(timeout=20)
    assert "engine big ended with 1; starting it again" in log


@pytest.mark.parametrize("deaf", [(), ("--deaf",)], ids=["", "deaf"])
def test_a_server_ends_when_the_service_is_killed(
    archipel: Archipel, tmp_path: Path, deaf: Sequence[str]
) -> None:
    kept = Kept(archipel, tmp_path, *deaf)
    kept.client().close()
    [start] = kept.started()
    kept.process.kill()
    assert all(wait_for_end(pid, 15) for pid in start["pids"])


def test_a_server_ends_when_its_keeper_is_killed(archipel: Archipel, tmp_path: Path) -> None:
    kept = Kept(archipel, tmp_path)
    kept.client().close()
    [start] = kept.started()
    [keeper] = _children(kept.process.pid)
    os.kill(keeper, signal.SIGKILL)
    assert wait_for_end(start["pids"][0])
    os.kill(start["pids"][1], signal.SIGKILL)  # the child is nobody's any more


def test_why_a_server_does_not_start_is_said(archipel: Archipel, tmp_path: Path) -> None:
    said = failure(Kept(archipel, tmp_path, "--broken").process)
    assert "loading the weights\nno kernel image for this device\nthe server ended with 1" in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('engine = "command"\ncommand = ["serve"]', "command must say where it listens"),
        ('engine = "vllm"', "path is lacking"),
        ('path = "x"\ncommand = ["serve"]', "command is not for engine"),
        ('path = "x"\nengine = "sglang"\nadapters = {a = "b"}', "adapters is not for engine"),
        ('path = "x"\nengine = "other"', "models.big.engine"),
    ],
)
def test_tables_that_make_no_sense_are_named(tmp_path: Path, table: str, said: str) -> None:
    file = tmp_path / "service.toml"
    file.write_text(f"[models.big]\n{table}\n")
    with pytest.raises(ConfigError, match=said):
        read_settings(file)


def test_a_program_that_is_not_there_is_named() -> None:
    async def start() -> None:
        table = ModelTable(engine="command", command=("/no/server", "{port}"))
        async with Engine("big", launch("big", table, Weights("command", ""), cores=1)):
            pass

    with pytest.raises(ModelError, match="can't run '/no/server'"):
        asyncio.run(start())


def test_a_start_goes_on_when_who_asked_for_it_is_gone(tmp_path: Path) -> None:
    async def start_twice() -> None:
        command = (sys.executable, str(_STAND_IN), "--port", "{port}", "--pids", f"{tmp_path}/pids")
        table = ModelTable(engine="command", command=(*command, "--ready-after", "3"))
        engine = Engine("big", launch("big", table, Weights("command", ""), cores=1))
        impatient = asyncio.create_task(engine.address())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait({impatient})
        assert engine.is_starting
        await engine.address()
        await engine.stop()

    asyncio.run(start_twice())
    assert len((tmp_path / "pids").read_text().splitlines()) == 1


def test_vllm_and_sglang_are_told_what_the_table_says() -> None:
    table = ModelTable(
        path="org/large",
        engine="vllm",
        context=8192,
        parallel=16,
        adapters={"legal": "/lora/legal"},
        arguments=("--tensor-parallel-size", "2"),
        memory_gigabytes=60,
    )
    how = launch("big", table, Weights("vllm", table.path, table.adapters), cores=4)
    assert " ".join(how.request["command"]) == (
        "vllm serve org/large --served-model-name big --host 127.0.0.1 --port {port} "
        "--max-model-len 8192 --max-num-seqs 16 --enable-lora --max-loras 1 "
        "--lora-modules legal=/lora/legal --tensor-parallel-size 2"
    )
    assert (how.request["key_env"], how.bytes, how.adapters) == ("VLLM_API_KEY", 60 * 10**9, ())
    table = ModelTable(
        path="/m", engine="sglang", command=("/opt/py", "-m", "sglang.launch_server")
    )
    how = launch("big", table, Weights("sglang", "/m"), cores=4)
    assert " ".join(how.request["command"]) == (
        "/opt/py -m sglang.launch_server --model-path /m --served-model-name big "
        "--host 127.0.0.1 --port {port} --api-key {key} --context-length 4096 "
        "--max-running-requests 4"
    )


def _children(process_id: int) -> list[int]:
    return [
        int(child)
        for file in Path(f"/proc/{process_id}/task").glob("*/children")
        for child in file.read_text().split()
    ]
