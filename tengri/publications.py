"""Published files: names, addresses, sizes and digests; fetched once, verified, kept.

``publications.json`` holds the address that all files have in common (a maintainer sets it once,
for example ``https://zenodo.org/records/0000000/files``) and one entry for each file. The files
are kept in ``~/.cache/tengri/files``; what is there is used without a network.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tengri.errors import ConfigError, DataError, unknown
from tengri.io.cache import user_cache
from tengri.io.download import download
from tengri.io.seal import file_sha256

REGISTRY = Path(__file__).with_name("publications.json")
#: Another address of the files: a mirror.
ENVIRONMENT = "TENGRI_FILES_URL"


@dataclass(frozen=True)
class PublishedFile:
    """One published file.

    Attributes
    ----------
    name : str
        By which it is loaded.
    file : str
        Its name at the address.
    n_bytes : int
    sha256 : str
        Hexadecimal.
    kind : str
        ``surrogate`` or ``grid``.
    """

    name: str
    file: str
    n_bytes: int
    sha256: str
    kind: str

    @classmethod
    def of(cls, name: str, path: Path, kind: str) -> PublishedFile:
        """Return the entry of a file on disk, as ``NAME.h5`` at the address."""
        size = path.stat().st_size
        return cls(name, f"{name}{path.suffix}", size, file_sha256(path), kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as the registry holds it under its name."""
        return {"file": self.file, "bytes": self.n_bytes, "sha256": self.sha256, "kind": self.kind}

    @property
    def kept(self) -> Path:
        """Where it is kept once it was fetched."""
        return user_cache() / "files" / self.file


@cache
def _registry(path: Path) -> tuple[str, dict[str, PublishedFile]]:
    data = json.loads(path.read_text("utf-8"))
    found = {}
    for name, entry in data["files"].items():
        facts = (entry[key] for key in ("file", "bytes", "sha256", "kind"))
        found[name] = PublishedFile(name, *facts)
    return str(data["address"]), found


def files() -> dict[str, PublishedFile]:
    """Return every published file by name."""
    return _registry(REGISTRY)[1]


def address() -> str:
    """Return where the files are, without a slash at the end.

    Raises
    ------
    ConfigError
        No address has been set.
    """
    found = os.environ.get(ENVIRONMENT) or _registry(REGISTRY)[0]
    if not found:
        raise ConfigError(
            f"The published files have no address yet: set {ENVIRONMENT} to that of a mirror, or "
            f"'address' in {REGISTRY}. Surrogates that come with the package need none."
        )
    return found.rstrip("/")


def fetched(name: str, output: str | Path | None = None) -> Path:
    """Return a published file: the one that is kept, else fetched and verified.

    An interrupted transfer goes on where it was, in a later call too.

    Parameters
    ----------
    name : str
    output : path, optional
        Put it there and not where files are kept.

    Raises
    ------
    UnknownNameError
        No such name.
    ConfigError
        No address, and the file is not kept.
    DataError
        The transfer fails, or what arrives is not the file.
    """
    known = files()
    if name not in known:
        raise unknown("published file", name, known)
    entry = known[name]
    target = entry.kept if output is None else Path(output)
    if _is_there(entry, target):
        return target
    try:
        return download(f"{address()}/{entry.file}", target, sha256=entry.sha256)
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{target}: cannot be written ({error}).") from error


def _is_there(entry: PublishedFile, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != entry.n_bytes:
        return False
    return file_sha256(path) == entry.sha256
