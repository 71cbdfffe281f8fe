"""``tengri sweep``: band magnitudes, lines or spectra, as one parameter changes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli import figure_file, models
from tengri.cli.output import add_output, emit

#: Values of a sweep unless said: of bands and lines, of spectra.
N_VALUES, N_SPECTRA = 81, 5


def add_parser(commands: Any) -> None:
    """Add ``sweep`` to the program."""
    parser = commands.add_parser(
        "sweep",
        help="plot band magnitudes, emission lines or spectra against one parameter",
        description="Sweep one parameter from LO to HI through the exact model or a surrogate and "
        "plot the magnitude in every band, with --line the luminosities of emission lines, with "
        "--spectrum a fan of rest-frame spectra, or with --instrument DESI (tengri list "
        "spectrographs) what that sees (all of the exact model, or of a surrogate of "
        "spectra). Free parameters rest at their prior median.",
        epilog="example: tengri sweep dust_tau_diff 0 3 --instrument SDSS -o sweep.png",
    )
    parser.add_argument("parameter", metavar="PARAMETER")
    parser.add_argument("lo", metavar="LO", type=float)
    parser.add_argument("hi", metavar="HI", type=float)
    parser.add_argument("--line", metavar="A,B", default="",
                        help="emission lines in the place of bands, e.g. Ha_6565,OIII_5008; "
                        "--json has fluxes and equivalent widths, too")  # fmt: skip
    parser.add_argument("--spectrum", action="store_true",
                        help="rest-frame spectra in the place of bands")  # fmt: skip
    parser.add_argument("-n", type=int, help="number of values (default 81; of spectra 5)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE",
                        help="figure, .png .pdf or .svg (default sweep_PARAMETER.png)")  # fmt: skip
    models.add_options(parser)
    add_output(parser)
    parser.set_defaults(func=_sweep, compiles=True)


def _sweep(args: argparse.Namespace) -> int:
    import numpy as np

    from tengri.analysis.galaxy import base_galaxy, galaxy_text
    from tengri.errors import ConfigError

    out = args.out or Path(f"sweep_{args.parameter}.png")
    figure_file.check(out)
    others, pixels = models.instruments(args)
    n = args.n or (N_SPECTRA if args.spectrum or pixels else N_VALUES)
    if n < 2 or not args.lo < args.hi:
        raise ConfigError("A sweep goes from LO to a larger HI in 2 values or more.")
    lines = [name for name in args.line.split(",") if name]
    if lines and args.spectrum:
        raise ConfigError("A sweep is of lines or of spectra: give --line or --spectrum.")
    if pixels and (others or pixels[1:] or args.bands or lines or args.spectrum):
        raise ConfigError(
            f"--instrument {pixels[0]}: a sweep of what a spectrograph sees is of it alone; leave "
            "out --line, --spectrum, bands and other instruments."
        )
    changes, values = {args.parameter: (args.lo, args.hi)}, np.linspace(args.lo, args.hi, n)
    bands_needed = not (lines or args.spectrum)
    model = models.build(args, changes, bands_needed=bands_needed, units="mag_ab")
    base = rest(model, args.parameter)
    if pixels:
        sweep, numbers = _pixels(model, args.parameter, values, base)
    elif args.spectrum:
        sweep, numbers = _spectra(model, args.parameter, values, base)
    else:
        sweep, numbers = _swept(model, args.parameter, values, lines, base)
    galaxy = base_galaxy(model, base, sweep.axes)
    figure_file.save(_drawn(sweep), out)
    numbers |= {"axes": sweep.axes, "galaxy": galaxy, "figure": str(out)}
    emit(args.json, f"figure  {out}\ngalaxy  {galaxy_text(galaxy)}", numbers)
    return 0


def _swept(
    model: Any, name: str, values: Any, lines: list[str], base: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return a sweep of bands, or of lines where some are named, and its numbers."""
    import numpy as np

    from tengri.analysis.line_sweeps import QUANTITIES, sweep_lines
    from tengri.analysis.sweeps import sweep_photometry

    if not lines:
        bands = sweep_photometry(model, name, values, base)
        return bands, {"bands": bands.bands, "units": bands.units, "magnitudes": bands.magnitudes()}
    found = sweep_lines(model, name, values, lines, base)
    quantities = {q: np.asarray(getattr(found.lines, q), np.float64) for q in QUANTITIES}
    return found, {"lines": found.lines.names, "units": QUANTITIES, **quantities}


def _spectra(
    model: Any, name: str, values: Any, base: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return a sweep of rest-frame spectra and its numbers."""
    from tengri.analysis.spectrum_sweeps import sweep_spectra

    found = sweep_spectra(model, name, values, base)
    return found, {"units": "erg/s/Hz", "wavelength": found.wavelength, "sed": found.sed}


def _pixels(model: Any, name: str, values: Any, base: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a sweep of the spectrum that a spectrograph sees, and its numbers."""
    from tengri.analysis.pixel_sweeps import sweep_pixels

    found = sweep_pixels(model, name, values, base)
    return found, {"units": found.units, "wavelength": found.pixels.wave, "flux": found.flux,
                   "too_sharp": found.too_sharp}  # fmt: skip


def rest(model: Any, swept: str) -> dict[str, Any]:
    """Return the prior medians of the free parameters but the swept one."""
    import jax.numpy as jnp

    medians = model.spec.from_unit(jnp.full(model.spec.n_latent, 0.5))
    return {name: medians[name] for name in model.spec.free_params if name != swept}


def _drawn(sweep: Any) -> Any:
    """Return the figure of a sweep."""
    import matplotlib

    matplotlib.use("Agg")
    from tengri.analysis.plotting import setup_style

    setup_style()
    return sweep.plot()[0]
