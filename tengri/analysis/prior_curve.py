"""The density of a prior as a small curve: for tables of pages."""

from __future__ import annotations

import html

import jax.numpy as jnp
import numpy as np

from tengri.priors import Distribution

#: Quantiles between which a prior without edges is drawn.
ENDS = 0.001, 0.999
POINTS = 49


def density(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Return values of a parameter and the density of its prior there, its maximum 1.

    Returns
    -------
    x, density : ndarray, shape (n,)
        Between the edges of the prior; where it has none, between the quantiles `ENDS`.
    """
    low, high = (float(end) for end in prior.bounds)
    inner = np.asarray(prior.from_unit(jnp.asarray(ENDS)), float)
    low, high = (low if np.isfinite(low) else inner[0], high if np.isfinite(high) else inner[1])
    x = np.linspace(low, high, POINTS)
    # an edge itself may be outside after rounding
    inside = np.clip(x, low + 1e-6 * (high - low), high - 1e-6 * (high - low))
    values = np.exp(np.asarray(prior.log_prob(jnp.asarray(inside)), float))
    values = np.nan_to_num(values, posinf=0.0)
    return x, values / max(values.max(), 1e-300)


def svg(prior: Distribution, width: int = 72, height: int = 18) -> str:
    """Return the density as SVG in the colour of the text: an area, closed at its ends."""
    if prior.is_fixed:
        return ""
    x, values = density(prior)
    # along a straight piece the ends will do
    bend = np.flatnonzero(np.abs(np.diff(values, 2)) > 1e-4) + 1
    kept = np.unique([0, *bend, len(values) - 1])
    x, values = x[kept], values[kept]
    across = (width - 2) * (x - x[0]) / (x[-1] - x[0]) + 1
    down = (height - 2) * (1.0 - values) + 1
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down))
    corners = f"1,{height - 1} {points} {width - 1},{height - 1}"
    return (
        f"<svg width='{width}' height='{height}' viewBox='0 0 {width} {height}' role='img'>"
        f"<title>{html.escape(repr(prior))}</title>"
        f"<polygon points='{corners}' fill='currentColor' fill-opacity='.25' "
        "stroke='currentColor' stroke-width='1'/></svg>"
    )
