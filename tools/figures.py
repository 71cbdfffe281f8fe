"""The first figure of README and manual: a spectrum and its bands, exact and emulated.

python -m tools.figures           draw it anew
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import emulator
from tengri import Parameters
from tengri.analysis.plotting import setup_style
from tengri.constants import AB_ZERO_POINT

FILE = Path(__file__).resolve().parents[1] / "docs/figures/first.png"
#: A star-forming galaxy behind some dust, which shines in the infrared.
GALAXY = Parameters(
    sfh_delayed_log_total_mass=10.5,
    sfh_delayed_tau_gyr=3.0,
    sfh_delayed_age_gyr=8.0,
    met_logzsol=-0.2,
    dust_tau_bc=1.0,
    dust_tau_diff=0.4,
    dust_slope=-0.7,
    dust_emission="dl07",
    redshift=0.1,
)


def first() -> Figure:
    """Return the spectrum of the exact model, both models' bands, and their difference."""
    emulated = emulator.load("panchromatic", spec=GALAXY)
    exact = emulated.exact_model()
    filters = exact.observation.photometry.filters
    pivot = np.array([f.pivot for f in filters]) / 1e4
    spectrum = exact.predict_obs_sed()
    wave = np.asarray(spectrum.wavelength) / 1e4
    shown = (wave > 0.11) & (wave < 30.0)

    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    top.plot(wave[shown], _ab_magnitude(np.asarray(spectrum.sed))[shown], lw=0.6, color="0.6",
             label="spectrum, exact")  # fmt: skip
    magnitudes = np.asarray(exact.predict_magnitudes())
    top.plot(pivot, magnitudes, "o", ms=9, mfc="none", mec="#0072b2", label="25 bands, exact")
    fast = np.asarray(emulated.predict_magnitudes())
    top.plot(pivot, fast, ".", ms=6, color="#d55e00", label="25 bands, emulated")
    top.set(ylabel="AB magnitude", ylim=(magnitudes.max() + 1.0, magnitudes.min() - 1.2))
    top.legend(loc="upper left")
    bars = 1e3 * emulated.predict_errors({}, level=95)
    bottom.errorbar(pivot, 1e3 * (fast - magnitudes), bars, fmt=".", color="#d55e00", lw=1.0)
    bottom.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    bottom.set(xscale="log", xlabel="observed wavelength [µm]", ylabel="emulated − exact\n[mmag]")
    ticks = (0.15, 0.3, 0.6, 1, 2, 5, 10, 20)
    bottom.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    bottom.set_xlim(0.11, 30.0)
    return figure


def _ab_magnitude(f_nu: np.ndarray) -> np.ndarray:
    """Return AB magnitudes of f_ν [erg/s/cm²/Hz]."""
    with np.errstate(divide="ignore"):
        return np.asarray(-2.5 * np.log10(f_nu) - AB_ZERO_POINT)


def main() -> None:
    """Draw and keep it."""
    setup_style()
    first().savefig(FILE, dpi=110)
    print(f"drew {FILE.name}")


if __name__ == "__main__":
    main()
