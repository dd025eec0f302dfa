"""Content Credentials: what a signed picture says, and what can't sign one."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat
from PIL import Image

from archipel import __version__
from archipel.errors import ConfigError
from archipel.images.provenance import Facts, PictureFile
from archipel.images.signing import open_signer
from tests.images.certificates import (
    CLAIMS,
    DOCUMENTS,
    SERVERS,
    Pair,
    new_key,
    pair,
    write_key,
)
from tests.images.credentials import how, manifest, sources
from tests.images.test_given import saved

_WORDS = "a secret reef"
_FACTS = Facts("île", 7, _WORDS)


def _signed(files: Pair, file: bytes, media_type: str = "image/png") -> bytes:
    signer = open_signer(files.certificate_file, files.key_file)
    return signer.signed(PictureFile(file, media_type), _FACTS).data


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("signer"))


@pytest.mark.parametrize(
    ("kind", "in_picture"), [("PNG", b"IDAT"), ("JPEG", b"\xff\xda"), ("WEBP", b"VP8 ")]
)
def test_a_signed_picture_says_how_it_was_made(files: Pair, kind: str, in_picture: bytes) -> None:
    image = Image.effect_noise((64, 64), 50).convert("RGB")
    plain, media_type = saved(image, kind), f"image/{kind.lower()}"
    signed = _signed(files, plain, media_type)
    said = manifest(signed, media_type)
    assert (said["state"], said["codes"]) == ("Valid", ["signingCredential.untrusted"])
    generator = said["claim_generator_info"][0]
    assert (generator["name"], generator["version"]) == ("Archipel", __version__)
    assert said["signature_info"]["issuer"] == "Example"
    assert sources(said) == [("c2pa.created", "trainedAlgorithmicMedia")]
    assert said["c2pa.ai-disclosure"] == {"modelType": "c2pa.types.model", "modelName": "île"}
    assert said["c2pa.actions.v2"]["actions"][-1]["description"] == how(7, _WORDS)
    assert "gathered_assertions" not in said["claim"]
    assert b"reef" not in signed
    with Image.open(io.BytesIO(signed)) as again, Image.open(io.BytesIO(plain)) as before:
        assert again.tobytes() == before.tobytes()
    changed = bytearray(signed)
    changed[signed.rindex(in_picture) + 200] ^= 1
    said = manifest(bytes(changed), media_type)
    assert said["state"] == "Invalid"
    assert "assertion.dataHash.mismatch" in said["codes"]


@pytest.mark.parametrize("purpose", [DOCUMENTS, CLAIMS])
def test_certificates_for_documents_and_claims_sign_too(tmp_path: Path, purpose: Any) -> None:
    signed = _signed(pair(tmp_path, purpose=purpose), saved(Image.new("RGB", (8, 8))))
    assert sources(manifest(signed)) == [("c2pa.created", "trainedAlgorithmicMedia")]


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "Es384"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (rsa.generate_private_key(65537, 2048), "Ps256"),
    ],
)
def test_keys_of_other_kinds_sign_too(tmp_path: Path, key: Any, algorithm: str) -> None:
    said = manifest(_signed(pair(tmp_path, key=key), saved(Image.new("RGB", (8, 8)))))
    assert (said["state"], said["signature_info"]["alg"]) == ("Valid", algorithm)


def test_a_key_as_openssl_once_wrote_them_signs(tmp_path: Path) -> None:
    key = new_key()
    files = pair(tmp_path, key=key)
    write_key(files.key_file, key, PrivateFormat.TraditionalOpenSSL)
    assert manifest(_signed(files, saved(Image.new("RGB", (8, 8)))))["state"] == "Valid"


def _without_key(files: Pair) -> None:
    files.key_file.unlink()


def _without_certificate(files: Pair) -> None:
    files.certificate_file.unlink()


def _key_of_another(files: Pair) -> None:
    write_key(files.key_file, new_key())


def _key_with_password(files: Pair) -> None:
    write_key(files.key_file, new_key(), seal=BestAvailableEncryption(b"sesame"))


def _key_of_no_use(files: Pair) -> None:
    write_key(files.key_file, dsa.generate_private_key(1024))


def _key_damaged(files: Pair) -> None:
    text = files.key_file.read_text()
    files.key_file.write_text(text[:60] + "!" + text[60:])


def _files_swapped(files: Pair) -> None:
    files.certificate_file.write_bytes(files.key_file.read_bytes())


def _authority_first(files: Pair) -> None:
    first, second = files.certificate_file.read_text().split("-----END CERTIFICATE-----\n")[:2]
    end = "-----END CERTIFICATE-----\n"
    files.certificate_file.write_text(second + end + first + end)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without_key, r"provenance\.key_file: can't read .*key\.pem: No such file"),
        (_without_certificate, r"provenance\.certificate_file: can't read .*chain\.pem: No such"),
        (_key_of_another, r"provenance\.key_file: .* is not the key of .*CN=Signer,O=Example"),
        (_key_with_password, r"provenance\.key_file: .* has a password\. Give the key without"),
        (_key_of_no_use, r"provenance\.key_file: .*DSAPrivateKey\. Give one of the curve P-256"),
        (_key_damaged, r"provenance\.key_file: .* holds no private key\. Give"),
        (_files_swapped, r"provenance\.certificate_file: .* holds no certificates .*Give"),
        (_authority_first, r"provenance\.certificate_file: certificate 2 of .* Put it first"),
    ],
)
def test_files_that_can_not_sign_are_named(tmp_path: Path, spoil: Any, said: str) -> None:
    files = pair(tmp_path)
    secrets = _lines(files.key_file)
    spoil(files)
    with pytest.raises(ConfigError, match=said) as caught:
        open_signer(files.certificate_file, files.key_file)
    _shows_none(caught.value, [*secrets, *_lines(files.key_file)])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"purpose": SERVERS}, "the certificate is invalid"),
        ({"days": 0}, "not valid at time of signing"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "the certificate is invalid"),
    ],
)
def test_a_certificate_that_is_not_fit_is_refused(
    tmp_path: Path, how: dict[str, Any], said: str
) -> None:
    files = pair(tmp_path, **how)
    with pytest.raises(ConfigError, match=rf"provenance\.certificate_file: .*{said}\. Give") as no:
        open_signer(files.certificate_file, files.key_file)
    _shows_none(no.value, _lines(files.key_file))


def test_without_the_library_the_extra_is_named(
    files: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(ConfigError, match=r"pip install 'archipel\[provenance\]'"):
        open_signer(files.certificate_file, files.key_file)


def _lines(key: Path) -> list[str]:
    """The whole ones of a private key, without its head and its foot."""
    lines = key.read_text().splitlines()[1:-1] if key.exists() else []
    return [line for line in lines if len(line) >= 64]


def _shows_none(error: BaseException | None, secrets: list[str]) -> None:
    """Neither the error nor what it came from has a secret in it."""
    while error is not None:
        for secret in secrets:
            assert secret not in repr(error)
        error = error.__cause__ or error.__context__
