"""The references of a model, as BibTeX.

Components, grids and instruments carry their references as text ("Charlot & Fall 2000, ApJ 539,
718"). Journal, volume and page (or the arXiv number) find the entry in ``citations.bib``; a
work that is not there becomes an entry of what the text says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_suffix(".bib")

_JOURNALS = "ApJS|ApJ|MNRAS|ARA&A|A&A|AJ|PASP|PASJ|RMxAA|QJRAS|Nature"
_PAPER = re.compile(rf"({_JOURNALS}) (\d+), ([A-Z]?\d+)")
_PREPRINT = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_AUTHOR_YEAR = re.compile(r"([A-Z][^\W\d_]+)[^;\d]*((?:19|20)\d\d)")
_ENTRY = re.compile(r"@\w+\{([^,]+),.*?\n\}\n", re.S)


class Cited(NamedTuple):
    """One thing that is cited: what it is, and the text of its reference or a key."""

    what: str
    reference: str


@cache
def entries() -> dict[str, str]:
    """Return the text of every BibTeX entry by key."""
    text = FILE.read_text(encoding="utf-8")
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}


def bibtex(reference: str) -> dict[str, str]:
    """Return the BibTeX entries of a reference text by key; none where it names no work."""
    if reference in entries():
        return {reference: entries()[reference]}
    found = (_one(part) for part in reference.split(";"))
    return {key: text for key, text in filter(None, found)}


def _one(part: str) -> tuple[str, str] | None:
    paper, preprint, who = (p.search(part) for p in (_PAPER, _PREPRINT, _AUTHOR_YEAR))
    if paper:
        wanted = {"journal": paper[1].replace("&", r"\&"), "volume": paper[2], "pages": paper[3]}
    elif preprint:
        wanted = {"eprint": preprint[1]}
    else:
        key = f"{who[1]}{who[2]}" if who else ""
        return (key, entries()[key]) if key in entries() else None
    for key, text in entries().items():
        if all(f" {name} = {{{value}}}" in text for name, value in wanted.items()):
            return key, text
    return _made(part, who, wanted)


def _made(part: str, who: re.Match[str] | None, fields: dict[str, str]) -> tuple[str, str]:
    """Compose an entry from the reference itself."""
    kind = "article" if "journal" in fields else "misc"
    more = {"author": f"{who[1]} and others", "year": who[2]} if who else {"note": part.strip()}
    archive = {"archivePrefix": "arXiv"} if kind == "misc" else {}
    key = f"{who[1]}{who[2]}" if who else "".join(filter(str.isalnum, "".join(fields.values())))
    lines = [f"  {name} = {{{value}}}," for name, value in {**more, **fields, **archive}.items()]
    return key, "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def cited(model: Any) -> Iterator[Cited]:
    """Yield the references of a model: software, grid, components, cosmology, bands, spectra."""
    for name in ("tengri", *model.software):
        yield Cited("software", name)
    yield from _grid(model.ssp_name)
    yield from _components(model.spec.composition)
    yield from _cosmology(model.cosmology)
    yield from _bands(model.filter_names)
    yield from _spectra(model)


def _grid(name: str) -> Iterator[Cited]:
    """Yield what the attributes of the grid's own file say."""
    from tengri.errors import DataError
    from tengri.grids import files
    from tengri.io import hdf5_reader, seal

    try:
        path = files.resolve(f"{name}.h5")
    except DataError:
        yield Cited(f"SSP grid {name}, which is not here: cite its source", "")
        return
    if files.is_embedded(path) or seal.is_sealed(path):
        seal.verify(path)
    with hdf5_reader.open_hdf5(path) as file:
        said = hdf5_reader.attributes(file)
    yield Cited(f"SSP grid {name}", str(said.get("citation", "")))
    yield Cited("initial mass function", str(said.get("imf", "")))


def _components(composition: Any) -> Iterator[Cited]:
    from tengri.components.composition import PARTS
    from tengri.components.dust.screen import REFERENCE
    from tengri.components.stellar.sfh import SFH_FAMILIES

    for name in composition.sfh.types:
        yield Cited(f"{PARTS['sfh']} {name}", SFH_FAMILIES[name].reference)
    unused = set() if composition.has_stars else {"metallicity", "dust_bc"}
    if composition.has_stars or composition.agn_screened:
        yield Cited("two-component dust", REFERENCE)
    else:
        unused |= {"dust_diff"}
    for part, what in PARTS.items():
        component = getattr(composition, part)
        if part not in {"sfh", *unused} and component is not None:
            yield Cited(f"{what} {component.name}", component.reference)


def _cosmology(cosmology: Any) -> Iterator[Cited]:
    from tengri.cosmology import REFERENCE, default_cosmology

    if cosmology == default_cosmology():
        yield Cited("cosmology", REFERENCE)


def _bands(names: tuple[str, ...]) -> Iterator[Cited]:
    """Yield the papers of the instruments that the bands belong to, and the collections."""
    from tengri.observation.filters import collection
    from tengri.observation.instrument import INSTRUMENTS

    for source in sorted({source for name in names if (source := collection(name))}):
        yield Cited("filter curves", source)
    for entry in INSTRUMENTS.values():
        if any(name.startswith(entry.prefix) for name in names):
            yield Cited(f"bands of {entry.name}", entry.reference)


def _spectra(model: Any) -> Iterator[Cited]:
    """Yield the papers of the spectrographs of an observation, and of the method of a surrogate."""
    from tengri.observation.spectrographs import SPECTROGRAPHS

    for one in model.observation.spectrographs:
        if one.name in SPECTROGRAPHS:
            yield Cited(f"pixels of {one.name}", SPECTROGRAPHS[one.name].reference)
    for what, reference in getattr(model, "methods", {}).items():
        yield Cited(what, reference)
