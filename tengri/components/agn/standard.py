r"""``standard``: the mean quasar, with the parameters by which quasars differ.

Disc and corona (`continuum`), emission lines (`lines`) and dust (`torus`) add up to

.. math::

    L_\nu = L_\nu^{narrow} + L_\nu^{corona} + L_\nu^{torus} + L_\nu^{polar}
            + d \, e^{-\tau k} (L_\nu^{disc} + L_\nu^{broad})

where d, the share of the direct light that arrives, falls from 1 in type 1 to the scattered
``SCATTERED`` in type 2, and τ k is dust at the poles.

``agn_log_lbol`` is what observers call bolometric: the light between 1 µm and 10 keV of a nucleus
seen without dust (Runnoe, Brotherton & Shang 2012, MNRAS 422, 478; Krawczyk et al. 2013, ApJS 206,
4).
The infrared is that light once more and does not count: the torus emits ``agn_torus_frac`` of it
besides, whatever the type.

A spectrum is a sum of fixed templates, whose weights follow from the parameters. Shapes:
n_wave wavelengths; L_ν/L_bol in 1/Hz. `quasar` puts another torus around the same nucleus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial

import jax.numpy as jnp
import numpy as np
from jax import Array

from tengri.components.agn import continuum, lines, mixing
from tengri.components.agn.model import FRACTION_AA, AGNLines, AGNModel, AGNTemplates
from tengri.components.agn.torus import BLACK_BODIES, Torus, polar, polar_curve
from tengri.components.agn.torus import REFERENCE as POLAR_REFERENCE
from tengri.constants import C_AA_PER_S, FWHM_PER_SIGMA
from tengri.numerics.linalg import matmul
from tengri.priors import Uniform
from tengri.registry import Change, Param

Params = Mapping[str, Array]

#: The limits of L_bol: 10 keV and 1 µm [Å].
BOLOMETRIC_AA = (continuum.HC_EV_AA / 1e4, 1e4)
#: Share of the direct light that is scattered past the torus (Zakamska et al. 2005, AJ 129, 1212).
SCATTERED = 0.01
#: log10 L_bol/Lsun at which the Baldwin effect leaves the widths of the composites.
BALDWIN_LOG_LBOL = 12.5
#: log10 L_bol over L_ν(5100 Å), about [Hz].
TYPICAL_LOG_LBOL = 15.6

_DISC = (
    Param("agn_log_lbol", 11.5, Uniform(8.0, 14.0), (-20.0, 20.0), "log10 Lsun",
          "luminosity from 1 µm to 10 keV, without dust", symbol=r"$\log_{10} L_{\rm AGN}$"),
    Param("agn_log_mbh", 8.0, Uniform(6.0, 10.0), (4.0, 11.0), "log10 Msun",
          "black-hole mass: sets the temperature of the disc", symbol=r"$\log_{10} M_{\rm BH}$"),
    Param("agn_log_ledd", -1.0, Uniform(-3.0, 0.5), (-5.0, 2.0), "log10",
          "Eddington ratio: sets the temperature of the disc",
          symbol=r"$\log_{10} \lambda_{\rm Edd}$"),
    Param("agn_a_spin", 0.0, Uniform(0.0, 0.95), (-0.998, 0.998), "",
          "black-hole spin: sets the innermost stable orbit", symbol=r"$a_{\rm BH}$"),
    Param("agn_delta_aox", 0.0, Uniform(-0.3, 0.3), (-1.0, 1.0), "",
          "α_ox, the slope from 2500 Å to 2 keV, less its mean at that luminosity",
          symbol=r"$\Delta\alpha_{\rm ox}$"),
    Param("agn_type", 1.0, Uniform(1.0, 2.0), (1.0, 2.0), "",
          "1: disc and broad lines in sight, 2: behind the torus", symbol="AGN type"),
    Param("agn_ebv", 0.0, Uniform(0.0, 0.5), (0.0, 3.0), "mag",
          "E(B-V) of polar dust in front of disc and broad lines", symbol=r"$E(B-V)_{\rm AGN}$"),
    Param("agn_torus_frac", 0.5, Uniform(0.1, 0.9), (0.0, 1.0), "",
          "luminosity of the torus over L_bol", symbol=r"$L_{\rm torus}/L_{\rm bol}$"),
)  # fmt: skip
_LINES = (
    Param("agn_ew_broad", 1.0, Uniform(0.3, 2.0), (0.0, 10.0), "",
          "equivalent widths of broad lines, over those of the composite",
          symbol=r"$W_{\rm broad}$"),
    Param("agn_ew_narrow", 1.0, Uniform(0.0, 3.0), (0.0, 100.0), "",
          "equivalent widths of narrow lines, over those of the composite",
          symbol=r"$W_{\rm narrow}$"),
    Param("agn_ew_fe2", 1.0, Uniform(0.0, 2.0), (0.0, 10.0), "",
          "equivalent widths of the Fe II blends, over those of the composite",
          symbol=r"$W_{\rm Fe\,II}$"),
    Param("agn_ew_balmer", 1.0, Uniform(0.0, 2.0), (0.0, 10.0), "",
          "Balmer continuum, over that of the composite", symbol=r"$W_{\rm Balmer}$"),
    Param("agn_fwhm_broad", lines.BROAD_KM_S, Uniform(1500.0, 12000.0), lines.FWHM_BROAD, "km/s",
          "width of broad lines and of Fe II", symbol=r"${\rm FWHM}_{\rm broad}$"),
    Param("agn_fwhm_narrow", lines.NARROW_KM_S, Uniform(300.0, 1000.0), lines.FWHM_NARROW, "km/s",
          "width of narrow lines", symbol=r"${\rm FWHM}_{\rm narrow}$"),
    Param("agn_baldwin", 0.0, Uniform(0.0, 0.3), (-1.0, 1.0), "",
          "Baldwin effect: the lines of high ionisation go as L_bol to minus this",
          symbol=r"$\beta_{\rm Baldwin}$"),
)  # fmt: skip


def parameters(torus: Torus) -> tuple[Param, ...]:
    """Return the parameters of a nucleus with a torus."""
    return (*_DISC, *torus.params, *_LINES)


def spectrum(wave_aa: np.ndarray, p: Params, torus: Torus = BLACK_BODIES) -> Array:
    """Return L_ν/L_bol [1/Hz] at ``wave_aa`` [Å], shape (n_wave,)."""
    return _mixed(wave_aa, weights(p, torus), torus)


def _mixed(wave_aa: np.ndarray, mixture: tuple[Array, Array, Array], torus: Torus) -> Array:
    """Return the sum of the templates for their `weights`."""
    unscreened, screened, curve = _on_grid(np.asarray(wave_aa, np.float64).tobytes(), torus)
    fixed, reddened, tau = mixture
    direct = matmul(reddened, jnp.asarray(screened, float))
    attenuated = jnp.exp(-tau * jnp.asarray(curve, float)) * direct
    return matmul(fixed, jnp.asarray(unscreened, float)) + attenuated


@lru_cache(maxsize=8)
def _on_grid(wave_aa: bytes, torus: Torus) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wave = np.frombuffer(wave_aa, np.float64)
    return open_templates(wave, torus), screened_templates(wave), polar_curve(wave)


def screened_templates(wave_aa: np.ndarray) -> np.ndarray:
    """Return L_ν of discs and what surrounds them closely, for νL_ν = 1 at 2500 Å."""
    broad = [lines.blended(wave_aa, kind, lines.BROAD_KM_S, lines.BROAD_NODES)
             for kind in ("high", "low", "iron")]  # fmt: skip
    return _per_hz(wave_aa, continuum.discs(wave_aa), *broad, lines.balmer(wave_aa)[None])


def open_templates(wave_aa: np.ndarray, torus: Torus = BLACK_BODIES) -> np.ndarray:
    """Return L_ν of what no polar dust hides: narrow lines, dust and corona.

    They go from what is seen at any wavelength to what few bands see: hot to cold.
    """
    narrow = lines.blended(wave_aa, "narrow", lines.NARROW_KM_S, lines.NARROW_NODES)
    return _per_hz(wave_aa, narrow, torus.templates(wave_aa), polar(wave_aa)[None],
                   continuum.corona(wave_aa)[None])  # fmt: skip


def _per_hz(wave_aa: np.ndarray, *nu_lnu: np.ndarray) -> np.ndarray:
    return np.concatenate(nu_lnu) * (np.asarray(wave_aa) / C_AA_PER_S)


@dataclass(frozen=True, eq=False)
class Integrals:
    """Numbers of the templates that weights need.

    Attributes
    ----------
    disc_2500 : ndarray, shape (n_cut,)
        νL_ν of the discs at 2500 Å.
    screened : ndarray, shape (n_screened,)
        Power of these templates between 1 µm and 10 keV.
    narrow, corona : float
        The same of the narrow lines, and of the corona over its νL_ν at 2 keV.
    bins, curve : ndarray, shape (n_screened, n_bin) and (n_bin,)
        Power in bins of wavelength, and the optical depth of polar dust there.
    near_5100, narrow_5100, curve_5100 : ndarray, ndarray, float
        L_ν of the screened templates and the narrow lines at 5100 Å; optical depth there.
    """

    disc_2500: np.ndarray
    screened: np.ndarray
    narrow: float
    corona: float
    bins: np.ndarray
    curve: np.ndarray
    near_5100: np.ndarray
    narrow_5100: np.ndarray
    curve_5100: float


@cache
def integrals() -> Integrals:
    """Return them, from trapezoids finer than any broad line."""
    lo, hi = BOLOMETRIC_AA
    limit, at = continuum.BREAKS_AA[0], np.array([FRACTION_AA])
    edges = np.concatenate([np.geomspace(lo, limit, 9), np.geomspace(limit, 5e4, 29)[1:]])
    wave = np.unique(np.concatenate([edges, np.geomspace(lo, edges[-1], 20_001), [hi]]))
    step = np.diff(np.log(wave))
    energy = screened_templates(wave) * C_AA_PER_S / wave
    energy = 0.5 * (energy[:, 1:] + energy[:, :-1]) * step
    start, hard = np.searchsorted(wave, edges[:-1]), continuum.corona(wave)
    mean = len(continuum.CUT_NODES) // 2  # a disc of the middle, to average the curve over
    curve = np.add.reduceat(energy[mean] * polar_curve(wave[:-1]), start)
    narrow = sum(lines.luminosity(line) for line in lines.LINES if line.kind == "narrow")
    return Integrals(
        continuum.discs(np.array([continuum.PIVOT_AA]))[:, 0],
        energy[:, wave[:-1] < hi].sum(axis=1),
        narrow,
        float(np.sum(0.5 * (hard[1:] + hard[:-1]) * step)),
        np.add.reduceat(energy, start, axis=1),
        curve / np.add.reduceat(energy[mean], start),
        screened_templates(at)[:, 0],
        open_templates(at)[: len(lines.NARROW_NODES), 0],
        float(polar_curve(at)[0]),
    )


#: Rows of the broad lines of high and of low ionisation among the screened templates, and of the
#: narrow lines among the open ones.
_N_DISC, _N_BROAD = len(continuum.CUT_NODES), len(lines.BROAD_NODES)
_LINE_ROWS = (slice(_N_DISC, _N_DISC + _N_BROAD), slice(_N_DISC + _N_BROAD, _N_DISC + 2 * _N_BROAD),
              slice(0, len(lines.NARROW_NODES)))  # fmt: skip


def weights(p: Params, torus: Torus = BLACK_BODIES) -> tuple[Array, Array, Array]:
    """Return the weights of the open and of the screened templates, and E(B-V)."""
    p = _as_arrays(p, parameters(torus))
    made = integrals()
    near, narrow = _near(p), _narrow(p)
    disc = near[: len(continuum.CUT_NODES)]
    total = _dot(near, made.screened) + p["agn_ew_narrow"] * made.narrow
    lbol, disc_2500 = p["agn_log_lbol"], _dot(disc, made.disc_2500)
    scale = continuum.log10_scale(lbol, disc_2500, total, made.corona, p)
    unit = 10.0 ** (scale - lbol)
    hard = 10.0 ** (continuum.log10_corona(scale + jnp.log10(disc_2500), p) - lbol)
    hidden = p["agn_type"] - 1.0
    seen = unit * _direct(p) * near
    taken = _dot(matmul(seen, jnp.asarray(made.bins, float)),
                 -jnp.expm1(-p["agn_ebv"] * jnp.asarray(made.curve, float)))  # fmt: skip
    warm = p["agn_torus_frac"] * torus.weights(p, hidden)
    unscreened = jnp.concatenate([unit * narrow, warm, taken[None], hard[None]])
    return unscreened, seen, p["agn_ebv"]


def luminosity(p: Params, log10_lnu: Array) -> Array:
    """Return log10 L_bol/Lsun of the nucleus with log10 L_ν [Lsun/Hz] seen at 5100 Å.

    The Baldwin effect, a part of the lines' small part of L_bol, is found by iteration.
    """
    made = integrals()
    lbol = jnp.asarray(log10_lnu, float) + TYPICAL_LOG_LBOL
    for _ in range(4):
        q = _as_arrays({**p, "agn_log_lbol": lbol}, (*_DISC, *_LINES))
        near, narrow = _near(q), _narrow(q)
        disc = near[: len(continuum.CUT_NODES)]
        direct = _direct(q) * jnp.exp(-q["agn_ebv"] * made.curve_5100)
        seen = direct * _dot(near, made.near_5100) + _dot(narrow, made.narrow_5100)
        scale = log10_lnu - jnp.log10(seen)
        total = _dot(near, made.screened) + q["agn_ew_narrow"] * made.narrow
        log10_disc = scale + jnp.log10(_dot(disc, made.disc_2500))
        hard = made.corona * 10.0 ** (continuum.log10_corona(log10_disc, q) - scale)
        lbol = scale + jnp.log10(total + hard)
    return lbol


def line_luminosities(p: Params, torus: Torus = BLACK_BODIES) -> Array:
    """Return the light of each of `lines.SINGLE` over L_bol, as seen, (n_line,).

    Broad lines share the fate of the disc: behind torus and polar dust.
    """
    fixed, near, tau = weights(p, torus)
    high, low, narrow = (jnp.sum(part[rows]) for part, rows in zip((near, near, fixed), _LINE_ROWS))
    per_kind = {"high": high, "low": low, "narrow": narrow}
    weight = jnp.stack([per_kind[line.kind] for line in lines.SINGLE])
    at = np.array([line.wave_aa for line in lines.SINGLE])
    broad = np.array([line.kind != "narrow" for line in lines.SINGLE])
    screen = jnp.exp(-tau * jnp.asarray(broad * polar_curve(at), float))
    light = np.array([lines.luminosity(line) for line in lines.SINGLE])
    return weight * screen * jnp.asarray(light, float)


def line_continuum(wave_aa: np.ndarray, p: Params, torus: Torus = BLACK_BODIES) -> Array:
    """Return `spectrum` without the lines of `lines.SINGLE`, (n_wave,): Fe II stays."""
    fixed, near, tau = weights(p, torus)
    high, low, narrow = _LINE_ROWS
    dark = np.ones(len(near))
    dark[high] = dark[low] = 0.0
    open_dark = np.ones(len(fixed))
    open_dark[narrow] = 0.0
    return _mixed(wave_aa, (fixed * open_dark, near * dark, tau), torus)


def _as_arrays(p: Params, params: tuple[Param, ...]) -> dict[str, Array]:
    return {q.name: jnp.asarray(p[q.name], float) for q in params}


def _direct(p: Params) -> Array:
    """Return the share of the direct light that arrives past the torus."""
    return 1.0 - (p["agn_type"] - 1.0) * (1.0 - SCATTERED)


def _near(p: Params) -> Array:
    """Return the weights of disc, broad lines and Balmer continuum, νL_ν = 1 at 2500 Å."""
    width = mixing.weights(jnp.log(p["agn_fwhm_broad"]), lines.BROAD_NODES)
    baldwin = 10.0 ** (-p["agn_baldwin"] * (p["agn_log_lbol"] - BALDWIN_LOG_LBOL))
    broad = p["agn_ew_broad"] * width
    return jnp.concatenate([continuum.disc_weights(p), baldwin * broad, broad,
                            p["agn_ew_fe2"] * width, p["agn_ew_balmer"][None]])  # fmt: skip


def _narrow(p: Params) -> Array:
    return p["agn_ew_narrow"] * mixing.weights(jnp.log(p["agn_fwhm_narrow"]), lines.NARROW_NODES)


def _dot(a: Array, b: np.ndarray | Array) -> Array:
    return matmul(a, jnp.asarray(b, float))


@cache
def nodes(torus: Torus = BLACK_BODIES) -> np.ndarray:
    """Return wavelengths [Å] that hold lines, breaks and the light beyond stellar grids."""
    lo, hi = BOLOMETRIC_AA
    beyond = np.geomspace(lo, continuum.BREAKS_AA[0], 166)
    visible = np.geomspace(continuum.BREAKS_AA[0], hi, 400)
    # around 1 keV, where dust becomes transparent; where observers measure; where slopes change
    marks = [12.39, 12.40, 1450.0, continuum.PIVOT_AA, 3000.0, 5100.0, *continuum.BREAKS_AA]
    own = () if torus.nodes is None else (torus.nodes(),)
    return np.unique(np.concatenate([beyond, visible, marks, lines.nodes(), *own]))


def quasar(name: str, torus: Torus, changes: tuple[Change, ...] = ()) -> AGNModel:
    """Return the mean quasar with a torus: disc, lines and X-rays are the same in all."""
    sources = (continuum.REFERENCE, lines.REFERENCE, torus.reference, POLAR_REFERENCE)
    return AGNModel(
        name,
        parameters(torus),
        partial(spectrum, torus=torus),
        "; ".join(sources),
        partial(nodes, torus),
        AGNTemplates(
            partial(open_templates, torus=torus),
            screened_templates,
            polar_curve,
            partial(weights, torus=torus),
        ),
        luminosity,
        AGNLines(
            lines.line_list(),
            tuple(line.fwhm_km_s / FWHM_PER_SIGMA for line in lines.SINGLE),
            partial(line_luminosities, torus=torus),
            partial(line_continuum, torus=torus),
        ),
        changes=changes,
    )


STANDARD = quasar(
    "standard",
    BLACK_BODIES,
    (Change("a disc with lines, hot dust and X-rays after the composites replaced power laws"),),
)
