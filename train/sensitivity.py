"""Whether a network would learn what is there: inputs that count, priors that end on the grid."""

from __future__ import annotations

import numpy as np

from emulator.scaling import trained_range
from tengri.errors import ConfigError
from tengri.forward.grid_parameters import check_prior
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
    check_prior(problem.spec, problem.model.ssp, trained_range)
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
