"""Priors of numpyro as those of ``tengri.priors``, and back.

``Parameters(redshift=numpyro.distributions.Uniform(0, 1))`` reads one where a prior may stand;
``to_numpyro(spec)`` gives the priors of a spec to a numpyro model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tengri import priors
from tengri.errors import ConfigError, ParameterError
from tengri.priors import Distribution

INF = float("inf")


def is_numpyro(value: Any) -> bool:
    """Whether a value is a distribution of numpyro; numpyro is not loaded."""
    return any(
        base.__module__.startswith("numpyro.") and base.__name__ == "Distribution"
        for base in type(value).__mro__
    )


def from_numpyro(law: Any, name: str = "a prior") -> Distribution:
    """Return a scalar distribution of numpyro as one of ``tengri.priors``.

    Parameters
    ----------
    law : numpyro Distribution
        ``Uniform``, ``LogUniform``, ``Normal``, ``StudentT``, ``Laplace`` (also truncated),
        ``LogNormal`` or ``Delta``.
    name : str
        Of the parameter, for messages.

    Raises
    ------
    ParameterError
        Another distribution, or one of several numbers.
    """
    kind = type(law).__name__
    if tuple(law.batch_shape) or tuple(law.event_shape):
        shape = (*law.batch_shape, *law.event_shape)
        raise ParameterError(f"{name}: {kind} of shape {shape}; give one for a single number.")
    if kind in READERS:
        return READERS[kind](law)
    low, high = getattr(law, "low", None), getattr(law, "high", None)
    base = getattr(law, "base_dist", None)
    base_kind = type(base).__name__
    if kind.endswith("TruncatedDistribution") and base_kind in LOCATION_SCALE:
        return _location_scale(base, _number(low, -INF), _number(high, INF))
    inside = f" of {base_kind}" if base is not None else ""
    raise ParameterError(
        f"{name}: {kind}{inside} has no counterpart here; known are {', '.join(READERS)} and "
        "truncated ones. Uniform, LogUniform, Normal … of tengri.priors take bounds."
    )


def to_numpyro(prior: Any) -> Any:
    """Return a prior as a distribution of numpyro; of a spec, those of its free scalars by name.

    Raises
    ------
    ConfigError
        Without numpyro.
    ParameterError
        A prior that numpyro has no counterpart of, or a free latent vector.
    """
    if not isinstance(prior, Distribution):
        return _of_spec(prior)
    try:
        import numpyro.distributions as laws
    except ImportError:
        raise ConfigError("to_numpyro needs numpyro: pip install numpyro") from None
    kind = type(prior).__name__
    if kind not in WRITERS:
        raise ParameterError(f"{kind} has no counterpart in numpyro.")
    return WRITERS[kind](laws, prior)


def _of_spec(spec: Any) -> dict[str, Any]:
    params = spec.composition.params
    vectors = [name for name in spec.free_params if params[name].shape]
    if vectors:
        raise ParameterError(f"{', '.join(vectors)}: latent vectors have no scalar prior.")
    return {name: to_numpyro(spec.get_distribution(name)) for name in spec.free_params}


# --- into ours ----------------------------------------------------------------------------------


def _number(value: Any, missing: float = 0.0) -> float:
    return missing if value is None else float(np.asarray(value))


def _location_scale(law: Any, lo: float = -INF, hi: float = INF) -> Distribution:
    kind = type(law).__name__
    more = {"df": _number(law.df)} if kind == "StudentT" else {}
    made: Callable[..., Distribution] = LOCATION_SCALE[kind]
    return made(_number(law.loc), _number(law.scale), **more, lo=lo, hi=hi)


LOCATION_SCALE: Mapping[str, Any] = {
    "Normal": priors.Normal,
    "StudentT": priors.StudentT,
    "Laplace": priors.Laplace,
}
READERS: Mapping[str, Callable[[Any], Distribution]] = {
    **dict.fromkeys(LOCATION_SCALE, _location_scale),
    "Uniform": lambda law: priors.Uniform(_number(law.low), _number(law.high)),
    "LogUniform": lambda law: priors.LogUniform(_number(law.low), _number(law.high)),
    "LogNormal": lambda law: priors.LogNormal(_number(law.loc), _number(law.scale)),
    "Delta": lambda law: priors.Fixed(_number(law.v)),
}


# --- out of ours --------------------------------------------------------------------------------


def _truncated(laws: Any, base: Any, prior: Any) -> Any:
    low = prior.lo if np.isfinite(prior.lo) else None
    high = prior.hi if np.isfinite(prior.hi) else None
    if low is None and high is None:
        return base
    return laws.TruncatedDistribution(base, low=low, high=high)


def _log_normal(laws: Any, prior: priors.LogNormal) -> Any:
    """A truncated one is the exponential of a truncated normal."""
    lo, hi = (float(np.log(edge)) if edge > 0.0 else -INF for edge in (prior.lo, prior.hi))
    if lo == -INF and hi == INF:
        return laws.LogNormal(prior.mu, prior.sigma)
    inner = priors.Normal(prior.mu, prior.sigma, lo, hi)
    normal = _truncated(laws, laws.Normal(prior.mu, prior.sigma), inner)
    return laws.TransformedDistribution(normal, laws.transforms.ExpTransform())


WRITERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Fixed": lambda laws, p: laws.Delta(p.value),
    "Uniform": lambda laws, p: laws.Uniform(p.lo, p.hi),
    "LogUniform": lambda laws, p: laws.LogUniform(p.lo, p.hi),
    "Normal": lambda laws, p: _truncated(laws, laws.Normal(p.mu, p.sigma), p),
    "Laplace": lambda laws, p: _truncated(laws, laws.Laplace(p.mu, p.sigma), p),
    "StudentT": lambda laws, p: _truncated(laws, laws.StudentT(p.df, p.mu, p.sigma), p),
    "LogNormal": _log_normal,
}
