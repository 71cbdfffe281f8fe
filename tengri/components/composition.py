"""Which components a galaxy is made of, and so which parameters it has.

``Parameters`` hands over the settings that its user gave (``dust_law_diff="calzetti"``) and
the parameter names that were mentioned; ``compose`` answers with the chosen components.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tengri.components.agn import AGN_MODELS, AGN_SCREENS, FRACTION, AGNModel
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.components.dust.emission import EMISSION_MODELS, DustEmission
from tengri.components.dust.screen import SCREEN_PARAMS
from tengri.components.igm import IGM_MODELS, IGMModel
from tengri.components.physics import Physics, Picker
from tengri.components.stellar.lyman_alpha import FESC_LYA, LYA_ESCAPES, LyaEscape
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES, MetallicityHistory
from tengri.components.stellar.nebular import LOGZ, NEBULAR_MODELS, NebularModel
from tengri.components.stellar.sfh import (
    SFH_FAMILIES,
    StarFormationHistory,
    check_table,
    family_parameters,
)
from tengri.constants import MAX_REDSHIFT
from tengri.errors import ConfigError, ParameterError, unknown
from tengri.priors import Uniform
from tengri.registry import Param, Registry

REDSHIFT = Param(
    "redshift", 0.1, Uniform(0.01, 8.0), (0.0, MAX_REDSHIFT), "", "cosmological redshift"
)


#: Of a setting that is as old as the first release.
UNCHANGED = object()


@dataclass(frozen=True)
class Setting:
    """A choice that is made once per model and never fitted.

    ``before`` is the choice of a spec that was stored before there was the setting.
    """

    name: str
    default: Any
    choices: Callable[[], Iterable[str]] | None
    description: str
    before: Any = UNCHANGED


SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("mean_sfh_type", None, lambda: SFH_FAMILIES,
                "SFH family, or a list of families that are summed; default: read off the names"),
        Setting("n_grid", 256, None, "points of the latent field of a stochastic history"),
        Setting("met_mode", "delta", lambda: METALLICITY_HISTORIES, "metallicity history"),
        Setting("dust_law", None, lambda: LAWS, "attenuation law of both dust components"),
        Setting("dust_law_bc", None, lambda: LAWS, "law of the birth clouds; default power_law"),
        Setting("dust_law_diff", None, lambda: LAWS, "law of the diffuse dust; default power_law"),
        Setting("dust_emission", None, lambda: EMISSION_MODELS, "infrared re-emission"),
        Setting("igm_model", "inoue", lambda: IGM_MODELS, "absorption by the intergalactic medium"),
        Setting("nebular", None, lambda: NEBULAR_MODELS, "nebular emission on a stellar grid"),
        Setting("lya_escape", "hayes11", lambda: LYA_ESCAPES,
                "Lyα that reaches the observer; case_b: all of it behind dust and IGM like other "
                "light", before="case_b"),
        Setting("agn_model", None, lambda: AGN_MODELS, "active nucleus"),
        Setting("agn_screen", "none", lambda: AGN_SCREENS,
                "dust of the host in front of the nucleus; diffuse: the screen of all stars"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Composition:
    """The chosen components of a galaxy model; ``params`` lists what they are driven by."""

    sfh: StarFormationHistory
    metallicity: MetallicityHistory
    dust_bc: DustLaw
    dust_diff: DustLaw
    igm: IGMModel
    dust_emission: DustEmission | None
    nebular: NebularModel | None
    agn: AGNModel | None
    agn_screen: str = "none"
    lya_escape: LyaEscape | None = None
    settings: dict[str, Any] = field(default_factory=dict, compare=False)
    physics: Physics = field(default_factory=Physics, compare=False)

    @property
    def params(self) -> dict[str, Param]:
        """Active parameters by name: SFH first, redshift last."""
        chosen = self.dust_emission, self.nebular, self.lya_escape, self.agn
        optional = [c.params for c in chosen if c]
        groups = (self.sfh.params, self.metallicity.params, SCREEN_PARAMS,
                  self.dust_bc.params, self.dust_diff.params, *optional, (REDSHIFT,))  # fmt: skip
        return {p.name: p for group in groups for p in group}

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Raise for parameters that contradict each other; each alone obeys its own bounds.

        ``values`` are concrete, of one galaxy or of many along a leading axis.
        """
        if "table" in self.sfh.types and values.keys() >= {"sfh_table_t_gyr", "sfh_table_sfr"}:
            check_table(values["sfh_table_t_gyr"], values["sfh_table_sfr"])


def compose(
    settings: Mapping[str, Any],
    given: Collection[str],
    physics: Mapping[str, Any] | None = None,
) -> Composition:
    """Return the components that ``settings`` choose.

    Parameters
    ----------
    settings : mapping
        Setting name to value; what is absent takes the default of ``SETTINGS``.
    given : collection of str
        Parameter names that the user mentioned: they decide the SFH family where
        ``mean_sfh_type`` is not set, its amplitude, and ``_gyr`` against ``_frac`` times; the
        amplitude of the nucleus; and what acts only where it is mentioned.
    physics : mapping, optional
        Versions of components and choices of settings, from ``Composition.physics``, which take
        the place of today's.

    Raises
    ------
    UnknownNameError
        A setting or component that does not exist (the message has near matches).
    ConfigError
        Settings that contradict each other.
    """
    for name in settings:
        if name not in SETTINGS:
            raise unknown("setting", name, SETTINGS)
    stored = {} if physics is None else physics
    chosen = {n: settings.get(n, stored.get(n, s.default)) for n, s in SETTINGS.items()}
    pick = Picker(stored)
    laws = _laws(chosen, pick)
    sfh = StarFormationHistory.build(chosen["mean_sfh_type"], given, n_grid=chosen["n_grid"])
    for family in sfh.types:
        pick(SFH_FAMILIES, family)
    later = {n: (chosen[n], s.before) for n, s in SETTINGS.items() if s.before is not UNCHANGED}
    return Composition(
        sfh=sfh,
        metallicity=pick(METALLICITY_HISTORIES, chosen["met_mode"]),
        dust_bc=laws[0],
        dust_diff=laws[1],
        igm=pick(IGM_MODELS, chosen["igm_model"] or "none"),
        dust_emission=_optional(pick, EMISSION_MODELS, chosen["dust_emission"]),
        nebular=_nebular(pick, chosen["nebular"], given),
        agn=_agn(pick, chosen["agn_model"], given),
        agn_screen=_agn_screen(chosen),
        lya_escape=_lya_escape(pick, chosen["lya_escape"], given),
        settings={**chosen, "mean_sfh_type": list(sfh.types),
                  "dust_law_bc": laws[0].name, "dust_law_diff": laws[1].name},
        physics=pick.physics(later),
    )  # fmt: skip


def _laws(chosen: Mapping[str, Any], pick: Picker) -> tuple[DustLaw, DustLaw]:
    """Return the laws of (birth clouds, diffuse dust); the unset one is ``power_law``."""
    both, bc, diff = (chosen[k] for k in ("dust_law", "dust_law_bc", "dust_law_diff"))
    if both and (bc or diff):
        raise ConfigError("dust_law sets both components: give it, or dust_law_bc/dust_law_diff.")
    birth_cloud, diffuse = (pick(LAWS, both or own or "power_law") for own in (bc, diff))
    diffuse_params = {p.name: p for p in diffuse.params}
    for param in birth_cloud.params:
        if diffuse_params.get(param.name, param) != param:
            raise ConfigError(
                f"{param.name} means one thing in {birth_cloud.name} and another in "
                f"{diffuse.name}, and both dust components share it: choose one of the two laws, "
                "or a law without that parameter for one component."
            )
    return birth_cloud, diffuse


def _nebular(pick: Picker, name: str | None, given: Collection[str]) -> NebularModel | None:
    """Return the gas, with a metallicity of its own where that was mentioned."""
    model: NebularModel | None = _optional(pick, NEBULAR_MODELS, name)
    return model.with_logz() if model is not None and LOGZ.name in given else model


def _lya_escape(pick: Picker, name: str, given: Collection[str]) -> LyaEscape | None:
    """Return which share of Lyα escapes; None where the line is light like any other."""
    escape: LyaEscape = pick(LYA_ESCAPES, name)
    if FESC_LYA.name in given:
        return escape.with_number()
    return escape if escape.share is not None else None


def _agn(pick: Picker, name: str | None, given: Collection[str]) -> AGNModel | None:
    """Return the nucleus, with the amplitude that was mentioned."""
    model: AGNModel | None = _optional(pick, AGN_MODELS, name)
    if model is None or FRACTION.name not in given:
        return model
    if "agn_log_lbol" in given:
        raise ParameterError(
            f"agn_log_lbol and {FRACTION.name} both set the amplitude of the nucleus: give one."
        )
    return model.with_fraction()


def _agn_screen(chosen: Mapping[str, Any]) -> str:
    screen = chosen["agn_screen"] or "none"
    if screen not in AGN_SCREENS:
        raise unknown("agn_screen", screen, AGN_SCREENS)
    if screen != "none" and chosen["agn_model"] in (None, "none"):
        raise ConfigError(f"agn_screen={screen!r} has no effect without a nucleus: set agn_model.")
    return screen


def _optional(pick: Picker, registry: Registry[Any], name: str | None) -> Any:
    return None if name in (None, "none") else pick(registry, name)


# the registries, besides that of histories, whose components have parameters
_WITH_PARAMS: tuple[Mapping[str, Any], ...] = (
    METALLICITY_HISTORIES, LAWS, EMISSION_MODELS, NEBULAR_MODELS, LYA_ESCAPES, AGN_MODELS,
)  # fmt: skip


def registered_params() -> dict[str, Param]:
    """Return every parameter of every component, chosen or not, by name."""
    return _registered(sum(map(len, (SFH_FAMILIES, *_WITH_PARAMS))))


@cache
def _registered(n_components: int) -> dict[str, Param]:
    """Collect them anew when a registry has grown: registries never shrink."""
    groups: list[Iterable[Param]] = [family_parameters(f) for f in SFH_FAMILIES]
    for registry in _WITH_PARAMS:
        groups += [getattr(c, "all_params", c.params) for c in registry.values()]
    return {p.name: p for group in (*groups, SCREEN_PARAMS, (REDSHIFT,)) for p in group}
