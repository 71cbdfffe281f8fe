"""``tengri sweep``: band magnitudes, lines or spectra, as one parameter changes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tengri.cli import models
from tengri.cli.output import add_output, emit

#: Values of a sweep unless said: of bands and lines, of spectra.
N_VALUES, N_SPECTRA = 81, 5


def add_parser(commands: Any) -> None:
    """Add ``sweep`` to the program."""
    parser = commands.add_parser(
        "sweep",
        help="plot band magnitudes, emission lines or spectra against one parameter",
        description="Sweep one parameter from LO to HI through the exact model or a surrogate and "
        "plot the magnitude in every band, with --line the luminosities of emission lines, or with "
        "--spectrum a fan of rest-frame spectra (both of the exact model, or of a surrogate of "
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

    n = args.n or (N_SPECTRA if args.spectrum else N_VALUES)
    if n < 2 or not args.lo < args.hi:
        raise ConfigError("A sweep goes from LO to a larger HI in 2 values or more.")
    lines = [name for name in args.line.split(",") if name]
    if lines and args.spectrum:
        raise ConfigError("A sweep is of lines or of spectra: give --line or --spectrum.")
    changes, values = {args.parameter: (args.lo, args.hi)}, np.linspace(args.lo, args.hi, n)
    bands_needed = not (lines or args.spectrum)
    model = models.build(args, changes, bands_needed=bands_needed, units="mag_ab")
    base = rest(model, args.parameter)
    if args.spectrum:
        sweep, numbers = _spectra(model, args.parameter, values, base)
    else:
        sweep, numbers = _swept(model, args.parameter, values, lines, base)
    galaxy = base_galaxy(model, base, sweep.axes)
    out = args.out or Path(f"sweep_{args.parameter}.png")
    _save(sweep, out)
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


def rest(model: Any, swept: str) -> dict[str, Any]:
    """Return the prior medians of the free parameters but the swept one."""
    import jax.numpy as jnp

    medians = model.spec.from_unit(jnp.full(model.spec.n_latent, 0.5))
    return {name: medians[name] for name in model.spec.free_params if name != swept}


def _save(sweep: Any, out: Path) -> None:
    import matplotlib

    from tengri.errors import ConfigError
    from tengri.io import atomic

    matplotlib.use("Agg")
    from tengri.analysis.plotting import setup_style

    setup_style()
    figure, _ = sweep.plot()
    known = figure.canvas.get_supported_filetypes()
    if out.suffix.removeprefix(".") not in known:
        raise ConfigError(f"-o {out}: a figure ends in .png, .pdf or .svg.")
    with atomic.whole(out) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
