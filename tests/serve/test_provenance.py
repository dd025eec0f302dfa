"""`[provenance]`: pictures made here are signed, and nothing starts if they can't be."""

import base64
import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from archipel.files import sha256_bytes
from archipel.images.provenance import Facts, PictureFile
from archipel.images.signing import Signer, open_signer
from tests.images.certificates import new_key, pair, write_key
from tests.images.conftest import pipeline
from tests.images.credentials import damaged, how, manifest, sources
from tests.images.test_given import saved
from tests.serve.painted import KEY, PlainPainter, painting_engine
from tests.serve.test_start import failure

__all__ = ["pipeline"]

Archipel = Callable[..., subprocess.Popen[str]]
_IMAGE = Image.new("RGB", (40, 30), "red")
_HOLE = saved(Image.new("RGBA", (40, 30), (0, 0, 0, 0)))
_EDITED = [("c2pa.opened", None), ("c2pa.edited", "compositeWithTrainedAlgorithmicMedia")]


def _file(made: Any) -> bytes:
    return base64.b64decode(made.data[0].b64_json)


def test_the_service_signs_its_pictures(archipel: Archipel, pipeline: Path, tmp_path: Path) -> None:
    files, settings = pair(tmp_path), tmp_path / "service.toml"
    settings.write_text(f'[models.art]\npath = "{pipeline}"\nthreads = 1\n{files.table}')
    process = archipel("--verbose", "serve", "--config", settings, "--port", 0)
    assert process.stdout is not None
    first = process.stdout.readline()
    url = next(word for word in first.split() if word.startswith("http://"))
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
        extra = {"steps": 2, "seed": 5}
        made = client.images.generate(model="art", prompt="a blue cat", n=2, extra_body=extra)
        signed = [base64.b64decode(one.b64_json or "") for one in made.data or []]
        edited = client.images.edit(
            model="art", prompt="in the rain", image=("a.png", signed[0]), extra_body=extra
        )
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=20)
    assert process.returncode == 0
    for seed, file in enumerate(signed, 5):
        said = manifest(file)
        assert (said["state"], said["signature_info"]["common_name"]) == ("Valid", "Signer")
        assert sources(said) == [("c2pa.created", "trainedAlgorithmicMedia")]
        assert said["c2pa.ai-disclosure"]["modelName"] == "art"
        assert said["c2pa.actions.v2"]["actions"][-1]["description"] == how(seed, "a blue cat")
        assert b"blue" not in file
        with Image.open(io.BytesIO(file)) as image:
            assert image.text["Seed"] == str(seed)  # type: ignore[attr-defined]
    said = manifest(_file(edited))
    assert (said["state"], sources(said)) == ("Valid", _EDITED)
    [parent] = said["ingredients"]
    assert parent["active_manifest"] == manifest(signed[0])["label"]
    for secret in files.key_file.read_text().splitlines():
        assert secret not in first + out + log


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_what_begins_from_a_picture_names_it(tmp_path: Path, kind: str) -> None:
    signer, camera = _signer(tmp_path / "ours"), _signer(tmp_path / "theirs")
    plain = PictureFile(saved(_IMAGE, kind.upper()), f"image/{kind}")
    given = camera.signed(plain, Facts("lens", 1, "x"))
    before = manifest(given.data, given.media_type)
    with (
        painting_engine(PlainPainter(), signer) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=20) as client,
    ):
        for made in _begun_from(client, given.data):
            said, parent = _parent(made)
            assert parent["active_manifest"] == before["label"]
            assert parent["format"] == f"image/{kind}"
            assert parent["failures"] == ["signingCredential.untrusted"]
            assert said["manifests"][before["label"]]["assertions"] == before["assertions"]
        for made in _begun_from(client, plain.data):
            said, parent = _parent(made)
            assert sha256_bytes(plain.data) in parent["description"]
            assert list(said["manifests"]) == [said["label"]]
        for made in _begun_from(client, damaged(given.data)):
            said, parent = _parent(made)
            assert "can't be read or are too large" in parent["description"]
            assert parent["found"] == ["ingredient.unknownProvenance"]
            assert list(said["manifests"]) == [said["label"]]


def _signer(folder: Path) -> Signer:
    files = pair(folder)
    return open_signer(files.certificate_file, files.key_file)


def _begun_from(client: OpenAI, given: bytes) -> Iterator[bytes]:
    """All the ways, each as a PNG."""
    image = ("given", given)
    yield _file(client.images.edit(prompt="x", image=image))
    yield _file(client.images.edit(prompt="x", image=image, mask=("m.png", _HOLE)))
    yield _file(client.images.create_variation(image=image))
    two = client.images.edit(prompt="x", image=image, n=2)
    yield from (base64.b64decode(one.b64_json or "") for one in two.data or [])
    with client.images.edit(prompt="x", image=image, stream=True) as stream:
        yield base64.b64decode(list(stream)[-1].b64_json)  # type: ignore[union-attr]


def _parent(file: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a picture says of itself, and of the one that it began from."""
    said = manifest(file)
    assert (said["state"], sources(said)) == ("Valid", _EDITED)
    [parent] = said["ingredients"]
    assert parent["relationship"] == "parentOf"
    return said, parent


def test_every_kind_of_file_and_the_last_of_a_stream_are_signed(tmp_path: Path) -> None:
    with (
        painting_engine(PlainPainter(), _signer(tmp_path)) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=20) as client,
    ):
        for kind in ("jpeg", "webp"):
            made = client.images.generate(prompt="x", extra_body={"output_format": kind})
            assert manifest(_file(made), f"image/{kind}")["state"] == "Valid"
        with client.images.generate(prompt="x", stream=True) as stream:
            streamed = list(stream)[-1].b64_json  # type: ignore[union-attr]
        assert sources(manifest(base64.b64decode(streamed)))[0][1] == "trainedAlgorithmicMedia"


def test_nothing_is_painted_that_could_not_be_signed(tmp_path: Path) -> None:
    files, painter = pair(tmp_path), PlainPainter()
    signer = open_signer(files.certificate_file, files.key_file)
    left = signer.valid_until - datetime.now(UTC)
    assert timedelta(days=28) < left < timedelta(days=29)
    with (
        painting_engine(painter, replace(signer, valid_until=datetime.now(UTC))) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=20) as client,
    ):
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError, match="has run out") as caught:
                client.images.generate(prompt="x", stream=stream)
            assert caught.value.code == "not_signed"
    assert painter.orders == []


@pytest.mark.parametrize("options", [["--check"], ["--port", 0]])
def test_a_key_of_another_certificate_stops_the_start(
    archipel: Archipel, tmp_path: Path, options: list[Any]
) -> None:
    files, settings = pair(tmp_path), tmp_path / "service.toml"
    route = '[providers.a]\nurl = "http://127.0.0.1:9/v1"\n'
    route += '[routes.chat]\ntargets = [{provider = "a", model = "b"}]\n'
    settings.write_text(route + files.table)
    process = archipel("serve", "--config", settings, "--check")
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "all is right" in said) == (0, True)
    write_key(files.key_file, new_key())
    log = failure(archipel("--verbose", "serve", "--config", settings, *options))
    assert "provenance.key_file" in log
    assert "is not the key of the first certificate" in log
    for secret in files.key_file.read_text().splitlines():
        assert secret not in log
    settings.write_text(f'{route}[provenance]\nkey_file = "{files.key_file}"\n')
    lacking = failure(archipel("serve", "--config", settings, *options))
    assert "provenance.certificate_file: Field required" in lacking


def test_without_the_table_the_library_is_not_imported() -> None:
    program = (
        "import sys, archipel.serve.image_process, archipel.serve.service; "
        "from archipel.serve.settings import Settings; "
        "archipel.serve.service.check_provenance(Settings()); sys.exit('c2pa' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
