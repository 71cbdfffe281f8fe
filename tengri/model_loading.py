"""``load_model``: the exact model, or a surrogate by name, from one import.

Surrogates come from whichever package offers ``exact``'s counterpart in the entry-point group
``tengri.models``: a function ``load(name, spec=…, observation=…, units=…, out_of_domain=…)``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tengri.errors import ConfigError

if TYPE_CHECKING:  # the command line reads EXACT without loading JAX
    from tengri.components.stellar.ssp_data import SSPData
    from tengri.forward.model import SEDModel
    from tengri.forward.photometric_model import PhotometricModel
    from tengri.observation import Instrument, Observation
    from tengri.parameters import Parameters

    Spec = Parameters | Mapping[str, Any]
    Bands = Observation | Instrument | str | Iterable[str]

EXACT = "exact"
GROUP = "tengri.models"
#: The galaxy of an exact model of which nothing is said: every component at its default.
DEFAULT_GALAXY: Mapping[str, Any] = {"redshift": 0.1}


def load_model(
    name: str | os.PathLike[str] = EXACT,
    spec: Spec | None = None,
    observation: Bands | None = None,
    *,
    ssp: SSPData | str | Path | None = None,
    cosmology: Any = None,
    out_of_domain: str | None = None,
    units: str | None = None,
) -> PhotometricModel:
    """Return the exact model, or a surrogate of it: same calls, units and errors.

    Parameters
    ----------
    name : str or path
        ``"exact"``, or a surrogate: a published name (``tengri list surrogates``), a file or the
        folder of a run.
    spec : Parameters or mapping, optional
        Of an exact model, its parameters; default all components at their defaults, at redshift
        0.1. Of a surrogate, a narrower spec than the trained one; a mapping changes the trained
        one, e.g. ``{"redshift": 0.1}``.
    observation : Observation, Instrument, str or sequence of str, optional
        The bands; a string names an instrument, a sequence names bands or files of curves. Of an
        exact model by default none (spectra only), of a surrogate all that it was trained for.
    ssp : SSPData or path, optional
        Grid of the exact model; default the one that is installed.
    cosmology : optional
        Of the exact model, as in ``SEDModel``.
    out_of_domain : str, optional
        Of a surrogate, outside its trained box: ``raise`` (default), ``warn``, ``clip``, ``nan``.
    units : str, optional
        Unit of ``predict_photometry``, default erg/s/cm²/Hz.

    Returns
    -------
    PhotometricModel
        ``SEDModel``, or a surrogate.

    Raises
    ------
    DataError
        No such surrogate; a damaged file.
    ConfigError
        An option that this kind of model cannot have; unknown bands; no package that loads
        surrogates.
    ParameterError
        A spec that reaches outside the trained box.

    Examples
    --------
    >>> fast = tengri.load_model("sdss", out_of_domain="nan")              # doctest: +SKIP
    >>> exact = tengri.load_model("exact", {"redshift": (0.01, 1)}, "SDSS")  # doctest: +SKIP
    """
    bands = None if observation is None else as_observation(observation)
    if os.fspath(name) == EXACT:
        if out_of_domain is not None:
            raise ConfigError(
                f"out_of_domain={out_of_domain!r}: the exact model has no trained box; leave it "
                "out."
            )
        return _exact(spec, bands, ssp, cosmology, _given(units=units))
    if ssp is not None or cosmology is not None:
        raise ConfigError(
            "ssp and cosmology describe the exact model; a surrogate carries its own grid and "
            f'cosmology. Leave them out, or load_model("{EXACT}", …).'
        )
    options = _given(out_of_domain=out_of_domain, units=units)
    return _surrogate(name, spec, bands, options)


def _exact(
    spec: Spec | None,
    observation: Observation | None,
    ssp: SSPData | str | Path | None,
    cosmology: Any,
    options: Mapping[str, Any],
) -> SEDModel:
    from tengri.components.stellar.ssp import load_ssp_data
    from tengri.components.stellar.ssp_data import SSPData
    from tengri.factory import build_spec
    from tengri.forward.model import SEDModel
    from tengri.parameters import Parameters

    if not isinstance(spec, Parameters):
        spec = build_spec(DEFAULT_GALAXY if spec is None else spec)
    grid = ssp if isinstance(ssp, SSPData) else load_ssp_data(ssp)
    return SEDModel(spec, grid, observation, cosmology=cosmology, **options)


def _surrogate(
    name: str | os.PathLike[str],
    spec: Spec | None,
    observation: Observation | None,
    options: Mapping[str, Any],
) -> PhotometricModel:
    from tengri.factory import changed_spec
    from tengri.parameters import Parameters

    load = surrogate_loader()
    if spec is None or isinstance(spec, Parameters):
        model: Any = load(name, spec=spec, observation=observation, **options)
        return model  # type: ignore[no-any-return]
    model = load(name, observation=observation, **options)
    return model.with_spec(changed_spec(model.spec, spec))  # type: ignore[no-any-return]


def as_observation(given: Bands) -> Observation:
    """Return the bands of an observation, an instrument, its name, or names of curves.

    Raises
    ------
    ConfigError, UnknownNameError
        Anything else; a name that is neither instrument nor curve.
    """
    from tengri.factory import build_observation
    from tengri.observation import INSTRUMENTS, Instrument, Observation

    if isinstance(given, Observation):
        return given
    if isinstance(given, Instrument):
        return given.observation()
    if isinstance(given, str):
        is_band = given not in INSTRUMENTS and _is_band(given)
        return build_observation([], [given]) if is_band else build_observation([given], [])
    bands = list(given) if isinstance(given, Iterable) else [given]
    if bands and all(isinstance(band, str) for band in bands):
        return build_observation([], bands)
    raise ConfigError(
        "observation is an Observation, an Instrument, the name of one, or names of bands; got "
        f"{type(given).__name__}."
    )


def _is_band(name: str) -> bool:
    from tengri.observation.filters import filter_names

    return name in filter_names() or os.path.isfile(name)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def surrogate_loader() -> Any:
    """Return the function that loads surrogates.

    Raises
    ------
    ConfigError
        No installed package has one.
    """
    found = list(entry_points(group=GROUP))
    if not found:
        raise ConfigError(f"No package here loads surrogates; {EXACT!r} works.")
    return found[0].load()
