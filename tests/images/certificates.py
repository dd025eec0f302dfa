"""Certificates made for a test: a signer's, certified by an authority of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
CLAIMS = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # of C2PA's own
SERVERS = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Pair:
    """A signer's files."""

    certificate_file: Path
    key_file: Path

    @property
    def table(self) -> str:
        """As the service's file has it."""
        files = f'certificate_file = "{self.certificate_file}"\nkey_file = "{self.key_file}"\n'
        return f"[provenance]\n{files}"


def pair(
    folder: Path,
    *,
    key: Any = None,
    purpose: x509.ObjectIdentifier = EMAIL,
    days: int = 30,
    name: str = "Signer",
) -> Pair:
    """A signer of "Example" with a key of P-256, if no other is given, who may sign for so many
    days from yesterday on."""
    folder.mkdir(parents=True, exist_ok=True)
    key, authority = key or new_key(), new_key()
    root = _begun("Authority", "Authority", authority, 99)
    root = root.add_extension(x509.BasicConstraints(True, None), True)
    root = root.add_extension(_usage(signs_certificates=True), True)
    own = _begun(name, "Authority", key, days)
    own = own.add_extension(x509.BasicConstraints(False, None), True)
    own = own.add_extension(_usage(signs_certificates=False), True)
    own = own.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    own = own.add_extension(issuer, False)
    made = Pair(folder / "chain.pem", folder / "key.pem")
    chain = [one.sign(authority, SHA256()).public_bytes(Encoding.PEM) for one in (own, root)]
    made.certificate_file.write_bytes(b"".join(chain))
    write_key(made.key_file, key)
    return made


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def write_key(
    file: Path, key: Any, kind: PrivateFormat = PrivateFormat.PKCS8, seal: Any = None
) -> None:
    file.write_bytes(key.private_bytes(Encoding.PEM, kind, seal or NoEncryption()))


def _begun(name: str, issuer: str, key: Any, days: int) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - timedelta(days=1)
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )


def _name(name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
