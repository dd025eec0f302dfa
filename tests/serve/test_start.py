"""What `archipel serve` and `archipel up` say when they can't start, and what names models get."""

import asyncio
import errno
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel.errors import ConfigError, ModelError
from archipel.serve.hosting import give_way, listen
from archipel.serve.weights import find_gguf, name_models

Archipel = Callable[..., subprocess.Popen[str]]


def failure(process: subprocess.Popen[str]) -> str:
    """What it wrote to standard error; it must have failed."""
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback (most recent call last)" not in error.split("The end of its log")[0]
    return error


def test_a_file_that_is_no_model_is_named_with_the_log(archipel: Archipel, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"not a model")
    message = failure(archipel("serve", tmp_path / "broken.gguf", "--port", 0))
    assert "can't load model 'broken'" in message
    assert "failed to load model" in message


def test_an_unknown_model_is_refused(archipel: Archipel) -> None:
    assert "no model 'nothing-like-it'" in failure(archipel("serve", "nothing-like-it"))


@pytest.mark.parametrize(
    ("verb", "option"), [(["serve"], "--port"), (["up", "--no-open"], "--port")]
)
def test_a_taken_port_is_named(
    archipel: Archipel, checkpoint: Path, verb: list[str], option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = failure(archipel(*verb, checkpoint, option, port))
    assert f"port {port} is taken" in message
    assert option in message


def test_a_network_address_needs_a_key(archipel: Archipel, checkpoint: Path) -> None:
    message = failure(archipel("serve", checkpoint, "--host", "0.0.0.0", "--port", 0))
    assert "--api-key-file" in message


def test_a_machine_that_refuses_to_let_it_give_way_is_told_and_served(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    give_way()
    assert "take out RestrictRealtime=yes" in caplog.text


def test_up_needs_models_or_a_service(archipel: Archipel) -> None:
    assert "--service-url" in failure(archipel("up"))


def test_names_come_from_the_user_or_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.Q4_1.gguf").touch()
    (tmp_path / "folder-v1.5").mkdir()
    (tmp_path / "folder-v1.5" / "weights.gguf").touch()
    texts = [f"{tmp_path}/a.Q4_1.gguf", f"{tmp_path}/folder-v1.5", f"mine={tmp_path}/a.Q4_1.gguf"]
    assert name_models(texts, tmp_path) == {
        "a.Q4_1": tmp_path / "a.Q4_1.gguf",
        "folder-v1.5": tmp_path / "folder-v1.5",
        "mine": tmp_path / "a.Q4_1.gguf",
    }
    with pytest.raises(ConfigError, match="two models are called"):
        name_models([texts[0], texts[0]], tmp_path)


def test_a_folder_must_leave_no_choice(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no GGUF file and no config\.json"):
        find_gguf(tmp_path, tmp_path)
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ConfigError, match=r"a\.gguf, b\.gguf"):
        find_gguf(tmp_path, tmp_path)


def test_a_checkpoint_is_converted_again_only_when_it_changes(
    checkpoint: Path, tmp_path: Path, home: Path
) -> None:
    first = find_gguf(checkpoint, home)
    written = first.stat().st_mtime_ns
    assert find_gguf(checkpoint, home) == first
    assert first.stat().st_mtime_ns == written
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in checkpoint.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert find_gguf(copy, home) == first
    (copy / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    assert find_gguf(copy, home) != first


def test_what_is_sent_in_pieces_is_not_held_back() -> None:
    def no_delay(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        set_to.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def connect() -> int:
        sock = listen("127.0.0.1", 0)
        async with await asyncio.start_server(no_delay, sock=sock):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            found = await set_to
            writer.close()
            return found

    with asyncio.Runner() as runner:
        set_to: asyncio.Future[int] = runner.get_loop().create_future()
        assert runner.run(connect()) == 1
