"""Where a model's emission lines come from: gas around its stars, its grid, its nucleus."""

from __future__ import annotations

from tengri.components.composition import Composition
from tengri.components.line_list import LineList
from tengri.components.stellar.nebular import has_gas
from tengri.components.stellar.ssp_data import SSPData
from tengri.errors import ConfigError
from tengri.forward.grid_spectra import GridSpectra
from tengri.grids.files import STELLAR_SSP


def lines_of_stars(grid: GridSpectra) -> LineList:
    """Return the lines of gas, a component's or the grid's own."""
    if grid.galaxy.gas is not None:
        return grid.galaxy.gas.table.line_list
    return LineList() if grid.listed is None else grid.listed.line_list


def line_list_of(grid: GridSpectra) -> LineList:
    """Return the lines of a galaxy's gas, then those of its nucleus."""
    agn, of_gas = grid.galaxy.composition.agn, lines_of_stars(grid)
    return of_gas if agn is None or agn.lines is None else of_gas + agn.lines.line_list


def check_has_lines(composition: Composition, ssp: SSPData) -> None:
    """Raise ConfigError where there is gas whose lines are not known one by one, or none at all."""
    if composition.nebular is not None:
        return
    if has_gas(ssp) and composition.has_stars:
        if ssp.lines is not None:
            return
        raise ConfigError(
            f"The lines of the grid {ssp.name} are part of its spectra and no table lists them: "
            f"take load_ssp_data({STELLAR_SSP!r}) and nebular='cloudy'."
        )
    if composition.agn is None or composition.agn.lines is None:
        raise ConfigError(
            "Nothing in this model emits lines: set nebular='cloudy' on a grid of stars alone, "
            f"load_ssp_data({STELLAR_SSP!r})."
        )
