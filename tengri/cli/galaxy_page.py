"""The page of one fitted galaxy: data and posterior, P(z), history, corner; nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tengri.analysis.plotting import fits as figures
from tengri.analysis.style import png
from tengri.cli import html_page as page
from tengri.errors import TengriError
from tengri.inference.fitter import Fitter
from tengri.inference.observations import FLAGS, UNUSABLE, Observations
from tengri.inference.results import QUANTILES, Fit
from tengri.io import atomic

#: Draws that are shown, of which so many as spectra and histories, at so many times.
DRAWS, FEW, TIMES = 400, 40, 200
NJY_PER_UJY = 1e3
UM = 1e-4
#: erg/s/cm²/Hz of 1 µJy.
CGS_PER_UJY = 1e-29


def write(
    path: Path,
    fitter: Fitter,
    data: Observations,
    title: str,
    z_spec: float | None,
    settings: str,
) -> Fit:
    """Fit one galaxy, write its page, and return the fit.

    Parameters
    ----------
    path : Path
    fitter : Fitter
        With ``draws`` of `DRAWS`.
    data : Observations
        One row.
    title : str
    z_spec : float or None
    settings : str
        How the fit was made.
    """
    data = data.select(fitter.model.filter_names)
    fit = fitter(data)
    flag = int(fit.columns["flag"][0])
    words = ", ".join(what for what, bit in FLAGS.items() if flag & bit) or "none"
    kind = "poor" if flag & UNUSABLE else "good"
    parts = [f"<p class='{kind}'>Flags: {page.escaped(words)}.</p>", _diagnostics(fit)]
    if fit.draws is not None and np.isfinite(fit.draws[0]).all():
        parts += _figures(fitter, data, fit, z_spec)
    parts += [page.heading("Quantiles"), _quantiles(fit), _measurements(data)]
    parts += [page.heading("How it was made"), page.pre(settings)]
    atomic.write_text(path, page.render(title, parts))
    return fit


def _figures(fitter: Fitter, data: Observations, fit: Fit, z_spec: float | None) -> list[str]:
    assert fit.draws is not None
    draws = fit.draws[0]
    params = _params(fitter, data, draws)
    found = [page.heading("Fluxes"), _spectrum(fitter.model, data, params)]
    if "redshift" in fit.names:
        z = draws[:, fit.names.index("redshift")]
        figure = figures.redshift_distribution(z, z_spec)
        found += [page.heading("P(z)"), _image("pz", figure, f"Of {len(z)} draws.")]
    found += [page.heading("Star-formation history"), _history(fitter.model, params)]
    moving = [i for i in range(draws.shape[1]) if np.ptp(draws[:, i]) > 0.0]
    figure = figures.corner(draws[:, moving], [fit.names[i] for i in moving])
    return [*found, page.heading("Parameters"), _image("corner", figure, "All pairs.")]


def _params(fitter: Fitter, data: Observations, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return draws as parameters by name, with the known redshift."""
    params = {name: np.asarray(v) for name, v in fitter.density.space.named(draws).items()}
    if data.cases.redshift is not None:
        params["redshift"] = np.full(len(draws), float(data.cases.redshift[0]))
    return params


def _spectrum(model: Any, data: Observations, params: Mapping[str, np.ndarray]) -> str:
    predicted = np.asarray(model.predict_photometry_batch(params, units="uJy"))
    pivot = np.array([curve.pivot for curve in model.observation.photometry.filters])
    case = data.rows(0).cases
    flux, error = (np.asarray(x) / NJY_PER_UJY for x in (case.flux, case.error))
    seen = np.asarray(case.seen)
    spectra = _spectra(model, params)
    figure = figures.spectral_energy(pivot * UM, flux, error, seen, predicted, spectra)
    what = "bands: spectra of the exact model, 68 and 95 %; " if spectra is not None else ""
    return _image("sed", figure, f"Errors with floor, zero points applied; {what}squares: bands.")


def _spectra(model: Any, params: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return observed spectra (wavelength [µm], fluxes [µJy] (n, n_wave)) of some draws."""
    exact = model.exact_model() if hasattr(model, "exact_model") else model
    some = np.linspace(0, len(params["redshift"] if "redshift" in params else
                                 next(iter(params.values()))) - 1, FEW).astype(int)  # fmt: skip
    pivot = np.array([curve.pivot for curve in model.observation.photometry.filters])
    wave = np.geomspace(0.78 * pivot.min(), 1.3 * pivot.max(), 600)
    found = []
    for i in some:
        try:
            sed = exact.predict_obs_sed({name: v[i] for name, v in params.items()})
        except TengriError:  # a draw at the edge of what the exact model answers
            continue
        flux = np.interp(wave, np.asarray(sed.wavelength), np.asarray(sed.sed), 0.0, 0.0)
        found.append(flux / CGS_PER_UJY)
    return (wave * UM, np.array(found)) if found else None


def _history(model: Any, params: Mapping[str, np.ndarray]) -> str:
    n = len(next(iter(params.values())))
    curves = []
    for i in np.linspace(0, n - 1, 2 * FEW).astype(int):
        one = {name: v[i] for name, v in params.items()}
        curves.append(model.predict_sfh(one, n_linear=TIMES))
    t, sfr = (np.array([np.asarray(c[key]) for c in curves]) for key in ("t_gyr", "sfr"))
    return _image("sfh", figures.star_formation(t, sfr), "Median, 68 and 95 % of the draws.")


def _image(name: str, figure: Any, caption: str) -> str:
    return page.image(name, png(figure), caption)


def _diagnostics(fit: Fit) -> str:
    names = [n for n in ("method", "n_bands", "chi2", "predictive_p", "ess", "pareto_k", "rhat",
                         "redshift_peak", "redshift_odds") if n in fit.columns]  # fmt: skip
    return page.table(names, [[_number(fit.columns[n][0]) for n in names]])


def _quantiles(fit: Fit) -> str:
    names = [n.removesuffix("_p50") for n in fit.columns if n.endswith("_p50")]
    rows = [(name, *(_number(fit.columns[f"{name}_{q}"][0]) for q in QUANTILES)) for name in names]
    return page.table(("", *(f"{100 * q:g} %" for q in QUANTILES.values())), rows)


def _measurements(data: Observations) -> str:
    case = data.rows(0).cases
    rows = [
        (band, _number(f / NJY_PER_UJY), _number(e / NJY_PER_UJY)) if seen else (band, "–", "–")
        for band, f, e, seen in zip(data.bands, case.flux, case.error, case.seen)
    ]
    return page.heading("Measurements") + page.table(("band", "flux [µJy]", "error [µJy]"), rows)


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
