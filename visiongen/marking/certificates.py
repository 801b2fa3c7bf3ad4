"""With what results are signed: the user's own certificate, or one made on this computer when it is first needed.

``VISIONGEN_CREDENTIALS`` names a folder that holds ``chain.pem`` (the signer's certificate first, then those above it) and
``key.pem`` (its private key, unencrypted). Without it such a folder, with a certificate that is known to nobody else, is
made once in the user's settings, readable by this user alone.
"""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visiongen.errors import MediaError
from visiongen.plugin_switches import settings_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CREDENTIALS_VARIABLE = "VISIONGEN_CREDENTIALS"
CHAIN_NAME, KEY_NAME = "chain.pem", "key.pem"
LOCAL_SIGNER = "VisionGen 3D on this computer"
_YEARS = 10


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A certificate with its key."""

    chain: bytes
    """PEM, the signer's certificate first."""
    key: bytes
    """PEM, PKCS#8."""
    algorithm: str
    """es256, es384, es512, ps256 or ed25519, as C2PA calls them."""

    def __repr__(self) -> str:
        return f"Credentials({self.algorithm})"  # never the key


def credentials_folder() -> Path:
    """Where certificate and key are kept, or will be."""
    given = os.environ.get(CREDENTIALS_VARIABLE)
    return Path(given).expanduser() if given else settings_file().parent / "credentials"


def load_credentials() -> Credentials:
    """Certificate and key to sign with; made where the user has none.

    Raises:
        MediaError: They cannot be read or made.
    """
    folder = credentials_folder()
    if not folder.is_dir() and not os.environ.get(CREDENTIALS_VARIABLE):
        _make(folder)
    chain, key = (_read(folder / name) for name in (CHAIN_NAME, KEY_NAME))
    return Credentials(chain=chain, key=key, algorithm=_algorithm(key, folder / KEY_NAME))


def local_chain() -> bytes | None:
    """PEM of the certificates this user signs with; None where there are none yet."""
    try:
        return (credentials_folder() / CHAIN_NAME).read_bytes()
    except OSError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read ({error.strerror}); put {CHAIN_NAME} and {KEY_NAME} there, or delete the folder"
        ) from error


def _algorithm(key: bytes, path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise MediaError(
            f"{path} holds no private key that can be used ({error}); save it as unencrypted PEM"
        ) from error
    if isinstance(private, ec.EllipticCurvePrivateKey):
        names = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
        if private.curve.name in names:
            return names[private.curve.name]
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    elif isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise MediaError(f"{path} holds a key of a kind C2PA does not know; use ECDSA (P-256), Ed25519 or RSA")


def _make(folder: Path) -> None:
    """Makes a certificate of this computer's own, whole or not at all; another process may do so at the same time."""
    from cryptography.hazmat.primitives import serialization as serial

    part = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".credentials-", dir=folder.parent))
        chain, private = _chain()
        key = private.private_bytes(serial.Encoding.PEM, serial.PrivateFormat.PKCS8, serial.NoEncryption())
        for name, data in ((CHAIN_NAME, chain), (KEY_NAME, key)):
            handle = os.open(part / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        try:
            os.rename(part, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and its certificate is as good
                raise
    except OSError as error:
        raise MediaError(
            f"no certificate can be kept in {folder} ({error.strerror}); make that place writeable"
        ) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _chain() -> tuple[bytes, EllipticCurvePrivateKey]:
    """PEM of a signer and the root above it, and the signer's key. The root's key is thrown away: it signs nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(role: str) -> x509.Name:
        parts = ((NameOID.ORGANIZATION_NAME, LOCAL_SIGNER), (NameOID.COMMON_NAME, f"VisionGen 3D {role}"))
        return x509.Name([x509.NameAttribute(*part) for part in parts])

    def usage(**allowed: bool) -> x509.KeyUsage:
        kinds = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
        return x509.KeyUsage(**{kind: allowed.get(kind, False) for kind in kinds})

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)  # clocks differ
    end = begin + datetime.timedelta(days=365 * _YEARS)

    def certificate(
        role: str, public: ec.EllipticCurvePublicKey, limits: x509.BasicConstraints
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(name(role)).issuer_name(name("root")).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        builder = builder.add_extension(limits, critical=True)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)

    root = certificate("root", root_key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
    root = root.add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
    leaf = certificate("signer", key.public_key(), x509.BasicConstraints(ca=False, path_length=None))
    leaf = leaf.add_extension(usage(digital_signature=True), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    pem = serialization.Encoding.PEM
    signed = [one.sign(root_key, hashes.SHA256()).public_bytes(pem) for one in (leaf, root)]
    return b"".join(signed), key
