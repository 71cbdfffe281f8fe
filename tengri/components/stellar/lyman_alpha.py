r"""Lyman α of the gas around young stars: how much of it reaches the observer.

Gas emits 8.7 times as much light in Lyα as in Hα (case B). Hydrogen scatters it many times on its
way, so that neither a dust screen nor the mean transmission between galaxies says what is left.
What is measured is the share of all that is emitted, dust and intergalactic gas included. Hayes et
al. (2011, ApJ 730, 8), from luminosity functions in Lyα, Hα and ultraviolet light:

.. math:: f(z) = C (1 + z)^\xi, \quad C = 1.67 \times 10^{-3}, \quad \xi = 2.57, \quad z = 0.3 … 6

Beyond, they find that it falls; how fast is taken from the decline of the luminosities of Lyα
emitters by 1.5 from z = 5.7 to 6.6, by 1.5 to 7.0 and by 2.0 to 7.3 (Ota et al. 2017, ApJ 844,
85), which an e-folding of 0.9 in redshift follows to 0.25 in ln f: f = 0.25 at z = 6, 0.08 at 7.

That share of the line therefore lies behind neither the screens nor the intergalactic medium. Dust
takes what the screens would take of the line, and no more than what does not escape; the rest is
scattered out of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.constants import LYMAN_ALPHA_AA
from tengri.grids import compact
from tengri.priors import Uniform
from tengri.registry import Param, Registry, Versioned

Params = Mapping[str, Array]

FESC_LYA = Param("neb_fesc_lya", 0.2, Uniform(0.0, 1.0), (0.0, 1.0), "",
                 "share of Lyα that reaches the observer, dust and intergalactic gas included, in "
                 "place of lya_escape", family="nebular",
                 symbol=r"$f_{\rm esc}^{\rm Ly\alpha}$")  # fmt: skip

#: C and ξ, and the redshift at which the fall begins and its e-folding.
HAYES_C, HAYES_XI = 1.67e-3, 2.57
FALLS_FROM, FALLS_BY = 6.0, 0.9

#: Where a grid's own line is looked for: its peak and its feet, either side of Lyα [Å].
PEAK_WITHIN_AA, FEET_WITHIN_AA = 5.0, 30.0
#: The feet of a line: where less of its height is left.
FOOT = 1e-3
#: Of the continuum: a lower peak is no line.
FAINTEST = 1.0


@dataclass(frozen=True)
class LyaEscape(Versioned):
    """Which share of Lyα reaches the observer.

    Attributes
    ----------
    name : str
    reference : str
    share : callable or None
        ``p -> share``; None where the line is light like any other, behind all screens.
    params : tuple of Param
    """

    family: ClassVar[str] = "nebular"

    name: str
    reference: str
    share: Callable[[Params], Array] | None = None
    params: tuple[Param, ...] = ()

    @property
    def all_params(self) -> tuple[Param, ...]:
        """Every parameter that may be used."""
        return (FESC_LYA,)

    def with_number(self) -> LyaEscape:
        """Return the escape of the share that `FESC_LYA` gives."""
        return replace(self, share=_given, params=(FESC_LYA,))


def hayes11(p: Params) -> Array:
    """Return the mean share of Lyα at the redshift of a galaxy."""
    z = p["redshift"]
    rising = HAYES_C * (1.0 + z) ** HAYES_XI
    most = HAYES_C * (1.0 + FALLS_FROM) ** HAYES_XI
    return jnp.minimum(rising, most * jnp.exp((FALLS_FROM - z) / FALLS_BY))


def _given(p: Params) -> Array:
    return p[FESC_LYA.name]


LYA_ESCAPES: Registry[LyaEscape] = Registry(
    "escape of Lyα",
    LyaEscape("hayes11", "Hayes et al. 2011, ApJ 730, 8; Ota et al. 2017, ApJ 844, 85", hayes11),
    LyaEscape("case_b", "Storey & Hummer 1995, MNRAS 272, 41"),
)


class LyaLine(NamedTuple):
    """Lyα of young stars' gas apart from their other light.

    L_ν of spectrum i is ``peak[i] * profile``; ``profile`` (n_wave,) has the maximum 1, or holds
    the averages over bands (n_bands,).
    """

    peak: Array | np.ndarray
    profile: Array | np.ndarray

    def scaled(self, factor: float) -> LyaLine:
        """Return the line with its peaks times ``factor``."""
        return LyaLine(self.peak * factor, self.profile)

    def cut(self, window: slice) -> LyaLine | None:
        """Return the line on some of the wavelengths; None where nothing of it is there."""
        profile = self.profile[window]
        return LyaLine(self.peak, profile) if np.any(profile) else None

    def in_default_float(self) -> LyaLine:
        """Return it as JAX arrays of the process's default float."""
        return LyaLine(jnp.asarray(self.peak, float), jnp.asarray(self.profile, float))


def drawn(wave: np.ndarray) -> np.ndarray:
    """Return the profile of Lyα as embedded grids and tables have it, (n_wave,), maximum 1.

    Zero where ``wave`` does not hold the line.
    """
    light = compact.add_lines(wave, np.zeros(len(wave)), np.array([LYMAN_ALPHA_AA]), np.ones(1))
    return light / light.max() if light.any() else light


def separated(
    wave: np.ndarray, flux: np.ndarray, young: np.ndarray, profile: np.ndarray | None = None
) -> tuple[np.ndarray, LyaLine | None]:
    """Separate the Lyα line that is part of a grid from the light of its young populations.

    The line is what stands above a straight continuum between its feet.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest wavelengths [Å].
    flux : ndarray, shape (n_met, n_age, n_wave)
        L_ν.
    young : ndarray of int, shape (n_young,)
        Ages that have gas around them; one that is named twice counts twice.
    profile : ndarray, shape (n_wave,), optional
        How the line was drawn; by default it is read off the population in which it is strongest.

    Returns
    -------
    flux : ndarray
        The populations without the line.
    line : LyaLine or None
        ``peak`` (n_met · n_young,), ``profile`` (n_wave,); None where there is no line.
    """
    feet = _feet(wave, flux[:, young]) if profile is None else _ends(profile)
    if feet is None:
        return flux, None
    first, last = feet
    window = slice(first, last + 1)
    light = flux[:, young, window].astype(np.float64)
    rise = (wave[window] - wave[first]) / (wave[last] - wave[first])
    low, high = light[..., :1], light[..., -1:]
    above = light - (low + (high - low) * rise)
    shape = _strongest(above, low + high) if profile is None else profile[window]
    peak = np.maximum(above @ shape / (shape @ shape), 0.0)
    dark, whole = flux.copy(), np.zeros(len(wave))
    left = light - peak[..., None] * shape
    dark[:, young, window] = np.maximum(left, 0.0).astype(flux.dtype)
    whole[window] = shape
    return dark, LyaLine(peak.reshape(-1), whole)


def _ends(profile: np.ndarray) -> tuple[int, int] | None:
    """Return the nodes beside those of a profile; None where it has none."""
    inside = np.flatnonzero(profile)
    return (int(inside[0]) - 1, int(inside[-1]) + 1) if inside.size else None


def _strongest(above: np.ndarray, continuum: np.ndarray) -> np.ndarray:
    """Return the profile of the line that stands highest above its continuum, maximum 1."""
    contrast = (above / np.maximum(continuum, np.finfo(float).tiny)).max(axis=-1)
    shape = np.maximum(above[np.unravel_index(np.argmax(contrast), contrast.shape)], 0.0)
    return shape / shape.max()


def _feet(wave: np.ndarray, light: np.ndarray) -> tuple[int, int] | None:
    """Return the nodes at the feet of the line; None where there is none."""
    light, off = light.astype(np.float64), np.abs(wave - LYMAN_ALPHA_AA)
    near, inner = np.flatnonzero(off < FEET_WITHIN_AA), np.flatnonzero(off < PEAK_WITHIN_AA)
    if not inner.size:
        return None
    level = np.quantile(light[..., near], 0.25, axis=-1, keepdims=True)
    mean = (light / np.maximum(level, np.finfo(float).tiny)).mean(axis=(0, 1))
    top = inner[np.argmax(mean[inner])]
    height = mean[top] - 1.0
    ended = mean - 1.0 < FOOT * height
    before, behind = np.flatnonzero(ended[:top]), top + np.flatnonzero(ended[top:])
    if height < FAINTEST or not (before.size and behind.size):
        return None
    return int(before[-1]), int(behind[0])
