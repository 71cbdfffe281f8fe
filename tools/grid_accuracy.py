"""How exact the compact grids are: their band magnitudes against those of the full grids.

    python -m tools.grid_accuracy [--wheel FILE] [-o data/accuracy.json]

Reference: every age and wavelength of the source, lines as Gaussians of σ = 100 km/s on a fine
grid of their own. Both spectra are attenuated by the intergalactic medium (Inoue et al. 2014) at
their own wavelengths and integrated exactly: piecewise-linear spectrum × piecewise-linear curve ×
dλ/λ. Populations: one lookback bin of one metallicity each, all of them; and random histories
(double power laws in cosmic time and random mixtures of bins, at random metallicities), which the
reference forms bin by bin of the full age grid. Bands: every curve of the instruments' families in
astro-sedpy, where it holds more than 1e-3 of the brightest band's f_ν.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tengri.components.igm.double import inoue
from tengri.components.stellar.ssp import load_ssp_data
from tengri.components.stellar.ssp_data import SSPData
from tengri.constants import C_KM_S
from tengri.grids import bc03, compact, files, nebular
from tengri.grids.accuracy import PopulationSpectra, Transmission, compared
from tengri.io import atomic

FAMILIES = (
    *("sdss_", "galex_", "twomass_", "wise_", "spitzer_irac_", "herschel_", "acs_wfc_"),
    *("wfc3_", "jwst_f", "lsst_", "roman_", "hsc_", "decam_", "panstarrs_", "vista_"),
)
REDSHIFTS = np.concatenate([np.arange(0.0, 2.0, 0.125), np.arange(2.0, 8.01, 0.25)])
STEP = 1e-6
LINE_POINTS = np.linspace(-5.0, 5.0, 41)

Array = np.ndarray


def filter_curves(families: Sequence[str] = FAMILIES) -> dict[str, tuple[Array, Array]]:
    """Return wavelength [Å] and transmission of the curves of astro-sedpy in ``families``."""
    from sedpy.observate import list_available_filters, load_filters

    names = [name for name in list_available_filters() if name.startswith(tuple(families))]
    return {f.name: (f.wavelength, f.transmission) for f in load_filters(sorted(names))}


def histories(edges_gyr: Array, n: int, seed: int = 1) -> Array:
    """Return cumulative masses (n, n_edge) formed since each lookback edge, of random histories.

    Double power laws in cosmic time (Carnall et al. 2018) of random age, slopes and turnover.
    """
    rng = np.random.default_rng(seed)
    fine = np.union1d(edges_gyr, np.linspace(0.0, 14.0, 4001))
    formed = np.zeros((n, len(edges_gyr)))
    for row in formed:
        universe = np.exp(rng.uniform(np.log(0.5), np.log(13.8)))
        time = np.maximum(universe - fine, 1e-12) / universe / rng.uniform(0.1, 1.0)
        up, down = rng.uniform(0.3, 5.0), rng.uniform(0.3, 10.0)
        rate = np.where(fine < universe, 1.0 / (time**down + time**-up), 0.0)
        mass = np.append(0.0, np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(fine)))
        row[:] = np.interp(edges_gyr, fine, mass / mass[-1])
    return formed


def populations(edges_fine: Array, edges: Array, n_met: int, n: int = 400) -> tuple[Array, Array]:
    """Return masses (n_pop, n_met, n_age) of the same populations on fine and compact bins."""
    rng = np.random.default_rng(2)
    n_bin = len(edges) - 1
    share = bc03.average_over(edges_fine, edges)
    single = np.eye(n_met * n_bin).reshape(-1, n_met, n_bin)
    mixed = rng.lognormal(0.0, 3.0, (n // 2, n_met, n_bin)) * np.diff(edges)
    coarse = np.concatenate([single, mixed])
    fine = coarse @ share
    metals = rng.dirichlet(np.full(n_met, 0.3), n // 2)
    both = []
    for old, grid in ((fine, edges_fine), (coarse, edges)):
        smooth = np.diff(histories(grid, n // 2))
        both.append(np.concatenate([old, metals[:, :, None] * smooth[:, None, :]]))
    return both[0], both[1]


def reference(wheel: Path, with_gas: bool, logu: float, masses: Array) -> PopulationSpectra:
    """Return the spectra of populations (n_pop, n_met, n_age) from the full grid of the wheel."""
    stars = bc03.read_stellar(wheel)
    steps = np.append(compact.LYMAN_SERIES, [compact.LYMAN_LIMIT, 911.8])
    extra = [steps * (1 - STEP), steps * (1 + STEP)]
    if with_gas:
        gas = nebular.read_nebular(wheel, stars, logu)
        stars, lines = nebular.with_nebular(stars, gas)
        sigma = gas.line_wave * compact.LINE_SIGMA_KMS / C_KM_S
        extra.append((gas.line_wave[:, None] + sigma[:, None] * LINE_POINTS).ravel())
    wave = np.union1d(stars.wave, np.concatenate(extra))
    rows = np.tensordot(masses, stars.flux, 2)
    flux = np.stack([np.interp(wave, stars.wave, row) for row in rows])
    if with_gas:
        drawn = np.stack([_gaussian(wave, *line) for line in zip(gas.line_wave, sigma)])
        flux += np.tensordot(masses, lines, 2) @ drawn
    return PopulationSpectra(wave, flux)


def _gaussian(wave: Array, centre: float, sigma: float) -> Array:
    """Return L_ν [1/Hz] of a line of unit luminosity."""
    shape = np.exp(-0.5 * ((wave - centre) / sigma) ** 2)
    shape = np.where(np.abs(wave - centre) <= 5.001 * sigma, shape, 0.0)
    return shape / np.trapezoid(shape, wave) * centre**2 / compact.C_AA_PER_S


def table(differences: Array, curves: Sequence[str]) -> dict[str, object]:
    """Return the figures of one grid in mmag."""
    values = differences[np.isfinite(differences)] * 1e3
    z, _, band = map(int, np.unravel_index(np.nanargmax(differences), differences.shape))
    return {
        "median_mmag": round(float(np.median(values)), 4),
        "p99_mmag": round(float(np.percentile(values, 99)), 3),
        "worst_mmag": round(float(np.max(values)), 2),
        "worst_at": f"{curves[band]} at z = {REDSHIFTS[z]:g}",
        "n_compared": int(values.size),
    }


def measure(ssp: SSPData, wheel: Path, igm: Transmission) -> tuple[dict[str, object], Array]:
    """Return the table of ``ssp`` against the full grid, and every |Δmag|."""
    fine_edges = bc03.read_stellar(wheel).edges_gyr
    fine, coarse = populations(fine_edges, ssp.age_edges_gyr, len(ssp.ssp_lgmet))
    exact = reference(wheel, ssp.nebular, float(ssp.attrs.get("logu", -3.0)), fine)
    grid = PopulationSpectra(ssp.ssp_wave, np.tensordot(coarse, ssp.ssp_flux.astype(np.float64), 2))
    curves = filter_curves()
    differences = compared(exact, grid, curves, igm, REDSHIFTS)
    found = table(differences, list(curves))
    n_single = ssp.shape[0] * ssp.shape[1]
    found["single_bins"] = table(differences[:, :n_single], list(curves))
    found["composite"] = table(differences[:, n_single:], list(curves))
    n_met, n_age, n_wave = ssp.shape
    found |= {"n_met": n_met, "n_age": n_age, "n_wave": n_wave}
    found |= {"bytes": Path(ssp.path).stat().st_size, "sha256": ssp.sha256}
    return found, differences


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both embedded grids, print the table and write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tools.grid_accuracy", description=__doc__)
    parser.add_argument("--wheel", type=Path, help="the wheel of the source; default: download")
    parser.add_argument("-o", "--output", type=Path, help="write the table here as JSON")
    options = parser.parse_args(arguments)
    results = {}
    with bc03.wheel(options.wheel) as wheel:
        for name in (files.STELLAR_SSP, files.DEFAULT_SSP):
            results[name], _ = measure(load_ssp_data(name), wheel, inoue)
            print(name, json.dumps(results[name], indent=1))
    if options.output:
        atomic.write_text(options.output, json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
