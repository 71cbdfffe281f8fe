"""What an accuracy means for data of a given signal-to-noise, and what to change next.

A surrogate whose error is e widens the error bar σ of a measurement to √(σ² + e²); of photometry
with signal-to-noise s, σ = 2.5/ln 10/s magnitudes.

Errors fall with the steps of a training as a power law. Measured on the age kernel of SDSS
(``benchmarks/results``): 95 % of |Δm| within 3.64 mmag after 1102 steps (``ablation.json``, "a
table of metals, too") and within 0.480 after 57 788 (``surrogates.json``, "age kernel").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tengri.constants import MAG_PER_LN

MMAG = 1e3
#: Signal-to-noise of photometry near a survey's limit, of well-detected and of bright galaxies.
SIGNAL_TO_NOISE = (20, 50, 100)
#: An error bar may grow by this share.
GROWTH = 0.10
#: Errors go as the steps to minus this.
EXPONENT = 0.51
#: Training longer than this many times is no advice.
MOST_TIMES = 64.0
Tables = Mapping[str, Any]


def error_bar_mmag(signal_to_noise: float) -> float:
    """Return the error bar of photometry [mmag]."""
    return MMAG * MAG_PER_LN / signal_to_noise


def growth(error_mmag: float, signal_to_noise: float) -> float:
    """Return the share by which an error bar grows."""
    return math.hypot(1.0, error_mmag / error_bar_mmag(signal_to_noise)) - 1.0


def largest_signal_to_noise(tables: Tables) -> float:
    """Return up to which S/N 95 % of error bars grow by ``GROWTH`` at most."""
    allowed = math.sqrt((1.0 + GROWTH) ** 2 - 1.0)
    return allowed * error_bar_mmag(1.0) / max(float(tables["pooled"]["p95"]), 1e-6)


def grades(tables: Tables) -> list[str]:
    """Return a sentence for each S/N of ``SIGNAL_TO_NOISE``."""
    pooled, limit = tables["pooled"], largest_signal_to_noise(tables)
    found = []
    for s in SIGNAL_TO_NOISE:
        shares = [100.0 * growth(pooled[q], s) for q in ("p68", "p95", "p99")]
        word = "enough" if s <= limit else "not enough"
        found.append(
            f"S/N {s:>3d} (error bars of {error_bar_mmag(s):.0f} mmag): {word}; they grow by "
            f"{_share(shares[0])}, {_share(shares[1])} and {_share(shares[2])} or less for 68, 95 "
            "and 99 % of the bands of galaxies."
        )
    return found


def steps(tables: Tables, training: Mapping[str, Any], run: str = "RUN") -> list[str]:
    """Return what to change next, each with what it is expected to gain.

    Parameters
    ----------
    tables : mapping
        Of `train.evaluate.evaluate`.
    training : mapping
        ``steps`` and ``seconds`` of the training.
    run : str
        Its folder, for commands.
    """
    if tables["verdict"] == "useless":
        return [
            "It has learnt nothing that a constant would not know. If the loss still falls "
            f"(report/training.png), go on: {_command(training, 4.0, run)}. If it does not, halve "
            "optimiser.learning_rate; the gain of that was not measured."
        ]
    return [*_longer(tables, training, run), *_narrower(tables), *_bands(tables)]


def text(tables: Tables, training: Mapping[str, Any], run: str = "RUN") -> str:
    """Return grades and next steps as lines."""
    limit = largest_signal_to_noise(tables)
    return "\n".join([
        f"For data of S/N up to {limit:.3g}: there 95 % of error bars grow by at most "
        f"{100 * GROWTH:.0f} %.",
        *(f"  {line}" for line in grades(tables)),
        "What to change next:",
        *(f"  - {line}" for line in steps(tables, training, run)),
    ])  # fmt: skip


def _longer(tables: Tables, training: Mapping[str, Any], run: str) -> list[str]:
    if not training["steps"]:
        return ["It is a table: more knots (network.knots) and eigenspectra "
                "(network.eigenspectra) make it finer; the gain was not measured."]  # fmt: skip
    p95, limit = float(tables["pooled"]["p95"]), largest_signal_to_noise(tables)
    wanted = next((s for s in SIGNAL_TO_NOISE if s > limit), None)
    times = 4.0 if wanted is None else (wanted / limit) ** (1.0 / EXPONENT)
    if times > MOST_TIMES:
        return [
            f"Time alone does not reach S/N {wanted}: that takes {times:.0f} times the steps. "
            "Narrow the priors, or take the target ssp_photometry (a kernel), whose history is "
            "exact: on SDSS its 99 % error is a tenth of an end-to-end network's."
        ]
    times = max(times, 1.2)
    expected = p95 * times**-EXPONENT
    goal = "" if wanted is None else f", enough for S/N {wanted}"
    return [
        f"Train {times:.2g} times as long ({_command(training, times, run)}): expected 95 % error "
        f"{expected:.3g} instead of {p95:.3g} mmag{goal} (errors fall as steps^-{EXPONENT}, "
        "measured on the kernel of SDSS; a network that is too narrow gains less)."
    ]


def _command(training: Mapping[str, Any], times: float, run: str) -> str:
    n = math.ceil(times * training["steps"] / 100.0) * 100
    return f"tengri resume {run} --set run.steps={n}"


def _narrower(tables: Tables) -> list[str]:
    region = tables["worst_region"]
    if "parameter" not in region:
        return []
    where = f"{region['parameter']} = {region['lo']:.4g} … {region['hi']:.4g}"
    if "p99_elsewhere_mmag" not in region:
        return [f"The worst is {where}; leave it out of the prior if your galaxies are elsewhere."]
    elsewhere, overall = region["p99_elsewhere_mmag"], region["p99_everywhere_mmag"]
    return [
        f"Leave {where} out of the prior if your galaxies are elsewhere: measured on the same "
        f"galaxies, the worst band of one is off by {elsewhere:.3g} instead of {overall:.3g} mmag "
        "at 99 %; rows that are no longer spent there come on top."
    ]


def _bands(tables: Tables) -> list[str]:
    if not tables["excess_bands"]:
        return []
    worst = ", ".join(tables["excess_bands"])
    return [
        f"More than twice the pooled error: {worst}. Leave them out if you do not need them, or "
        "widen the network (network.width, in a new run); the gain of width was not measured."
    ]


def _share(per_cent: float) -> str:
    return f"{per_cent:.1f} %" if per_cent < 10.0 else f"{per_cent:.0f} %"
