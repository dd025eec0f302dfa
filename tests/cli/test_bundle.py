"""`archipel bundle`: the folder answers where there is no network and nothing else is installed."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig
from typer.testing import CliRunner

from archipel.cli.bundle.packages import LEFT_OUT, ROOTS
from archipel.cli.main import app
from archipel.errors import ModelError
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.gguf_export import export_gguf
from tests.conftest import missing
from tests.models.conftest import tiny_config, tokenizer_folder

__all__ = ["tiny_config", "tokenizer_folder"]

PYTHON = Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info)
ASK = """
import json, subprocess, sys, urllib.request
def get(url, body=None):
    headers = {"content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return answer.read().decode()
interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
command = [sys.argv[1], "--no-open", "--port=0", "--page-port=0", "--context=256"]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
    name, service, *_ = running.stdout.readline().split()
    page = running.stdout.readline().split()[1]
    asked = {"messages": [{"role": "user", "content": "def add("}], "max_tokens": 8}
    answer = json.loads(get(service + "/chat/completions", {"model": name, **asked}))
    shown = get(page)
    running.terminate()
tokens, ended = answer["usage"]["completion_tokens"], running.returncode
print(json.dumps([interfaces, name, tokens, shown, ended]))
"""


def bundle(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["bundle", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture(scope="module")
def bundled(
    tiny_config: LlamaConfig, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle of a tiny model, at another place than where it was made."""
    folder = tmp_path_factory.mktemp("bundle")
    model = new_model(tiny_config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder / "tiny", tiny_config, tensors, tokenizer_folder, card="")
    (folder / "tiny/LICENSE").write_text("Apache-2.0")
    export_gguf(folder / "tiny", folder / "tiny/model.gguf", "q8_0")
    assert "for Python" in bundle(folder / "tiny/model.gguf", "-o", folder / "made")
    return (folder / "made").rename(folder / "moved here")


def start(bundled: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [bundled / "run", "--help"],
        env={"PATH": f"{PYTHON.parent}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def manifest(bundled: Path) -> dict[str, Any]:
    return json.loads((bundled / "manifest.json").read_text())


def test_it_answers_without_a_network_and_without_our_packages(
    bundled: Path, tmp_path: Path
) -> None:
    walls = shutil.which("bwrap")
    if walls is None:
        missing("bwrap")
    command = [str(walls), "--dev-bind", "/", "/", "--ro-bind", bundled, bundled, "--unshare-net"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit a network namespace")
    hidden = ["--tmpfs", sys.prefix] if sys.prefix != sys.base_prefix else []
    done = subprocess.run(
        [*command, *hidden, PYTHON, "-I", "-c", ASK, bundled / "run"],
        env={"PATH": f"{PYTHON.parent}:/usr/bin:/bin", "ARCHIPEL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    interfaces, name, tokens, page, ended = json.loads(done.stdout)
    assert interfaces == ["lo"]
    assert (name, tokens, ended) == ("model", 8, 0)
    assert "<title>" in page
    assert "assistant.db" in {path.name for path in tmp_path.iterdir()}


def test_it_holds_what_serving_needs_and_its_licences(bundled: Path) -> None:
    told = manifest(bundled)
    assert "torch" not in {package["name"] for package in told["packages"]}
    assert sum(file["bytes"] for file in told["files"].values()) < 350e6
    assert [package for package in told["packages"] if not package["licence"]] == []
    assert "model/LICENSE" in told["files"]
    assert list((bundled / "packages").glob("archipel-*.dist-info/licenses/LICENSE"))


@pytest.mark.parametrize("name", ["model/model.gguf", "packages/archipel/errors.py"])
def test_a_file_that_changed_on_the_way_is_refused(bundled: Path, name: str) -> None:
    before = (bundled / name).read_bytes()
    (bundled / name).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    changed = start(bundled)
    (bundled / name).write_bytes(before[:-1])
    cut_off = start(bundled)
    (bundled / name).write_bytes(before)
    assert (changed.returncode, cut_off.returncode) == (1, 1)
    assert f"{name} is not as it was made" in changed.stderr
    assert f"{name} is missing or cut off" in cut_off.stderr


def test_a_file_that_came_in_later_is_refused(bundled: Path) -> None:
    added = bundled / "packages/json.py"
    added.write_text("")
    said = start(bundled).stderr
    added.unlink()
    assert "packages/json.py was not there" in said


def test_another_machine_is_told_apart(bundled: Path) -> None:
    told = manifest(bundled)
    for change, match in [
        ({"python": "3.99"}, "there is no python3.99"),
        ({"machine": "Linux riscv64"}, "are for Linux riscv64, and this is"),
        ({"glibc": [9, 1]}, "need glibc 9.1"),
    ]:
        (bundled / "manifest.json").write_text(json.dumps({**told, **change}))
        said = start(bundled).stderr
        assert match in said
    (bundled / "manifest.json").write_text(json.dumps(told))


def test_what_is_no_model_makes_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_text("else")
    with pytest.raises(ModelError, match="not a GGUF file"):
        bundle(tmp_path / "no.gguf", "-o", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["no.gguf"]


def test_what_the_service_and_the_page_depend_on_is_in_it_or_left_out_on_purpose() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["serve"], *extras["assistant"], *extras["documents"]]
    names = {text.partition(">=")[0] for text in asked} - {"archipel[documents]"}
    assert set(ROOTS) <= names <= {*ROOTS, *LEFT_OUT}
