"""The model that a command line describes: exact, or a surrogate by name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tengri.errors import ConfigError, unknown
from tengri.literal import read_value
from tengri.model_loading import EXACT

if TYPE_CHECKING:
    from tengri.forward.photometric_model import PhotometricModel

CONFIG_KEYS = ("instruments", "bands", "ssp", "parameters", "histories", "physics")
#: Who reads a configuration: it may vary another one.
CONFIGURATIONS = "tengri.configurations"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `build` reads."""
    group = parser.add_argument_group("the model")
    for name, settings in {
        "--model": {"default": EXACT, "metavar": "exact|ARTEFACT",
                    "help": "exact (default), or a surrogate: file, run folder, name"},
        "--instrument": {"action": "append", "default": [], "metavar": "NAME",
                         "help": "its bands, or the pixels of a spectrograph; may be repeated "
                         "(tengri list instruments, tengri list spectrographs)"},
        "--bands": {"default": "", "metavar": "A,B",
                    "help": "single bands: names, or two-column files"},
        "--set": {"action": "append", "default": [], "dest": "values", "metavar": "NAME=VALUE",
                  "help": "fix a parameter or choose a setting; may be repeated"},
        "--config": {"type": Path, "metavar": "FILE.toml",
                     "help": "take [model] of a training configuration"},
        "--ssp": {"metavar": "FILE[,afe=…]",
                  "help": "SSP grid of the exact model, with keywords of load_ssp_data"},
        "--cosmology": {"metavar": "NAME|H0=…,Om0=…",
                        "help": "of the exact model: a name of astropy's, e.g. Planck18, WMAP9, "
                        "or a flat one"},
    }.items():  # fmt: skip
        group.add_argument(name, **settings)  # type: ignore[arg-type]


def build(
    args: argparse.Namespace,
    changes: Mapping[str, Any] | None = None,
    bands_needed: bool = True,
    **options: Any,
) -> PhotometricModel:
    """Return the model of a command line.

    Parameters
    ----------
    args : Namespace
        With the options of `add_options`.
    changes : mapping, optional
        Parameters that the command itself declares, e.g. a swept range; a surrogate keeps its own
        priors, but takes a star-formation history that it does not have.
    bands_needed : bool
        Whether an exact model without bands is an error.
    **options
        ``units``, and for a surrogate ``out_of_domain``.

    Raises
    ------
    TengriError
        Unknown names, no bands, or options that the chosen model cannot have.
    """
    chosen = _chosen(args)
    if args.model == EXACT:
        return _exact(args, chosen, changes or {}, options, bands_needed)
    return _surrogate(args, chosen, changes or {}, options)


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Return instruments, bands, ssp and parameters of the file, then of the options."""
    chosen = _read_config(args.config) if args.config else {}
    bands = [name for name in args.bands.split(",") if name]
    if args.instrument or bands:
        chosen |= {"instruments": args.instrument, "bands": bands}
    if args.ssp:
        chosen["ssp"] = args.ssp
    chosen["parameters"] = {**chosen.get("parameters", {}), **dict(map(pair, args.values))}
    return chosen


def parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters and settings of the file, then of ``--set``."""
    given: dict[str, Any] = _chosen(args)["parameters"]
    return given


def instruments(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the chosen instruments with bands, and the spectrographs among them."""
    from tengri.observation.spectrographs import SPECTROGRAPHS

    chosen = _chosen(args).get("instruments", ())
    return ([name for name in chosen if name not in SPECTROGRAPHS],
            [name for name in chosen if name in SPECTROGRAPHS])  # fmt: skip


def pair(item: str) -> tuple[str, Any]:
    """Return (name, value) of ``NAME=VALUE``."""
    name, equals, text = item.partition("=")
    if not equals or not name:
        raise ConfigError(f"{item!r}: write it as NAME=VALUE, e.g. dust_law=calzetti.")
    return name.strip(), read_value(text.strip())


def _read_config(path: Path) -> dict[str, Any]:
    (read,) = entry_points(group=CONFIGURATIONS)
    try:
        data = read.load()(path)
    except (OSError, ConfigError) as error:
        raise ConfigError(f"--config {error}") from None
    section = data.get("model")
    if not isinstance(section, dict):
        raise ConfigError(f"--config {path}: has no section [model].")
    for key in section:
        if key not in CONFIG_KEYS:
            raise unknown("key of [model]", key, CONFIG_KEYS)
    return dict(section)


def _exact(
    args: argparse.Namespace,
    chosen: Mapping[str, Any],
    changes: Mapping[str, Any],
    options: dict[str, Any],
    bands_needed: bool,
) -> PhotometricModel:
    """Build the exact model; it has no trained box, so that only ``units`` concern it."""
    from tengri.components.stellar.ssp import load_named_ssp
    from tengri.factory import build_observation, build_spec
    from tengri.model_loading import DEFAULT_GALAXY, load_model

    has_bands = chosen.get("instruments") or chosen.get("bands")
    if bands_needed and not has_bands:
        raise ConfigError(
            "The exact model needs bands: --instrument SDSS, or --bands sdss_g,2mass_j "
            "(`tengri list instruments`, `tengri list filters`)."
        )
    parameters = {**chosen["parameters"], **changes} or DEFAULT_GALAXY
    options = {name: value for name, value in options.items() if name == "units"}
    bands = chosen.get("instruments", ()), chosen.get("bands", ())
    observation = build_observation(*bands, spectra=True) if has_bands else None
    physics = chosen.get("physics") or {}
    if physics:
        physics = {**build_spec(parameters).physics, **physics}
    ssp = load_named_ssp(chosen.get("ssp"))
    exact = {"ssp": ssp, "cosmology": read_cosmology(args.cosmology)}
    return load_model(EXACT, build_spec(parameters, physics), observation, **exact, **options)


def _surrogate(
    args: argparse.Namespace, chosen: Mapping[str, Any], changes: Mapping[str, Any], options: Any
) -> PhotometricModel:
    from tengri.components.composition import DISTANCE, belongs_to
    from tengri.factory import build_observation, changed_spec
    from tengri.model_loading import load_model

    if args.ssp or args.config:
        raise ConfigError(
            "--ssp and --config describe the exact model; a surrogate carries its grid, bands "
            "and priors (`tengri info`)."
        )
    model: Any = load_model(args.model, **options)
    check_cosmology(args.cosmology, model.cosmology)
    exact = {name: value for name, value in changes.items()
             if name == DISTANCE.name or belongs_to("sfh", name)}  # fmt: skip
    added = {name: value for name, value in exact.items() if name not in model.spec.all_params}
    given = {**chosen["parameters"], **added}
    if given:
        model = model.with_spec(changed_spec(model.spec, given))
    if "bands" in chosen:
        observation = build_observation(chosen["instruments"], chosen["bands"], spectra=True)
        model = model.with_observation(observation)
    return model


def read_cosmology(text: str | None) -> Any:
    """Return the cosmology that ``--cosmology`` names: ``Planck18``, or ``H0=70,Om0=0.3``.

    Returns
    -------
    An astropy cosmology, a ``FlatLambdaCDM`` or, of no text, None: the default.

    Raises
    ------
    ConfigError
        Neither; numbers that are no cosmology; a name without astropy.
    """
    if text is None:
        return None
    if "=" in text:
        return _flat(text)
    try:
        from astropy.cosmology import realizations
    except ImportError:
        raise ConfigError(
            f"--cosmology {text}: names are astropy's, which is not installed "
            "(pip install astropy). Give --cosmology H0=…,Om0=… for a flat one."
        ) from None
    if text not in realizations.available:
        raise unknown("cosmology", text, realizations.available)
    return getattr(realizations, text)


def _flat(text: str) -> Any:
    """Return the flat cosmology of ``H0=…,Om0=…``; what is not said is the default's."""
    from tengri.cosmology import FlatLambdaCDM

    known, given = ("H0", "Om0"), dict(map(pair, text.split(",")))
    for name in given:
        if name not in known:
            raise unknown("number of a flat cosmology", name, known)
    return FlatLambdaCDM(**given)


def check_cosmology(text: str | None, trained: Any) -> None:
    """Raise ConfigError where a surrogate would have to leave the cosmology of its training."""
    from tengri.cosmology import as_cosmology

    if text is None or as_cosmology(read_cosmology(text)) == trained:
        return
    raise ConfigError(
        f"--cosmology {text}: this surrogate was trained with {trained}; its stars are as old as "
        f"that Universe. Leave it out, give distance_mpc, or take --model {EXACT}."
    )
