"""What a surrogate needs to be published: file, card, digests, registry entry, DOI metadata."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from emulator import artefact as artefacts
from emulator import published, verification
from emulator.artefact import Artefact
from tengri import __version__
from tengri.errors import ConfigError, DataError
from tengri.io import atomic
from tengri.io.seal import file_sha256
from tengri.publications import PublishedFile

ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
LICENCE = "cc-by-4.0"


class Prepared(NamedTuple):
    """The folder that was written, and its files."""

    folder: Path
    files: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(f"{self.folder / name}" for name in self.files)


def prepare(
    run: str | Path, folder: str | Path, name: str, authors: list[str], licence: str = LICENCE
) -> Prepared:
    """Write what a repository of files wants of a surrogate, after verifying it.

    ``NAME.h5``, ``NAME.md`` (the card), ``NAME.json`` (its entry of the registry of published
    files), ``zenodo.json`` (metadata as Zenodo's deposit interface takes them, which mints the
    DOI) and ``SHA256SUMS`` (as ``sha256sum -c`` reads it).

    Parameters
    ----------
    run : path or str
        A run folder, a surrogate, or a published name.
    folder : path
        Made if it is not there.
    name : str
        By which it is to be loaded.
    authors : list of str
        ``Family, Given; affiliation; ORCID``, the last two optional.
    licence : str
        As Zenodo abbreviates it.

    Raises
    ------
    ConfigError
        No author, one of another form, a name that is none of a file.
    DataError
        A damaged surrogate, one without a card, or files that cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"{name!r} is no name of a file: letters, digits, _ and - only.")
    creators = [_creator(author) for author in authors]
    if not creators:
        raise ConfigError("Who made it? Give --author 'Family, Given; affiliation; ORCID'.")
    source, out = published.resolve(run), Path(folder)
    verification.verify(source)
    artefact = artefacts.read(source)
    if not artefact.card:
        raise DataError(f"{source}: has no card; only finished runs are published.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
    except OSError as error:
        raise DataError(f"{out}: {atomic.os_reason(error)}.") from error
    atomic.write_bytes(out / f"{name}.h5", data)
    entry = PublishedFile.of(name, out / f"{name}.h5", "surrogate")
    atomic.write_text(out / f"{name}.md", artefact.card)
    atomic.write_text(out / f"{name}.json", _json({name: entry.to_dict()}))
    atomic.write_text(out / "zenodo.json", _json(_zenodo(artefact, name, creators, licence)))
    files = (f"{name}.h5", f"{name}.md", f"{name}.json", "zenodo.json")
    sums = "".join(f"{file_sha256(out / file)}  {file}\n" for file in files)
    atomic.write_text(out / "SHA256SUMS", sums)
    return Prepared(out, (*files, "SHA256SUMS"))


def _creator(text: str) -> dict[str, str]:
    """Return ``Family, Given; affiliation; ORCID`` as Zenodo takes it."""
    name, *more = (part.strip() for part in text.split(";"))
    found = {"name": name}
    for part in filter(None, more):
        found["orcid" if ORCID.fullmatch(part) else "affiliation"] = part
    if not re.fullmatch(r"[^,]+,\s*[^,]+", name) or len(more) > 2:
        raise ConfigError(f"{text!r}: write an author as 'Family, Given; affiliation; ORCID'.")
    return found


def _zenodo(
    artefact: Artefact, name: str, creators: list[dict[str, str]], licence: str
) -> dict[str, Any]:
    bands = ", ".join(artefact.band_names)
    pooled = artefact.accuracy.get("pooled", {})
    errors = ", ".join(f"{pooled[q]:.2f} mmag at {q[1:]} %" for q in ("p50", "p95", "p99")
                       if q in pooled)  # fmt: skip
    text = (
        f"A neural surrogate of tengri's exact model of galaxy photometry in {bands}, on the "
        f"stellar grid {artefact.ssp['name']}. Differences from the exact model: {errors}. "
        f"Load it with tengri.load_model('{name}.h5'); {name}.md is its card."
    )
    return {
        "metadata": {
            "title": f"tengri surrogate {name}",
            "upload_type": "dataset",
            "description": f"<p>{html.escape(text)}</p>",
            "creators": creators,
            "keywords": ["astronomy", "galaxies", "spectral energy distribution", "emulator"],
            "access_right": "open",
            "license": licence,
            "version": __version__,
            "notes": f"SHA-256 of the file's contents behind its seal: {artefact.sha256}",
        }
    }


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
