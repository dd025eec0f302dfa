"""An organisation's own catalogue: read with care, and pulled from like ours."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel import config
from archipel.errors import ConfigError, IntegrityError
from archipel.models.catalogue import CATALOGUE, CatalogueEntry
from archipel.models.here import PulledModel, list_models
from archipel.models.own_catalogue import read_catalogue
from archipel.models.pull import pull
from archipel.models.purpose import Purpose
from tests.models.web import Site, serve_site

WEIGHTS = bytes(range(256)) * 500
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as site:
        site.files["/translator.gguf"] = WEIGHTS
        site.repositories["org/ggufs"] = {"sub/b.gguf": WEIGHTS, "a.gguf": WEIGHTS}
        yield site


def _written(folder: Path, source: str, sha256: str = DIGEST, **changes: str) -> Path:
    """The catalogue; `changes` are as TOML has them, nothing for a key that is left out."""
    lines = {"source": f'"{source}"', "sha256": f'"{sha256}"', "bytes": f"{len(WEIGHTS)}"}
    lines |= {"licence": '"ours alone"', "tasks": '["translate"]', "languages": '["fr", "en"]'}
    text = "".join(f"{key} = {value}\n" for key, value in (lines | changes).items() if value)
    (folder / "catalogue.toml").write_text(f"[models.translator]\n{text}")
    return folder / "catalogue.toml"


def _pull(file: Path, home: Path) -> PulledModel:
    entries = read_catalogue(file)
    return pull("translator", home=home, progress=lambda done, total: None, catalogue=entries)


def test_it_adds_to_ours_and_tells_what_each_model_is_made_for(tmp_path: Path) -> None:
    file = _written(tmp_path, "https://models.example/t.gguf", memory_gigabytes="1.5")
    found = read_catalogue(file)
    assert list(found) == [*CATALOGUE, "translator"]
    assert found["translator"] == CatalogueEntry(
        name="translator",
        licence="ours alone",
        source="https://models.example/t.gguf",
        size_bytes=len(WEIGHTS),
        sha256=DIGEST,
        purpose=Purpose(("translate",), ("fr", "en")),
        memory_bytes=1_500_000_000,
    )
    assert read_catalogue(None) == CATALOGUE


def test_it_is_in_the_home_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path))
    assert config.catalogue_file() is None
    file = _written(tmp_path, "https://models.example/t.gguf")
    assert config.catalogue_file() == file
    monkeypatch.setenv("ARCHIPEL_CATALOGUE", "/share/models.toml")
    with pytest.raises(ConfigError, match=r"can't read the catalogue /share/models\.toml"):
        read_catalogue(config.catalogue_file())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licence": ""}, r"models\.translator\.licence: Field required"),
        ({"tasks": '["cook"]'}, r"models\.translator\.tasks"),
        ({"tasks": "[]"}, r"models\.translator\.tasks"),
        ({"languages": '["French"]'}, r"models\.translator\.languages"),
        ({"bytes": "0"}, r"models\.translator\.bytes"),
        ({"license": '"MIT"'}, r"models\.translator\.license: Extra"),
        ({"licence": '"MIT'}, "is not TOML"),
    ],
)
def test_what_is_wrong_in_it_is_named(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    file = _written(tmp_path, "https://models.example/t.gguf", **changes)
    with pytest.raises(ConfigError, match=said):
        read_catalogue(file)


def test_only_a_gguf_file_with_its_digest_is_taken(tmp_path: Path) -> None:
    for source in ("ftp://a.example/t.gguf", "https://a.example/t.bin", "pypi:--url==1/t.gguf"):
        with pytest.raises(ConfigError, match="is none of https"):
            read_catalogue(_written(tmp_path, source))
    with pytest.raises(ConfigError, match=r"models\.translator\.sha256"):
        read_catalogue(_written(tmp_path, "https://a.example/t.gguf", "beef"))


def test_a_model_comes_from_a_url_with_what_the_catalogue_tells(site: Site, tmp_path: Path) -> None:
    file = _written(tmp_path, f"{site.url}/translator.gguf")
    model = _pull(file, tmp_path)
    assert (model.licence, model.sha256) == ("ours alone", DIGEST)
    assert model.purpose == Purpose(("translate",), ("fr", "en"))
    assert list_models(tmp_path) == [model]
    asked = len(site.requests)
    assert _pull(file, tmp_path) == model
    assert len(site.requests) == asked


def test_another_digest_than_the_catalogues_leaves_nothing(site: Site, tmp_path: Path) -> None:
    file = _written(tmp_path, f"{site.url}/translator.gguf", sha256="0" * 64)
    with pytest.raises(IntegrityError, match=f"{DIGEST} instead of 0000"):
        _pull(file, tmp_path)
    assert list_models(tmp_path) == []
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]


def test_a_file_of_a_hub_is_held_to_the_catalogues_digest_not_the_hubs(
    site: Site, tmp_path: Path
) -> None:
    def command() -> subprocess.CompletedProcess[str]:
        program = "from archipel.cli.main import main; main()"
        environment = {"ARCHIPEL_HOME": str(tmp_path), "HF_ENDPOINT": site.url}
        return subprocess.run(
            [sys.executable, "-c", program, "pull", "translator"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    _written(tmp_path, "hf:org/ggufs/sub/b.gguf", sha256="0" * 64)
    refused = command()
    assert refused.returncode == 1
    assert f"{DIGEST} instead of 0000" in refused.stderr
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
    _written(tmp_path, "hf:org/ggufs/sub/b.gguf")
    assert "licence ours alone, from hf:org/ggufs/sub/b.gguf" in command().stdout
    [model] = list_models(tmp_path)
    assert model.path.read_bytes() == WEIGHTS


def test_a_new_digest_in_the_catalogue_is_not_answered_with_the_old_model(
    site: Site, tmp_path: Path
) -> None:
    source = f"{site.url}/translator.gguf"
    _pull(_written(tmp_path, source), tmp_path)
    with pytest.raises(ConfigError, match="holds another model"):
        _pull(_written(tmp_path, source, sha256="1" * 64), tmp_path)
