"""The kinds that ``tengri list`` knows of this package, read off the registries."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def instruments() -> list[Row]:
    """Return factory, bands and purpose of every instrument."""
    from tengri.observation.instrument import INSTRUMENTS

    return [{"instrument": key, "description": entry.description, "bands": entry.filter_names}
            for key, entry in INSTRUMENTS.items()]  # fmt: skip


def spectrographs() -> list[Row]:
    """Return factory, pixels, resolving power and purpose of every spectrograph."""
    from tengri.observation.spectrographs import SPECTROGRAPHS

    rows = []
    for key, entry in SPECTROGRAPHS.items():
        pixels = entry.spectrograph()
        low, high = pixels.resolution.min(), pixels.resolution.max()
        rows.append({"spectrograph": key, "pixels": len(pixels), "R": f"{low:.0f}–{high:.0f}",
                     "description": entry.description, "source": entry.reference})  # fmt: skip
    return rows


def filters() -> list[Row]:
    """Return name, pivot and width [Å] of every curve; those of speclite take a second to load."""
    from tengri.observation.filters import collection, filter_names, load_filter

    rows = []
    for name in filter_names():
        source = collection(name)
        curve = load_filter(name) if source == "sedpy" else None
        pivot, width = (curve.pivot, curve.effective_width) if curve else (None, None)
        rows.append({"filter": name, "pivot [Å]": pivot, "width [Å]": width, "from": source})
    return rows


def sfh() -> list[Row]:
    """Return the families of star-formation histories."""
    from tengri.components.stellar.sfh import SFH_FAMILIES

    return [{"family": f.name, "kind": f.kind, "reference": f.reference,
             "parameters": [p.name for p in f.params]} for f in SFH_FAMILIES.values()]  # fmt: skip


def dust() -> list[Row]:
    """Return attenuation laws and dust emission models."""
    return _components("dust")


def agn() -> list[Row]:
    """Return the models of active nuclei."""
    return _components("agn")


def igm() -> list[Row]:
    """Return the models of the intergalactic medium."""
    return _components("igm")


def metallicity() -> list[Row]:
    """Return the metallicity histories."""
    return _components("metallicity")


def nebular() -> list[Row]:
    """Return the models of nebular emission, and of the escape of Lyα."""
    return _components("nebular")


def _components(family: str) -> list[Row]:
    """Return the components of a family; where it is several kinds, with the setting of each."""
    from tengri.components.composition import KINDS

    kinds = [kind for kind in KINDS if kind.family == family]
    return [{family: c.name, **({"setting": kind.chosen_by[0]} if len(kinds) > 1 else {}),
             "reference": c.reference, "parameters": [p.name for p in getattr(c, "params", ())]}
            for kind in kinds for c in kind.registry.values()]  # fmt: skip


def lines() -> list[Row]:
    """Return the emission lines: those of gas, then those of nuclei."""
    from tengri.components.agn import AGN_MODELS
    from tengri.components.stellar.nebular import NEBULAR_MODELS

    listed = [("gas", model.table().line_list) for model in NEBULAR_MODELS.values()]
    listed += [("nucleus", model.lines.line_list) for model in AGN_MODELS.values() if model.lines]
    rows = {name: {"line": name, "vacuum wavelength [Å]": wave, "of": of}
            for of, known in listed for name, wave in zip(known.names, known.waves)}  # fmt: skip
    return list(rows.values())


def parameters() -> list[Row]:
    """Return every parameter of every component."""
    from tengri.components.composition import registered_params

    return [{"parameter": p.name, "default": p.default, "prior": repr(p.prior), "bounds": p.bounds,
             "unit": p.unit, "family": p.family, "role": p.role, "description": p.description}
            for p in registered_params().values()]  # fmt: skip


def settings() -> list[Row]:
    """Return every setting and its choices."""
    from tengri.components.composition import SETTINGS

    return [{"setting": s.name, "default": s.default, "description": s.description,
             "choices": list(s.choices()) if s.choices else []}
            for s in SETTINGS.values()]  # fmt: skip


def units() -> list[Row]:
    """Return the flux units."""
    from tengri.forward.units import UNITS

    return [{"unit": name} for name in UNITS]


def published() -> list[Row]:
    """Return the published files that can be fetched, and which are kept already."""
    from tengri import publications

    return [{"name": entry.name, "kind": entry.kind, "MB": round(entry.n_bytes / 1e6, 2),
             "kept": str(entry.kept) if entry.kept.is_file() else "", "sha256": entry.sha256}
            for entry in publications.files().values()]  # fmt: skip
