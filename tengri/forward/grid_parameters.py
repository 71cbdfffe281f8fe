"""Free parameters that a grid of stars cannot answer for: an error, not a flat direction."""

from __future__ import annotations

from tengri.components.stellar.ssp import SSPData
from tengri.errors import ConfigError
from tengri.parameters import Parameters


def check_metals_count(spec: Parameters, ssp: SSPData) -> None:
    """Raise for a free metallicity on a grid that has one.

    Raises
    ------
    ConfigError
        Names the parameter and the grid.
    """
    if len(ssp.ssp_lgmet) > 1 or not spec.composition.has_stars:
        return
    names = [n for n in spec.composition.metallicity.logzsol_names if n in spec.free_params]
    if names:
        raise ConfigError(
            f"{' and '.join(names)} changes nothing on the grid {ssp.name}, which has one "
            f"metallicity (Z = {10 ** ssp.ssp_lgmet[0]:.3g}): fix it, or take a grid of several."
        )
