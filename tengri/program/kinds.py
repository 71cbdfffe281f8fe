"""The kinds that ``tengri list`` knows of this package, read off the registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]


def instruments() -> list[Row]:
    """Return factory, bands and purpose of every instrument."""
    from tengri.observation.instrument import INSTRUMENTS

    return [{"instrument": key, "description": entry.description, "bands": entry.filter_names}
            for key, entry in INSTRUMENTS.items()]  # fmt: skip


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
    from tengri.components.dust.attenuation import LAWS
    from tengri.components.dust.emission import EMISSION_MODELS

    laws = _components("dust", LAWS, setting="dust_law")
    return laws + _components("dust", EMISSION_MODELS, setting="dust_emission")


def agn() -> list[Row]:
    """Return the models of active nuclei."""
    from tengri.components.agn import AGN_MODELS

    return _components("agn", AGN_MODELS)


def igm() -> list[Row]:
    """Return the models of the intergalactic medium."""
    from tengri.components.igm import IGM_MODELS

    return _components("igm", IGM_MODELS)


def metallicity() -> list[Row]:
    """Return the metallicity histories."""
    from tengri.components.stellar.metallicity import METALLICITY_HISTORIES

    return _components("metallicity", METALLICITY_HISTORIES)


def nebular() -> list[Row]:
    """Return the models of nebular emission, and of the escape of Lyα."""
    from tengri.components.stellar.lyman_alpha import LYA_ESCAPES
    from tengri.components.stellar.nebular import NEBULAR_MODELS

    gas = _components("nebular", NEBULAR_MODELS, setting="nebular")
    return gas + _components("nebular", LYA_ESCAPES, setting="lya_escape")


def _components(kind: str, registry: Mapping[str, Any], **more: str) -> list[Row]:
    return [{kind: c.name, **more, "reference": c.reference,
             "parameters": [p.name for p in getattr(c, "params", ())]}
            for c in registry.values()]  # fmt: skip


def parameters() -> list[Row]:
    """Return every parameter of every component."""
    from tengri.components.composition import registered_params

    return [{"parameter": p.name, "default": p.default, "prior": repr(p.prior), "bounds": p.bounds,
             "unit": p.unit, "description": p.description}
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
