"""Published files: known by name, fetched once, verified, kept, and used without a network."""

from __future__ import annotations

import hashlib
import json
import subprocess
from functools import partial

import pytest

import emulator
from emulator import publication, published
from emulator.artefact import read
from tengri import publications
from tengri.__main__ import main
from tengri.errors import ConfigError, DataError, UnknownNameError
from tests.tengri.grids.test_fetch import Server, server  # noqa: F401  (a fixture)
from tools.registry import entries


@pytest.fixture
def registry(monkeypatch, tmp_path, server: Server):  # noqa: F811
    """A registry with one file, which the server has, and an empty cache."""
    file = published.resolve("sdss_tsnorm")
    server.content = file.read_bytes()
    entry = publications.PublishedFile("mine", "mine.h5", len(server.content),
                                       hashlib.sha256(server.content).hexdigest(),
                                       "surrogate")  # fmt: skip
    path = tmp_path / "publications.json"
    path.write_text(json.dumps({"address": "", "files": {"mine": entry.to_dict()}}))
    monkeypatch.setattr(publications, "REGISTRY", path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(publications.ENVIRONMENT, f"http://127.0.0.1:{server.server_port}/")
    return path


def test_the_registry_knows_what_the_repository_has():
    known = json.loads(publications.REGISTRY.read_text())["files"]
    stale = [name for name, entry in entries().items() if known.get(name) != entry]
    assert not stale, f"run python -m tools.registry: {stale}"


def test_a_name_is_fetched_once_and_works_offline(registry, server, capsys):  # noqa: F811
    server.breaks = 1  # it goes on where it was interrupted
    first = emulator.load("mine")
    assert server.requests[0] is None and server.requests[1].startswith("bytes=")
    assert first.artefact.sha256 == read(published.resolve("sdss_tsnorm")).sha256
    asked = len(server.requests)
    assert emulator.load("mine").identity() == first.identity()
    assert main(["data", "fetch", "mine"]) == 0 and "mine.h5" in capsys.readouterr().out
    assert len(server.requests) == asked
    assert main(["list", "published", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["kept"].endswith("mine.h5") and row["MB"] == pytest.approx(0.36, abs=0.01)


def test_what_arrives_is_verified_and_what_is_kept_is_looked_at_again(registry, server):  # noqa: F811
    good, server.content = server.content, server.content[:-1] + b"x"
    with pytest.raises(DataError, match="SHA-256"):
        publications.fetched("mine")
    server.content = good
    kept = publications.fetched("mine")
    kept.write_bytes(b"damaged" + good[7:])
    assert publications.fetched("mine").read_bytes() == good


def test_names_and_addresses_that_are_missing(registry, monkeypatch, capsys):
    with pytest.raises(UnknownNameError, match="Did you mean mine"):
        publications.fetched("minn")
    with pytest.raises(DataError, match="mine"):
        emulator.load("minne")
    monkeypatch.delenv(publications.ENVIRONMENT)
    with pytest.raises(ConfigError, match="no address yet"):
        emulator.load("mine")
    assert main(["data", "fetch", "mine", "--sha256", "00"]) == 1
    assert "--sha256 is for addresses" in capsys.readouterr().err


def test_publish_prepares_what_goes_there(registry, tmp_path, capsys, server):  # noqa: F811
    out = tmp_path / "upload"
    words = ["publish", "sdss_tsnorm", "--name", "mine", "-o", str(out), "--author",
             "Doe, Jane; Institute; 0000-0001-2345-678X"]  # fmt: skip
    assert main(words) == 0
    assert len(capsys.readouterr().out.split()) == 5
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    known = json.loads(registry.read_text())["files"]
    assert json.loads((out / "mine.json").read_text()) == known
    metadata = json.loads((out / "zenodo.json").read_text())["metadata"]
    assert metadata["creators"] == [{"name": "Doe, Jane", "affiliation": "Institute",
                                     "orcid": "0000-0001-2345-678X"}]  # fmt: skip
    assert {"title", "upload_type", "description", "license", "version"} <= set(metadata)
    assert "sdss_u" in metadata["description"] and "mmag at 99 %" in metadata["description"]
    assert (out / "mine.md").read_text().startswith("# Surrogate")


@pytest.mark.parametrize(("name", "authors", "words"), [
    ("mine", [], "Who made it"), ("a/b", ["Doe, Jane"], "no name of a file"),
    ("mine", ["Jane Doe"], "Family, Given"),
])  # fmt: skip
def test_publish_refuses(name, authors, words, tmp_path):
    prepare = partial(publication.prepare, "sdss_tsnorm", tmp_path / "out")
    with pytest.raises(ConfigError, match=words):
        prepare(name, authors)
    assert not (tmp_path / "out").exists()
