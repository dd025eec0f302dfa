"""Content Credentials: a picture's file with a signed manifest of C2PA, so that whoever has it can
see that a model made it, in whose name, from which picture, and whether it was changed since.

Nothing is asked of a network: neither the time, nor what a certificate is worth, nor a manifest
that a picture that is sent has elsewhere.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from PIL import Image

from archipel.errors import ConfigError
from archipel.images.manifest import OWN_LABELS, Parent, ingredient_of, manifest_of
from archipel.images.provenance import Coding, Facts, PictureFile, as_file

_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
_NOTHING = Facts(model="", seed=0, prompt="")
_MOST_HISTORY = 1 << 20  # bytes: each picture that is made has it in it
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_SETTINGS = {
    # What a certificate may be for: email, documents, C2PA's claims. If it is not told, the library
    # signs for all three, and then finds fault with its own signature for the last two.
    "trust": {"trust_config": "1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36\n1.3.6.1.4.1.62558.2.1\n"},
    "verify": {"verify_after_sign": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}, "created_assertion_labels": OWN_LABELS},
}


@dataclass(frozen=True)
class Signer:
    """Who signs pictures: see `open_signer`."""

    certificate_file: Path
    valid_until: datetime  # the certificate
    _context: Any  # of c2pa, with the key in it

    def parent(self, file: PictureFile) -> Parent:
        """A picture that somebody sent, for those that are begun from it. Its own manifest goes
        along, unless the library can't read it or a trial picture has more than 1 MiB with it."""
        parent = Parent(file, keeps_history=True)
        try:
            trial = self.signed(_trial(), _NOTHING, parent)
        except ConfigError:
            return replace(parent, keeps_history=False)
        return replace(parent, keeps_history=len(trial.data) <= _MOST_HISTORY)

    def signed(self, file: PictureFile, facts: Facts, parent: Parent | None = None) -> PictureFile:
        """A picture's file with a manifest in it, which has a name of its own: so it is another
        file each time.

        Raises:
            ConfigError: it can't be signed, as when the certificate is no longer valid.
        """
        import c2pa

        whole = io.BytesIO()
        with _refusals(self.certificate_file):
            builder = c2pa.Builder(manifest_of(facts, parent), self._context)
            if parent is not None and parent.keeps_history:
                given = parent.file
                builder.add_ingredient(
                    ingredient_of(parent), given.media_type, io.BytesIO(given.data)
                )
            builder.sign(file.media_type, io.BytesIO(file.data), whole)
        return PictureFile(whole.getvalue(), file.media_type)


def open_signer(certificate_file: Path, key_file: Path) -> Signer:
    """Who signs with a private key and its chain of certificates, its own first, both in PEM. A
    trial picture is signed.

    Raises:
        ConfigError: a file can't be read or holds something else, they do not belong together, the
            certificate is not fit for it, or the library is not installed.
    """
    try:
        import c2pa  # 23 MB
    except (ImportError, RuntimeError) as error:  # it is not there, or not for this machine
        raise ConfigError(
            f"[provenance] needs c2pa-python ({error}). `pip install 'archipel[provenance]'` has "
            "it. Without the table pictures are made, and not signed."
        ) from error
    chain, key = _read_chain(certificate_file), _read_key(key_file)
    _check_pair(chain, certificate_file, key, key_file)
    certificates = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    # PKCS 8 is all that the library reads; OpenSSL writes others too.
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with _refusals(certificate_file):
        info = c2pa.C2paSignerInfo(_algorithm(key, key_file), certificates, secret, None)
        context = c2pa.Context.from_dict(_SETTINGS, c2pa.Signer.from_info(info))
    signer = Signer(certificate_file, chain[0].not_valid_after_utc, context)
    signer.signed(_trial(), _NOTHING)
    return signer


def _trial() -> PictureFile:
    """Of one pixel."""
    return as_file(Image.new("RGB", (1, 1)), _NOTHING, Coding())


@contextlib.contextmanager
def _refusals(certificate_file: Path) -> Iterator[None]:
    """What the library refuses, in our words. Its own do not quote the key, which was read here."""
    from c2pa import C2paError

    try:
        yield
    except C2paError as error:
        raise ConfigError(
            f"provenance.certificate_file: pictures can't be signed with {certificate_file}: "
            f"{error}. Give a certificate that is valid today, of no authority itself, with the "
            "key usage digitalSignature and the extended one emailProtection, documentSigning or "
            "c2pa-kp-claimSigning, and after it those that certify it."
        ) from error


def _read_chain(file: Path) -> list[x509.Certificate]:
    data = _read("provenance.certificate_file", file)
    try:
        chain = x509.load_pem_x509_certificates(data)
        for one in chain:
            one.public_key()  # which may be of a kind that nobody here knows
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"provenance.certificate_file: {file} holds no certificates that can be read. Give the "
            "signer's own, then those that certify it, all in PEM (-----BEGIN CERTIFICATE-----)."
        ) from None
    return chain


def _read_key(file: Path) -> _Key:
    """Errors quote nothing of the file."""
    data = _read("provenance.key_file", file)
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise ConfigError(
            f"provenance.key_file: {file} has a password. Give the key without one, in a file that "
            "only the service can read: `openssl pkey -in FILE -out NEW`."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"provenance.key_file: {file} holds no private key. Give the one of the certificate, "
            "in PEM (-----BEGIN PRIVATE KEY-----)."
        ) from None
    if not isinstance(key, _Key):
        raise _unfit(file, type(key).__name__)
    return key


def _read(setting: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{setting}: can't read {file}: {error.strerror}. Check the path, and that the service "
            "may read it."
        ) from error


def _check_pair(
    chain: list[x509.Certificate], certificate_file: Path, key: _Key, file: Path
) -> None:
    """Raises ConfigError unless the key is that of the first certificate."""
    wanted = _public_bytes(key.public_key())
    found = [_public_bytes(one.public_key()) == wanted for one in chain]
    if found[0]:
        return
    if any(found):
        raise ConfigError(
            f"provenance.certificate_file: certificate {found.index(True) + 1} of "
            f"{certificate_file} is that of the key. Put it first, before those that certify it."
        )
    raise ConfigError(
        f"provenance.key_file: {file} is not the key of the first certificate in "
        f"{certificate_file}, {chain[0].subject.rfc4514_string()!r}. Give two that belong together."
    )


def _public_bytes(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _algorithm(key: _Key, file: Path) -> str:
    """As C2PA calls it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if key.curve.name not in _CURVES:
        raise _unfit(file, key.curve.name)
    return _CURVES[key.curve.name]


def _unfit(file: Path, kind: str) -> ConfigError:
    return ConfigError(
        f"provenance.key_file: C2PA signs with no key like {file}, {kind}. Give one of the curve "
        "P-256, P-384 or P-521, an Ed25519 or an RSA one."
    )
