"""`archipel up` on a fresh machine: what fits is proposed, fetched, checked, measured, served."""

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from transformers import LlamaConfig

from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.gguf_export import export_gguf
from tests.models.conftest import tiny_config, tokenizer_folder
from tests.models.web import Site, serve_site

__all__ = ["tiny_config", "tokenizer_folder"]

PROGRAM = [sys.executable, "-c", "from archipel.cli.main import main; main()"]
OPTIONS = ["--port", "0", "--page-port", "0", "--threads", "1", "--context", "256"]
Up = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def weights(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """A GGUF file that answers at random."""
    folder = tmp_path_factory.mktemp("made")
    model = new_model(tiny_config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder / "tiny", tiny_config, tensors, tokenizer_folder, card="")
    export_gguf(folder / "tiny", folder / "tiny.gguf", "q8_0")
    return (folder / "tiny.gguf").read_bytes()


@pytest.fixture
def site(weights: bytes) -> Iterator[Site]:
    with serve_site() as site:
        site.files["/models/tiny.gguf"] = weights
        yield site


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start `archipel up` with a home of its own."""
    started = []

    def start(*words: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*PROGRAM, "up", *words, *OPTIONS],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARCHIPEL_HOME": str(tmp_path), "COLUMNS": "160"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def write_catalogue(home: Path, site: Site, *, sha256: str = "", memory: float = 0.1) -> None:
    """Ours too large for any machine, beside it two by the same file."""
    file = site.files["/models/tiny.gguf"]
    said = {"bytes": len(file), "sha256": sha256 or hashlib.sha256(file).hexdigest()}
    said |= {"source": f"{site.url}/models/tiny.gguf", "licence": "ours"}
    models = {
        "smollm2-135m": {"tasks": ["chat"], "memory_gigabytes": 1e5},
        "talker": {"tasks": ["chat"], "languages": ["en"], "memory_gigabytes": memory},
        "translator": {"tasks": ["translate"], "languages": ["fr"], "memory_gigabytes": memory},
    }
    lines = []
    for name, told in models.items():
        lines += [f"[models.{name}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in {**said, **told}.items()]
    (home / "catalogue.toml").write_text("\n".join(lines))


def until_page(process: "subprocess.Popen[str]") -> dict[str, str]:
    """Addresses by the first word of their lines, up to the assistant's."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    while "assistant" not in found:
        words = process.stdout.readline().split()
        assert words, process.communicate()[1]
        found[words[0]] = words[1]
    return found


def end(process: "subprocess.Popen[str]") -> str:
    """What it has said beside its lines, after it ended well."""
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 0, said
    return said


def test_what_fits_is_fetched_measured_and_served(up: Up, site: Site, tmp_path: Path) -> None:
    write_catalogue(tmp_path, site)
    process = up("--yes")
    urls = until_page(process)
    told = {one["id"]: one for one in httpx.get(f"{urls['talker']}/models").json()["data"]}
    assert {name: (one["tasks"], one["languages"]) for name, one in told.items()} == {
        "talker": (["chat"], ["en"]),
        "translator": (["translate"], ["fr"]),
    }
    shown = httpx.get(f"{urls['assistant']}/api/models").json()["about"]
    assert shown["translator"]["tasks"] == ["translate"]
    said = end(process)
    assert "talker writes" in said
    assert "translator writes" in said

    asked = len(site.requests)
    again = up("--yes")
    until_page(again)
    said = end(again)
    assert "writes" not in said
    assert len(site.requests) == asked
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert rows["smollm2-135m"][-2:] == ["no", "no"]
    assert rows["talker"][-3:-1] == ["yes", "yes"]
    assert float(rows["talker"][-1].removesuffix("/s").replace(",", "")) > 1


def test_the_person_is_asked_until_the_answer_can_be_had(
    up: Up, site: Site, tmp_path: Path
) -> None:
    write_catalogue(tmp_path, site)
    theirs, ours = pty.openpty()
    process = up(stdin=ours)
    os.write(theirs, b"nothing\nsmollm2-135m\ntranslator\n")
    assert "translator" in until_page(process)
    said = end(process)
    assert "[talker translator]" in said
    assert "there is no 'nothing'" in said
    assert "100,000.0 GB of memory: choose less" in said
    assert not (tmp_path / "models/talker").exists()
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize(
    ("catalogue", "words", "message"),
    [
        ({"sha256": "0" * 64}, ["--yes"], "instead of 0000"),
        (
            {"memory": 1e5},
            ["--yes"],
            "no model fits: smollm2-135m, the smallest, takes 100,000.0 GB",
        ),
        ({}, [], "`archipel up --yes` takes what fits here (talker, "),
        ({"memory": 1e5}, [], "nothing fits here"),
        ({}, ["talker", "--service-url", "http://127.0.0.1:9/v1"], "not both"),
    ],
)
def test_why_nothing_is_served(
    up: Up, site: Site, tmp_path: Path, catalogue: dict[str, str], words: list[str], message: str
) -> None:
    write_catalogue(tmp_path, site, **catalogue)  # type: ignore[arg-type]
    process = up(*words)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert message in " ".join(said.split())
    assert "Traceback" not in said
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
