"""Content Credentials of a picture that began from another: which it was, and what is known of it.

The other may have any manifest, or what only seems one.
"""

import http.server
import io
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from archipel.files import sha256_bytes
from archipel.images.provenance import Facts, PictureFile
from archipel.images.signing import Signer, open_signer
from tests.images.certificates import pair
from tests.images.credentials import c2pa, damaged, how, manifest, sources
from tests.images.test_given import saved

_KINDS = ["png", "jpeg", "webp"]
_FACTS = Facts("painter", 7, "a reef")
_EMPTY = "http://c2pa.org/digitalsourcetype/empty"
_EDITED = [("c2pa.opened", None), ("c2pa.edited", "compositeWithTrainedAlgorithmicMedia")]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return _signer(tmp_path_factory.mktemp("ours"), "Signer")


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Somebody else."""
    return _signer(tmp_path_factory.mktemp("theirs"), "Camera")


def _signer(folder: Path, name: str) -> Signer:
    files = pair(folder, name=name)
    return open_signer(files.certificate_file, files.key_file)


def _noise(kind: str, **options: object) -> PictureFile:
    image = Image.effect_noise((64, 64), 50).convert("RGB")
    return PictureFile(saved(image, kind.upper(), **options), f"image/{kind}")


def _edited(signer: Signer, given: PictureFile, kind: str = "png") -> PictureFile:
    return signer.signed(_noise(kind), _FACTS, signer.parent(given))


def _said(file: PictureFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a picture says of itself, and of the one that it began from."""
    said = manifest(file.data, file.media_type)
    assert (said["state"], said["codes"]) == ("Valid", ["signingCredential.untrusted"])
    assert sources(said) == _EDITED
    assert said["c2pa.actions.v2"]["actions"][-1]["description"] == how(7, "a reef")
    [parent] = said["ingredients"]
    [named] = said["c2pa.actions.v2"]["actions"][0]["parameters"]["ingredients"]
    assert named["url"].endswith(parent["label"])
    assert parent["relationship"] == "parentOf"
    assert "gathered_assertions" not in said["claim"]
    return said, parent


@pytest.mark.parametrize("given_kind", _KINDS)
@pytest.mark.parametrize("kind", _KINDS)
def test_what_a_signed_picture_said_stays_readable(
    signer: Signer, camera: Signer, given_kind: str, kind: str
) -> None:
    given = camera.signed(_noise(given_kind), Facts("lens", 3, "x"))
    before = manifest(given.data, given.media_type)
    said, parent = _said(_edited(signer, given, kind))
    assert said["signature_info"]["common_name"] == "Signer"
    assert parent["active_manifest"] == before["label"]
    assert parent["format"] == given.media_type
    assert parent["description"] == f"SHA-256 of its file: {sha256_bytes(given.data)}."
    assert parent["failures"] == ["signingCredential.untrusted"]
    assert "assertion.dataHash.match" in parent["successes"]
    carried = said["manifests"][before["label"]]
    assert carried["signature_info"]["common_name"] == "Camera"
    assert carried["assertions"] == before["assertions"]
    assert parent["found"] == ["ingredient.manifest.validated"]


def test_a_history_goes_back_to_its_beginning(signer: Signer, camera: Signer) -> None:
    files = [camera.signed(_noise("jpeg"), Facts("lens", 3, "x"))]
    for kind in _KINDS:
        files.append(_edited(signer, files[-1], kind))
    said, _ = _said(files[-1])
    chain = [said["label"]]
    while found := said["manifests"][chain[-1]].get("ingredients"):
        chain.append(found[0]["active_manifest"])
    labels = [manifest(file.data, file.media_type)["label"] for file in reversed(files)]
    assert chain == labels
    assert set(said["manifests"]) == set(labels)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_picture_without_a_manifest_is_known_by_its_digest(signer: Signer, kind: str) -> None:
    given = _noise(kind)
    said, parent = _said(_edited(signer, given))
    assert parent["description"] == f"SHA-256 of its file: {sha256_bytes(given.data)}."
    assert "active_manifest" not in parent
    assert parent["found"] == ["ingredient.unknownProvenance"]
    assert set(said["manifests"]) == {said["label"]}


@pytest.mark.parametrize(
    ("kind", "in_picture"), [("png", b"IDAT"), ("jpeg", b"\xff\xda"), ("webp", b"VP8 ")]
)
def test_a_picture_that_was_changed_after_it_was_signed_is_known_as_that(
    signer: Signer, camera: Signer, kind: str, in_picture: bytes
) -> None:
    data = bytearray(camera.signed(_noise(kind), _FACTS).data)
    data[data.rindex(in_picture) + 200] ^= 1
    said, parent = _said(_edited(signer, PictureFile(bytes(data), f"image/{kind}")))
    assert "assertion.dataHash.mismatch" in parent["failures"]
    assert parent["active_manifest"] in said["manifests"]


def _png_with(store: bytes) -> PictureFile:
    """A PNG with this where its manifests are to be."""
    plain = _noise("png").data
    chunk = struct.pack(">I", len(store)) + b"caBX" + store
    after_head = 33
    checked = chunk + struct.pack(">I", zlib.crc32(chunk[4:]))
    return PictureFile(plain[:after_head] + checked + plain[after_head:], "image/png")


def _store(file: PictureFile) -> bytes:
    at = file.data.index(b"caBX")
    return file.data[at + 4 : at + 4 + int.from_bytes(file.data[at - 4 : at])]


def _nested(depth: int) -> bytes:
    """Boxes in boxes."""
    description = bytes.fromhex("6332706100110010800000AA00389B71") + b"\x03c2pa\0"
    head = struct.pack(">I", 8 + len(description)) + b"jumd" + description
    sizes = range(depth * (8 + len(head)), 0, -(8 + len(head)))
    return b"".join(struct.pack(">I", size) + b"jumb" + head for size in sizes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda store: store[: len(store) // 2],
        lambda store: bytes(len(store)),
        lambda store: b"\xff" * len(store),
        lambda store: store.replace(b"c2pa.ai-disclosure", b"c2pa.ai-disclosurf", 1),
        lambda _: _nested(100_000),
    ],
    ids=["cut", "zeros", "ones", "renamed", "nested"],
)
def test_a_damaged_manifest_is_left_out(signer: Signer, camera: Signer, spoil: Any) -> None:
    given = _png_with(spoil(_store(camera.signed(_noise("png"), _FACTS))))
    said, parent = _said(_edited(signer, given))
    _is_left_out(given, said, parent)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_damaged_manifest_in_any_kind_of_file_is_left_out(
    signer: Signer, camera: Signer, kind: str
) -> None:
    given = PictureFile(damaged(camera.signed(_noise(kind), _FACTS).data), f"image/{kind}")
    said, parent = _said(_edited(signer, given))
    _is_left_out(given, said, parent)


def test_a_manifest_that_is_too_large_is_left_out(signer: Signer, camera: Signer) -> None:
    for size, is_kept in ((1_000_000, True), (1_100_000, False)):
        given = _with_thumbnail(camera, bytes(size))
        for kind in _KINDS:
            file = _edited(signer, given, kind)
            said, parent = _said(file)
            if is_kept:
                assert parent["active_manifest"] in said["manifests"]
            else:
                _is_left_out(given, said, parent)
            assert (len(file.data) > 1_000_000) == is_kept


def _with_thumbnail(signer: Signer, thumbnail: bytes) -> PictureFile:
    created = {"action": "c2pa.created", "digitalSourceType": _EMPTY}
    said = {
        "thumbnail": {"format": "image/jpeg", "identifier": "small"},
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
    }
    plain, whole = _noise("png"), io.BytesIO()
    with c2pa.Builder(said, signer._context) as builder:
        builder.add_resource("small", io.BytesIO(thumbnail))
        builder.sign(plain.media_type, io.BytesIO(plain.data), whole)
    return PictureFile(whole.getvalue(), plain.media_type)


def _is_left_out(given: PictureFile, said: dict[str, Any], parent: dict[str, Any]) -> None:
    digest = sha256_bytes(given.data)
    assert parent["description"] == (
        f"SHA-256 of its file: {digest}. Its own Content Credentials can't be read or are too "
        "large, and are left out."
    )
    assert "active_manifest" not in parent
    assert parent["found"] == ["ingredient.unknownProvenance"]
    assert set(said["manifests"]) == {said["label"]}


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The URL of a server, and what it was asked."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/manifest", paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_a_manifest_elsewhere_is_not_fetched(
    signer: Signer, asked: tuple[str, list[str]], kind: str
) -> None:
    url, paths = asked
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
        f'dcterms:provenance="{url}"/></rdf:RDF></x:xmpmeta>'
    )
    _, parent = _said(_edited(signer, _noise(kind, xmp=xmp.encode())))
    assert parent["failures"] == ["manifest.inaccessible"]
    assert paths == []
