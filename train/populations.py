"""Populations of galaxies on which surrogates are judged, by name or from a file.

*smooth*   delayed-τ histories, τ_diff exponential with mean 0.3, τ_bc = 0.5–2 τ_diff, log Z normal
           (−0.3, 0.3), slope normal (−0.7, 0.2)
*bursty*   an old population, constant star formation and a burst, behind the same dust
*young*    all stars 1–5 Myr old, no dust
*spike*    stars of one age, 1 Myr to 5.5 Gyr; metals and every parameter of dust at an end
*laws*     *smooth* behind each attenuation law of the registry, its parameters drawn from their
           priors; a surrogate that has learnt one law does not answer
*prior*    the surrogate's own prior

Draws are cut at the surrogate's box; redshifts are uniform in it; dust shines as it does in the
prior, if it does there. A file is a catalogue whose
columns are parameters: it is answered under the surrogate's own components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from emulator.surrogate import EmulatedSEDModel
from emulator.verification import evaluate
from tengri import Parameters
from tengri.catalogue.table import FORMATS, open_table
from tengri.components.dust.attenuation import LAWS
from tengri.errors import ConfigError, DataError, unknown

Draws = dict[str, np.ndarray]
Draw = Callable[[np.random.Generator, int], Draws]


@dataclass(frozen=True)
class Group:
    """Galaxies with one set of components: settings of their spec, and how they are drawn."""

    components: Mapping[str, Any]
    draw: Draw


@dataclass(frozen=True)
class Judged:
    """Galaxies and what both models say of them, fluxes (n, n_bands) in maggies."""

    model: EmulatedSEDModel
    params: Draws
    exact: np.ndarray
    emulated: np.ndarray


# --- who they are -----------------------------------------------------------------------------


def dust(rng: np.random.Generator, n: int) -> Draws:
    """Draw metals and dust of ordinary galaxies."""
    diffuse = rng.exponential(0.3, n)
    return {
        "dust_tau_diff": diffuse,
        "dust_tau_bc": diffuse * rng.uniform(0.5, 2.0, n),
        "met_logzsol": rng.normal(-0.3, 0.3, n),
        "dust_slope": rng.normal(-0.7, 0.2, n),
    }


def smooth(rng: np.random.Generator, n: int) -> Draws:
    """Draw delayed-τ histories."""
    tau, age = rng.uniform(0.3, 10.0, n), rng.uniform(1.0, 7.0, n)
    return {"sfh_delayed_tau_gyr": tau, "sfh_delayed_age_gyr": age, **dust(rng, n)}


def bursty(rng: np.random.Generator, n: int) -> Draws:
    """Draw an old population, constant star formation since 0.1–1 Gyr, and a burst."""
    return {
        "sfh_delayed_tau_gyr": rng.uniform(0.3, 1.0, n),
        "sfh_delayed_age_gyr": rng.uniform(4.0, 7.0, n),
        "sfh_delayed_log_total_mass": np.full(n, 10.0),
        "sfh_const_log_total_mass": rng.uniform(8.0, 10.0, n),
        "sfh_const_start_gyr": rng.uniform(0.1, 1.0, n),
        "sfh_burst_log_fburst": rng.uniform(-3.0, -0.5, n),
        "sfh_burst_log_tpeak_myr": rng.uniform(0.0, 2.0, n),
        **dust(rng, n),
    }


def young(rng: np.random.Generator, n: int) -> Draws:
    """Draw stars of one age, 1–5 Myr, without dust."""
    none = np.zeros(n)
    ages = {"sfh_delta_age_gyr": rng.uniform(1e-3, 5e-3, n)}
    return {**ages, **dust(rng, n), "dust_tau_diff": none, "dust_tau_bc": none}


def spike(rng: np.random.Generator, n: int) -> Draws:
    """Draw stars of one age behind dust at the ends of its box."""
    ends = {"met_logzsol": (-2.0, 0.2), "dust_tau_bc": (0.0, 4.0), "dust_tau_diff": (0.0, 3.0),
            "dust_slope": (-1.5, -0.3)}  # fmt: skip
    at_ends = {name: np.where(rng.random(n) < 0.5, *pair) for name, pair in ends.items()}
    return {"sfh_delta_age_gyr": 10.0 ** rng.uniform(-3.0, np.log10(5.5), n), **at_ends}


def behind(law: str, draw: Draw) -> Draw:
    """Return the function that draws the same galaxies behind another law."""

    def drawn(rng: np.random.Generator, n: int) -> Draws:
        galaxies = draw(rng, n)
        del galaxies["dust_slope"]
        return galaxies | {p.name: np.asarray(p.prior.from_unit(rng.random(n)), float)
                           for p in LAWS[law].params}  # fmt: skip

    return drawn


POPULATIONS: dict[str, tuple[Group, ...]] = {
    "smooth": (Group({"mean_sfh_type": "delayed"}, smooth),),
    "bursty": (Group({"mean_sfh_type": ("delayed", "const", "burst")}, bursty),),
    "young": (Group({"mean_sfh_type": "delta"}, young),),
    "spike": (Group({"mean_sfh_type": "delta"}, spike),),
    "laws": tuple(
        Group({"mean_sfh_type": "delayed", "dust_law": law}, behind(law, smooth)) for law in LAWS
    ),
}
PRIOR = "prior"


def check(name: str) -> None:
    """Raise ConfigError unless ``name`` is a population or looks like a catalogue."""
    if name not in (*POPULATIONS, PRIOR) and not name.endswith(tuple(FORMATS)):
        raise unknown("population", name, (*POPULATIONS, PRIOR))


# --- what is said of them ---------------------------------------------------------------------


def judged(surrogate: EmulatedSEDModel, name: str, n: int, seed: int = 0) -> list[Judged]:
    """Return the galaxies of a population in both models, group by group.

    Parameters
    ----------
    surrogate : EmulatedSEDModel
    name : str
        Of ``POPULATIONS``, ``prior``, or the path of a catalogue of parameters.
    n : int
        How many are drawn; of a catalogue the first ones.
    seed : int
        Draws of another seed are others.

    Raises
    ------
    ConfigError
        Unknown population; or the surrogate does not serve its components.
    DataError
        A catalogue that cannot be read.
    """
    check(name)
    if n < 1:
        raise ConfigError(f"A population needs one galaxy or more, got n = {n}.")
    return [_compared(model, params) for model, params in _galaxies(surrogate, name, n, seed)]


def _galaxies(
    surrogate: EmulatedSEDModel, name: str, n: int, seed: int
) -> Iterator[tuple[EmulatedSEDModel, Draws]]:
    if name == PRIOR:
        drawn = surrogate.spec.sample_batch(jax.random.key(seed), n)
        yield surrogate, {k: np.asarray(drawn[k], float) for k in surrogate.spec.free_params}
    elif name in POPULATIONS:
        groups = POPULATIONS[name]
        for group in groups:
            rng = np.random.default_rng([seed, 0])
            yield _bounded(surrogate, group, group.draw(rng, -(-n // len(groups))), seed)
    else:
        yield surrogate, _read(surrogate, Path(name), n)


def _bounded(
    surrogate: EmulatedSEDModel, group: Group, drawn: Draws, seed: int
) -> tuple[EmulatedSEDModel, Draws]:
    """Return the surrogate under a spec of the group, and the draws cut at its box."""
    learnt = surrogate.artefact.spec
    settings, of_dust = _light_of_dust(learnt, len(drawn["met_logzsol"]), seed)
    drawn = {**drawn, **of_dust}
    box = {name: learnt.get_distribution(name).bounds for name in learnt.free_params
           if not name.startswith("sfh_") and (name in drawn or name == "redshift")}  # fmt: skip
    n = len(drawn["met_logzsol"])
    z = np.random.default_rng([seed, 1]).uniform(*box["redshift"], n)
    params: Draws = {name: np.clip(v, *box[name]) if name in box else v
              for name, v in {**drawn, "redshift": z}.items()}  # fmt: skip
    others = {name: (float(v.min()), float(v.max()) + 1e-6) for name, v in params.items()
              if name not in box}  # fmt: skip
    components = {k: list(v) if isinstance(v, tuple) else v for k, v in group.components.items()}
    return surrogate.with_spec(Parameters(**components, **settings, **others, **box)), params


def _light_of_dust(learnt: Parameters, n: int, seed: int) -> tuple[dict[str, Any], Draws]:
    """Return settings and draws of the dust emission of the training, from its priors, if any."""
    emission = learnt.composition.dust_emission
    if emission is None:
        return {}, {}
    rng, names = np.random.default_rng([seed, 2]), [param.name for param in emission.params]
    free = {name: np.asarray(learnt.get_distribution(name).from_unit(rng.random(n)), float)
            for name in names if name in learnt.free_params}  # fmt: skip
    fixed = {name: learnt.fixed_value(name) for name in names if name in learnt.fixed_params}
    return {"dust_emission": learnt.settings["dust_emission"], **fixed}, free


def _read(surrogate: EmulatedSEDModel, path: Path, n: int) -> Draws:
    """Return the columns of a catalogue that are parameters, of its first galaxies."""
    with open_table(path) as table:
        names = [name for name in table.names if name in surrogate.spec.all_params]
        if not names:
            raise DataError(
                f"{path}: no column is a parameter of the surrogate "
                f"({', '.join(surrogate.spec.free_params)})."
            )
        columns = table.read(names, 0, min(n, table.n_rows))
    params: Draws = {
        name: np.ma.filled(np.ma.asarray(columns[name], float), np.nan) for name in names
    }
    if bad := [name for name, values in params.items() if not np.isfinite(values).all()]:
        raise DataError(f"{path}: missing or infinite numbers in {', '.join(bad)}.")
    return params


def _compared(model: EmulatedSEDModel, params: Draws) -> Judged:
    emulated = evaluate(model, params)
    with jax.enable_x64(True):
        exact = evaluate(model.exact_model(), params)
    return Judged(model, params, exact, emulated)
