"""Signatures: who made a file, for those who publish.

A seal says that a file is whole; anyone can seal what they forged. A signature (Ed25519,
`RFC 8032`_) needs the secret key of the person whose public key the reader has from elsewhere. It
is of the SHA-256 of all bytes of the file, and lies beside it as ``FILE.sig``: one line of Base64.
Keys are PEM files, as OpenSSL makes them::

    openssl genpkey -algorithm ed25519 -out secret.pem
    openssl pkey -in secret.pem -pubout -out public.pem

.. _RFC 8032: https://www.rfc-editor.org/rfc/rfc8032
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from tengri.errors import ConfigError, DataError
from tengri.io import atomic, seal
from tengri.io.regular import check_regular

#: What is signed begins with these bytes, so that no signature of something else fits.
PURPOSE = b"tengri file, SHA-256: "
#: A key or a signature is no larger.
MAX_BYTES = 1 << 14


def sign(path: Path, secret_key: Path) -> Path:
    """Write the signature of a file beside it, and return where.

    Parameters
    ----------
    path : Path
        Any file; an artefact as a rule.
    secret_key : Path
        Ed25519, PEM, without a passphrase.

    Raises
    ------
    ConfigError
        No ``cryptography``, or a file that holds no such key.
    DataError
        A file that is missing, or a signature that cannot be written.
    """
    key = _secret(secret_key)
    signature = base64.b64encode(key.sign(_message(path))).decode()
    beside = signature_of(path)
    atomic.write_text(beside, signature + "\n")
    return beside


def check(path: Path, public_key: Path) -> None:
    """Raise unless a file carries the signature of the owner of a key.

    Parameters
    ----------
    path : Path
        The file; its signature is read from ``FILE.sig``.
    public_key : Path
        Ed25519, PEM.

    Raises
    ------
    ConfigError
        No ``cryptography``, or a file that holds no such key.
    DataError
        No signature, one that is damaged, or one that this key did not make of this file.
    """
    key, beside = _public(public_key), signature_of(path)
    try:
        text = _small(beside).strip()
        signature = base64.b64decode(text, validate=True)
        if base64.b64encode(signature) != text:
            raise binascii.Error("Base64 that no encoder writes")
    except FileNotFoundError:
        raise DataError(f"{path} is not signed: {beside.name} is missing beside it.") from None
    except (OSError, binascii.Error) as error:
        raise DataError(f"{beside}: no signature ({error}).") from None
    if not _fits(key, signature, _message(path)):
        raise DataError(
            f"{path}: the signature {beside.name} is not that of the owner of {public_key} for "
            "this file. It was changed, or made by someone else: do not use it."
        )


def signature_of(path: Path) -> Path:
    """Return where the signature of a file is."""
    return path.with_name(path.name + ".sig")


def _message(path: Path) -> bytes:
    try:
        return PURPOSE + seal.file_sha256(path).encode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({atomic.os_reason(error)}).") from None


def _fits(key: Any, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _secret(path: Path) -> Any:
    serialization, ed25519 = _library()
    load = lambda data: serialization.load_pem_private_key(data, password=None)  # noqa: E731
    return _key(path, load, ed25519.Ed25519PrivateKey, "secret")


def _public(path: Path) -> Any:
    serialization, ed25519 = _library()
    return _key(path, serialization.load_pem_public_key, ed25519.Ed25519PublicKey, "public")


def _key(path: Path, load: Any, kind: type, word: str) -> Any:
    try:
        key = load(_small(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({atomic.os_reason(error)}).") from None
    except (TypeError, ValueError):  # TypeError: it has a passphrase
        key = None
    if not isinstance(key, kind):
        raise ConfigError(
            f"{path}: no {word} Ed25519 key in PEM without a passphrase. `openssl genpkey "
            "-algorithm ed25519 -out secret.pem` makes a secret one, `openssl pkey -in secret.pem "
            "-pubout -out public.pem` its public part."
        )
    return key


def _small(path: Path) -> bytes:
    check_regular(path)
    with open(path, "rb") as file:
        return file.read(MAX_BYTES)


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise ConfigError(
            "Signatures need the package cryptography: pip install 'tengri-sed[sign]'."
        ) from None
    return serialization, ed25519
