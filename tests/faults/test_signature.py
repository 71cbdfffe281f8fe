"""A signature is of one file by one key: whatever else is there does not pass."""

from __future__ import annotations

import json
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from emulator import published
from tengri.__main__ import main


def pem(key, path, passphrase=None):
    """Write a key's secret and public parts as OpenSSL does."""
    locked = (serialization.BestAvailableEncryption(passphrase) if passphrase
              else serialization.NoEncryption())  # fmt: skip
    secret, public = path / "secret.pem", path / "public.pem"
    secret.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))  # fmt: skip
    public.write_bytes(key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip
    return secret, public


@pytest.fixture
def signed(tmp_path):
    """A published surrogate with its signature, and the public key."""
    file = tmp_path / "surrogate.h5"
    shutil.copy(published.resolve("sdss_tsnorm"), file)
    secret, public = pem(ed25519.Ed25519PrivateKey.generate(), tmp_path)
    assert main(["sign", str(file), "--key", str(secret), "--quiet"]) == 0
    return file, public


def verdict(file, public, capsys):
    """Return exit code and the check of the signature."""
    code = main(["verify", str(file), "--public-key", str(public), "--json"])
    checks = json.loads(capsys.readouterr().out)
    return code, next(check for check in checks if check["name"] == "signature")


def test_the_owner_s_signature_passes(signed, capsys):
    code, check = verdict(*signed, capsys)
    assert code == 0 and check["state"] == "ok"


def test_any_changed_byte_of_the_file_fails_even_sealed_anew(signed, capsys):
    from tengri.io import seal

    file, public = signed
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    seal.seal(file)  # what a forger would do
    code, check = verdict(file, public, capsys)
    assert code == 1 and "changed, or made by someone else" in check["found"]


@pytest.mark.parametrize("place", [*range(0, 88, 16), 85, 86, 87])
def test_any_changed_byte_of_the_signature_fails(signed, capsys, place):
    file, public = signed
    beside = file.with_name("surrogate.h5.sig")
    text = bytearray(beside.read_bytes())
    text[place] += 1 if text[place] not in b"=Zz9+" else -1
    beside.write_bytes(text)
    code, check = verdict(file, public, capsys)
    assert code == 1 and check["state"] != "ok"


def test_a_signature_of_another_file_or_by_another_key_fails(signed, tmp_path, capsys):
    file, public = signed
    other = tmp_path / "other.h5"
    shutil.copy(published.resolve("lsst"), other)
    shutil.copy(file.with_name("surrogate.h5.sig"), other.with_name("other.h5.sig"))
    assert verdict(other, public, capsys)[0] == 1
    (tmp_path / "else").mkdir()
    _, foreign = pem(ed25519.Ed25519PrivateKey.generate(), tmp_path / "else")
    assert verdict(file, foreign, capsys)[0] == 1


def test_no_signature_fails(signed, capsys):
    file, public = signed
    file.with_name("surrogate.h5.sig").unlink()
    code, check = verdict(file, public, capsys)
    assert code == 1 and "is not signed" in check["found"]


@pytest.mark.parametrize("kind", ["missing", "empty", "public", "locked", "another kind", "noise"])
def test_a_key_that_is_none_is_one_clear_line(signed, tmp_path, kind, capsys):
    file, public = signed
    place = tmp_path / "keys"
    place.mkdir()
    key = place / "secret.pem"
    if kind == "locked":
        pem(ed25519.Ed25519PrivateKey.generate(), place, b"word")
    elif kind == "another kind":
        pem(ec.generate_private_key(ec.SECP256R1()), place)
    elif kind == "public":
        shutil.copy(public, key)
    elif kind != "missing":
        key.write_bytes(b"" if kind == "empty" else bytes(range(256)))
    assert main(["sign", str(file), "--key", str(key)]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and "secret.pem" in said[0]
