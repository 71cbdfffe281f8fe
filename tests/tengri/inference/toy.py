"""A model that is linear in two parameters: its posterior is known on paper."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from tengri import Parameters
from tengri.cosmology import FlatLambdaCDM
from tengri.forward.evaluator import Bands, FixedValues
from tengri.forward.galaxy import Stars
from tengri.priors import Normal
from tests.emulator.conftest import tiny_ssp

BANDS = ("u", "g", "r")
#: Priors far from their bounds, which are ten widths away.
MEAN, WIDTH = np.array([1.0, 2.0]), np.array([0.1, 0.2])
NAMES = ("dust_tau_bc", "dust_tau_diff")
SLOPE = np.array([[30.0, 5.0], [-10.0, 20.0], [4.0, 12.0]])
LEVEL = np.array([100.0, 80.0, 60.0])


def toy_spec(redshift: object = 0.5) -> Parameters:
    priors = {n: Normal(m, w, m - 10 * w, m + 10 * w) for n, m, w in zip(NAMES, MEAN, WIDTH)}
    return Parameters(**priors, redshift=redshift)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ToyEvaluator:
    """Fluxes level + slope·x [nJy], brighter by (1 + bump (z - 1)²)."""

    slope: object
    level: object
    bump: object
    fixed: FixedValues

    def bands(self, p):
        p = self.fixed.complete(p)
        x = jnp.stack([p[name] for name in NAMES])
        flux = jnp.asarray(self.level) + jnp.asarray(self.slope) @ x
        flux = flux * (1.0 + self.bump * (p["redshift"] - 1.0) ** 2)
        return Bands(jnp.asarray(-32.0), flux, jnp.zeros(()))


class Toy:
    """What a fit asks of a photometric model."""

    def __init__(self, redshift=0.5, slope=SLOPE, bump=0.0, error_mag=0.0, exact=None):
        self.spec = toy_spec(redshift)
        self.units, self.filter_names = "nJy", BANDS
        self.observation = SimpleNamespace(spectrographs=())
        self.emulation_covariance = error_mag**2 * np.eye(3)
        ssp, self.cosmology = tiny_ssp(), FlatLambdaCDM()
        self.stars = Stars(self.spec.composition, self.cosmology, ssp.age_edges_gyr, ssp.metals)
        self.mass_remaining = ssp.ssp_mass_remaining
        self._parts = np.asarray(slope), LEVEL, np.float64(bump)
        if exact is not None:
            self.exact_model = lambda: exact

    def evaluator(self, z_range=None):
        parts = (jnp.asarray(part, float) for part in self._parts)
        return ToyEvaluator(*parts, FixedValues.of(self.spec))

    def check_priors(self):
        """Of a model without a grid there is nothing to check."""

    def identity(self):
        return {"model": "toy", "slope": self._parts[0].tolist()}

    def flux(self, x):
        return LEVEL + np.asarray(x) @ SLOPE.T


def posterior(flux, error, slope=SLOPE):
    """Return (mean, covariance) of the linear model's posterior."""
    a = slope / np.asarray(error)[:, None]
    precision = a.T @ a + np.diag(WIDTH**-2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ (a.T @ ((flux - LEVEL) / error) + MEAN / WIDTH**2)
    return mean, covariance


#: Slopes of the colours in dust, and how they turn with redshift.
REDDENING = np.array([1.0, 0.6, 0.3])
TURN = np.array([[1.0, 0.2], [0.4, -0.3], [-0.6, 0.1]])


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class BrightToyEvaluator:
    """Fluxes 10^(mass - 10) · 100 exp(-reddening τ + turn·(z, z²)) [nJy]."""

    fixed: FixedValues

    def bands(self, p):
        p = self.fixed.complete(p)
        z = p["redshift"]
        colour = jnp.asarray(TURN) @ jnp.stack([z, z * z])
        flux = 100.0 * jnp.exp(colour - jnp.asarray(REDDENING) * p["dust_tau_diff"])
        scale = p["sfh_delayed_log_total_mass"] - 10.0 - 32.0
        return Bands(scale, flux, p["sfh_delayed_log_total_mass"])


class BrightToy(Toy):
    """A model with an amplitude, dust and a redshift: what a library of draws needs."""

    def __init__(self, redshift=(0.05, 1.5)):
        super().__init__()
        self.spec = Parameters(
            sfh_delayed_log_total_mass=(8.0, 12.0), sfh_delayed_age_frac=0.5,
            sfh_delayed_tau_frac=0.3, dust_tau_diff=(0.0, 2.0), redshift=redshift,
        )  # fmt: skip
        ssp = tiny_ssp()
        self.stars = Stars(self.spec.composition, self.cosmology, ssp.age_edges_gyr, ssp.metals)

    def evaluator(self, z_range=None):
        return BrightToyEvaluator(FixedValues.of(self.spec))

    def identity(self):
        return {"model": "bright toy"}

    @staticmethod
    def light(mass, tau, z):
        """Return fluxes [nJy] (n, 3) of parameters (n,)."""
        colour = np.stack([z, z * z], axis=-1) @ TURN.T
        return 10.0 ** (mass - 10.0)[:, None] * 100.0 * np.exp(colour - np.outer(tau, REDDENING))
