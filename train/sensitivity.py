"""Whether a network would learn what is there: inputs that count, priors that end on the grid."""

from __future__ import annotations

import numpy as np

from emulator.scaling import trained_range
from tengri.components.stellar.metallicity import LOG10_ZSUN
from tengri.errors import ConfigError
from train.problem import Problem
from train.rows import PROOF, RowMaker

#: Draws between which each input is exchanged.
ROWS = 32


def check_inputs(problem: Problem) -> None:
    """Check, before a training starts, that every network input changes some truth.

    Each input of `ROWS` draws from the prior takes the value of the next draw, the others stay.

    Raises
    ------
    ConfigError
        An input that changes no output in any draw, or a metallicity whose prior leaves the grid.
    """
    _check_metals(problem)
    maker = RowMaker(problem, problem.config.run.seed + PROOF)
    drawn = maker.draw(0, ROWS)
    names = problem.target.input_names
    moved = [{**drawn, name: np.roll(drawn[name], 1, axis=0)} for name in names]
    batch = {n: np.concatenate([rows[n] for rows in (drawn, *moved)]) for n in drawn}
    truths = maker.flux(batch).reshape(len(names) + 1, ROWS, -1)
    idle = [n for n, found in zip(names, truths[1:]) if np.array_equal(found, truths[0])]
    if idle:
        raise ConfigError(
            f"{', '.join(idle)} changes nothing that is trained, in {ROWS} draws from the prior on "
            f"the grid {problem.model.ssp.name}: a network would learn a dead input. Fix it, or "
            "choose bands, components and a grid on which it counts."
        )


def _check_metals(problem: Problem) -> None:
    """Raise for a free metallicity whose prior leaves the grid, where stars are its end node's."""
    spec, lgmet = problem.spec, problem.model.ssp.ssp_lgmet
    if not spec.composition.has_stars:
        return
    low, high = (float(end) - LOG10_ZSUN for end in lgmet[[0, -1]])
    for name in spec.composition.metallicity.logzsol_names:
        if name in spec.free_params:
            first, last = trained_range(spec.get_distribution(name))
            if first < low - 1e-6 or last > high + 1e-6:
                raise ConfigError(
                    f"The prior of {name} runs from {first:g} to {last:g}, the grid "
                    f"{problem.model.ssp.name} from {low:.2f} to {high:.2f}; beyond it the light "
                    f"is that of its ends. End the prior there: {name} = "
                    f"({max(first, low):.2f}, {min(last, high):.2f})."
                )
