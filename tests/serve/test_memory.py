"""Which models leave memory, and what clients see of it."""

import asyncio
import re
import resource
import signal
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import httpx
import pytest

from archipel.errors import ModelError
from archipel.serve.engine import Address, Engine
from archipel.serve.engines import Engines, Seen, Stay
from archipel.serve.memory import Held, idle, to_unload
from tests.serve.test_start import failure

Archipel = Callable[..., subprocess.Popen[str]]


def test_the_least_recently_used_leaves_and_what_is_busy_or_pinned_stays() -> None:
    held = [
        Held("pinned", 40, used=0.0, pinned=True),
        Held("old", 20, used=1.0),
        Held("busy", 10, used=0.5, busy=True),
        Held("new", 20, used=2.0),
    ]
    assert to_unload(held, 10, None) == []
    assert to_unload(held, 10, 100) == []
    assert to_unload(held, 20, 100) == ["old"]
    assert to_unload(held, 50, 100) == ["old", "new"]
    assert to_unload(held, 51, 100) is None
    assert to_unload([], 101, 100) is None


def test_what_leaves_is_always_enough_and_never_more_than_needed() -> None:
    for sizes, need, budget in product(product((1, 3), repeat=4), (1, 2, 5), (6, 9, 12)):
        held = [
            Held(str(n), size, used=float(n), busy=n == 1, pinned=n == 2)
            for n, size in enumerate(sizes)
        ]
        leaving = to_unload(held, need, budget)
        fixed = sizes[1] + sizes[2]
        assert (leaving is None) == (fixed + need > budget)
        if leaving:
            left = sum(one.size for one in held if one.name not in leaving)
            assert left + need <= budget
            assert left + next(one.size for one in held if one.name == leaving[-1]) + need > budget


def test_idle_ones_leave_unless_they_stay() -> None:
    held = [
        Held("idle", 1, used=0.0, idle_seconds=10),
        Held("asked", 1, used=5.0, idle_seconds=10),
        Held("busy", 1, used=0.0, idle_seconds=10, busy=True),
        Held("stays", 1, used=0.0),
    ]
    assert idle(held, 9.9) == []
    assert idle(held, 10.0) == ["idle"]
    assert idle(held, 15.0) == ["idle", "asked"]


class _Slow(Engine):
    """An engine without a process, which leaves memory when it is let."""

    adapters = ()
    is_starting = False
    kind = "llama.cpp"
    sees = False
    tells_logprobs = True

    def __init__(self, name: str, size: int) -> None:
        self.name, self.runs, self.may_leave = name, False, asyncio.Event()
        self._size = size

    @property
    def is_running(self) -> bool:
        return self.runs

    @property
    def memory_bytes(self) -> int:
        return self._size

    async def address(self) -> Address:
        self.runs = True
        return Address(f"http://{self.name}", "key")

    async def stop(self) -> None:
        self.runs = False
        await self.may_leave.wait()


def test_it_is_seen_which_models_are_in_memory_and_answer() -> None:
    async def look() -> list[Seen]:
        engines = {
            "asked": (_Slow("asked", 3), Stay(pinned=True)),
            "other": (_Slow("other", 4), Stay()),
        }
        held = Engines(engines, None, lambda: 0.0)
        await held.lend("asked")
        return held.seen()

    assert asyncio.run(look()) == [
        Seen("asked", "llama.cpp", True, 1, 3, True, None),
        Seen("other", "llama.cpp", False, 0, 4, False, None),
    ]


def test_a_model_that_is_asked_while_another_leaves_stays() -> None:
    async def ask_meanwhile() -> dict[str, bool]:
        sizes = {"first": 1, "second": 1, "large": 2}
        engines = {name: _Slow(name, size) for name, size in sizes.items()}
        held = Engines({name: (one, Stay()) for name, one in engines.items()}, 2, lambda: 0.0)
        for name in ("first", "second"):
            (await held.lend(name)).end()
        large = asyncio.create_task(held.lend("large"))
        while engines["first"].runs:
            await asyncio.sleep(0)
        lease = await held.lend("second")
        engines["first"].may_leave.set()
        with pytest.raises(ModelError, match="busy or pinned"):
            await large
        lease.end()
        engines["second"].may_leave.set()
        await held.lend("large")
        return {name: one.runs for name, one in engines.items()}

    assert asyncio.run(ask_meanwhile()) == {"first": False, "second": False, "large": True}


def _running(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def _resident_bytes(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * resource.getpagesize()


def _start(archipel: Archipel, file: Path) -> tuple[subprocess.Popen[str], str]:
    process = archipel("serve", "--config", file, "--port", 0)
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line, process.communicate()[1]
    return process, line[1]


def _ask(url: str, model: str, tokens: int = 2) -> int:
    body = {"model": model, "prompt": "def ", "max_tokens": tokens}
    return httpx.post(f"{url}/completions", json=body, timeout=60).status_code


def test_models_share_memory_that_has_room_for_one(
    archipel: Archipel, checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "service.toml"
    common = f'path = "{checkpoint}"\ncontext = 256\nthreads = 1\nload = "demand"\n'
    tables = "".join(f"[models.{name}]\n{common}" for name in ("first", "second"))
    file.write_text(tables)
    process, url = _start(archipel, file)
    assert _running(process) == []
    assert [_ask(url, name) for name in ("first", "second")] == [200, 200]
    one, other = map(_resident_bytes, _running(process))
    process.kill()
    file.write_text(f"[engines]\nmemory_gigabytes = {1.5 * max(one, other) / 1e9}\n{tables}")
    process, url = _start(archipel, file)
    for name in ("first", "second", "first"):
        assert _ask(url, name) == 200
        assert len(_running(process)) == 1
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    left = re.findall(r"(\w+) has left memory for (\w+)", log)
    assert left == [("first", "second"), ("second", "first")]


def test_a_model_that_has_no_room_is_not_started(
    archipel: Archipel, checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "service.toml"
    table = f'[models.tiny]\npath = "{checkpoint}"\ncontext = 256\n'
    file.write_text(f"[engines]\nmemory_gigabytes = 0.0001\n{table}")
    process, url = _start(archipel, file)
    assert _running(process) == []
    assert _ask(url, "tiny") == 503
    process.send_signal(signal.SIGTERM)
    assert "raise [engines] memory_gigabytes" in process.communicate(timeout=20)[1]


def test_an_idle_model_leaves_and_is_back_for_the_next_question(
    archipel: Archipel, checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "service.toml"
    common = f'path = "{checkpoint}"\ncontext = 256\nthreads = 1\nidle_seconds = 0.2\n'
    file.write_text(f"[models.tiny]\n{common}")
    process, url = _start(archipel, file)
    assert process.stderr is not None
    for _ in range(2):
        assert _ask(url, "tiny") == 200
        assert re.search("tiny has left memory", next(process.stderr))
    assert _running(process) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("pinned = true\nidle_seconds = 5", "pinned, and idle_seconds"),
        ('load = "sometimes"', "models.tiny.load"),
    ],
)
def test_stays_that_make_no_sense_are_named(
    archipel: Archipel, checkpoint: Path, tmp_path: Path, line: str, named: str
) -> None:
    file = tmp_path / "service.toml"
    file.write_text(f'[models.tiny]\npath = "{checkpoint}"\n{line}\n')
    assert named in failure(archipel("serve", "--config", file, "--check"))
