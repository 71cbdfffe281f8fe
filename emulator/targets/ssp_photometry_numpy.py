"""What an exported age kernel finds beside its network: ages, curves of attenuation, templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array

from emulator.analytic.dust import STEP, DustIntegrals
from emulator.analytic.source import LOG10_PER_HZ
from emulator.targets.age_kernel import LOG10_UNIT
from emulator.targets.attenuation import DEEPEST, HEATING_AA, LN_NODES, THINNEST
from emulator.targets.numpy_part import NumPyPart
from tengri.components.dust.attenuation import DustLaw
from tengri.components.dust.attenuation.law import LYMAN_LIMIT_AA
from tengri.components.dust.emission import dl07
from tengri.errors import ConfigError
from tengri.forward.exact_evaluators import redshift_range
from tengri.forward.galaxy import AgeBins, Stars
from tengri.observation import Photometry
from tengri.parameters import Parameters


def part(
    laws: tuple[DustLaw, DustLaw], spec: Parameters, photometry: Photometry, age_edges: np.ndarray
) -> NumPyPart:
    """Return code, arrays and facts of a kernel behind dust of two attenuation laws.

    Raises
    ------
    ConfigError
        A dust law or dust emission that the NumPy file does not know.
    """
    edges = AgeBins.split(np.asarray(age_edges)).edges
    arrays = {"age_edges": edges, "ln_nodes": LN_NODES, **_laws(laws)}
    facts: dict[str, Any] = {"log10_unit": LOG10_UNIT, "deepest": DEEPEST, "thinnest": THINNEST,
                             "heating_aa": HEATING_AA}  # fmt: skip
    emission = spec.composition.dust_emission
    if emission is not None:
        dust = DustIntegrals.build(emission, photometry.filters, *redshift_range(spec))
        arrays |= {f"dust/{name}": array for name, array in _dust(emission, dust).items()}
        if dust is not None:
            facts["dust"] = {"band": dust.band, "first": dust.first, "step": STEP}
    params = emission.params if emission is not None else ()
    code = Path(__file__).with_name("ssp_photometry_standalone.py")
    bounds = {param.name: param.bounds for param in params}
    return NumPyPart(code, arrays, facts, tuple(bounds), bounds)


def _laws(laws: tuple[DustLaw, DustLaw]) -> dict[str, np.ndarray]:
    """Return the curves of attenuation on the nodes, where they depend on no parameter.

    Of a power law the wavelengths whose powers it has there: it may be constant at the blue end.
    """
    out = {}
    for which, law in zip(("bc", "diff"), laws):
        if not law.params:
            out[f"law/{which}"] = np.asarray(law.curve(np.exp(LN_NODES), {}), np.float64)
        elif law.name != "power_law":
            raise ConfigError(
                f"The dust law {law.name!r} has parameters of its own, which the NumPy file does "
                "not know: it can be exported with power_law, or with a law that has none."
            )
        else:
            held = np.log(LYMAN_LIMIT_AA) if law.held else -np.inf
            out[f"ln_powers/{which}"] = np.maximum(LN_NODES, held)
    return out


def _dust(emission: Any, dust: DustIntegrals | None) -> dict[str, np.ndarray]:
    """Return the templates of the dust, and the matrix that takes them to the bands."""
    if emission.name != dl07.DL07.name:
        raise ConfigError(
            f"The dust emission {emission.name!r} is a formula that the NumPy file does not know: "
            f"it can be exported with {dl07.DL07.name}."
        )
    if emission.grid is None:
        raise ConfigError(
            "Dust before the microwave background (cmb=…) is a formula that the NumPy file does "
            "not know: it can be exported with cmb='none'."
        )
    if dust is None:
        return {}
    table = dl07.table(emission)
    shapes = np.stack([table.at(lnu, dust.rest) / table.power(lnu)[..., None]
                       for lnu in (table.umin_only, table.umin_umax)])  # fmt: skip
    return {
        "matrix": dust.matrix, "shapes": shapes * 10.0**-LOG10_PER_HZ, "qpah": table.qpah,
        "ln_umin": np.log(table.umin), "ratio": table.ratio,
    }  # fmt: skip


def formed(p: Mapping[str, Array], stars: Stars) -> np.ndarray:
    """Return the masses formed in each bin of age [Msun], (n, n_bins)."""
    log10_mass, ages = jax.jit(jax.vmap(stars.formed))(p)
    return 10.0 ** np.asarray(log10_mass, float)[:, None] * np.asarray(ages, float)
