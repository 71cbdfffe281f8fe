"""Which components a galaxy is made of, and so which parameters it has.

``Parameters`` hands over the settings that its user gave (``dust_law_diff="calzetti"``) and
the parameter names that were mentioned; ``compose`` answers with the chosen components.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from tengri.components.agn import AGN_MODELS, AGN_SCREENS, FRACTION, AGNModel
from tengri.components.dust.attenuation import LAWS, DustLaw
from tengri.components.dust.emission import EMISSION_MODELS, DustEmission
from tengri.components.dust.emission.cmb import CMB_EFFECTS
from tengri.components.dust.milky_way import MW_EBV, MW_LAWS, R_V, RECALIBRATIONS, MilkyWay
from tengri.components.dust.screen import CLEAR, ESCAPES, SCREEN_PARAMS
from tengri.components.igm import (
    ABSORBER,
    DAMPING_WING,
    IGM_MODELS,
    Absorber,
    DampingWing,
    IGMModel,
)
from tengri.components.igm.absorber import IGM_LOG_NHI_DLA
from tengri.components.igm.damping_wing import IGM_XHI
from tengri.components.physics import Physics, Picker
from tengri.components.stellar.alpha import ALPHA_ENHANCEMENT, MET_AFE, AlphaEnhancement
from tengri.components.stellar.lyman_alpha import FESC_LYA, LYA_ESCAPES, LyaEscape
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES, MetallicityHistory
from tengri.components.stellar.nebular import LOGZ, NEBULAR_MODELS, NebularModel
from tengri.components.stellar.sfh import (
    NO_STARS,
    SFH_FAMILIES,
    BinEdges,
    StarFormationHistory,
    bin_edges,
    takes_bins,
)
from tengri.constants import MAX_REDSHIFT
from tengri.errors import ConfigError, ParameterError, unknown
from tengri.priors import Uniform
from tengri.registry import Param, Registry

REDSHIFT = Param(
    "redshift",
    0.1,
    Uniform(0.01, 8.0),
    (0.0, MAX_REDSHIFT),
    "",
    "cosmological redshift",
    symbol="$z$",
)


#: Acts where a spec names it: the light is then seen from there, whatever the redshift.
DISTANCE = Param(
    "distance_mpc", 10.0, Uniform(1.0, 100.0), (1e-6, 1e6), "Mpc",
    "luminosity distance in the place of the cosmological one; acts where it is named",
    symbol="$d_L$",
)  # fmt: skip

#: Of a setting that was there from the first version on.
UNCHANGED: Any = object()


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


@dataclass(frozen=True)
class Kind:
    """A kind of component: what there is of it, what chooses, and which parts of a galaxy it is.

    Attributes
    ----------
    family : str
        Of its parameters, and its name in ``tengri list``.
    title : str
        Heading of its table.
    registry : Registry
    settings : tuple of Setting
        Those that choose from the registry, and those that say how the chosen one acts.
    parts : mapping
        Attribute of `Composition` → that part of a galaxy in words.
    """

    family: str
    title: str
    registry: Registry[Any]
    settings: tuple[Setting, ...]
    parts: Mapping[str, str]

    @property
    def chosen_by(self) -> tuple[str, ...]:
        """Names of the settings that choose from the registry."""
        own = (s for s in self.settings if s.choices is not None)
        return tuple(s.name for s in own if s.choices() is self.registry)  # type: ignore[misc]

    @property
    def entries(self) -> tuple[str, ...]:
        """What the physics of a spec calls each component."""
        return tuple(f"{self.registry.kind} {name}" for name in self.registry)


#: What settings, citations, listings and tables know of components.
KINDS: tuple[Kind, ...] = (
    Kind("sfh", "Star-formation history", SFH_FAMILIES, (
        Setting("mean_sfh_type", None, lambda: SFH_FAMILIES,
                "SFH family, or a list of families that are summed; default: read off the names; "
                "none: no stars, a nucleus alone"),
        Setting("n_grid", 256, None, "points of the latent field of a stochastic history"),
        Setting(bin_edges.SETTING, bin_edges.DEFAULT, None,
                "bins of continuity and dirichlet: leja19, stretched, or edges [Gyr] from 0",
                before="stretched"),
    ), {"sfh": "star-formation history"}),
    Kind("metallicity", "Metallicity history", METALLICITY_HISTORIES, (
        Setting("met_mode", "delta", lambda: METALLICITY_HISTORIES, "metallicity history"),
    ), {"metallicity": "metallicity history"}),
    Kind("dust", "Dust attenuation", LAWS, (
        Setting("dust_law", None, lambda: LAWS, "attenuation law of both dust components"),
        Setting("dust_law_bc", None, lambda: LAWS, "law of the birth clouds; default power_law"),
        Setting("dust_law_diff", None, lambda: LAWS, "law of the diffuse dust; default power_law"),
        Setting("escape", "screened", lambda: ESCAPES,
                "dust in front of the light that escapes from the gas; picket_fence: holes in the "
                "birth clouds, the diffuse dust alone", before="screened"),
    ), {"dust_bc": "dust law of birth clouds", "dust_diff": "dust law"}),
    Kind("dust", "Dust emission", EMISSION_MODELS, (
        Setting("dust_emission", None, lambda: EMISSION_MODELS, "infrared re-emission"),
        Setting("cmb", "none", lambda: CMB_EFFECTS,
                "the microwave background behind the dust that it heats", before="none"),
    ), {"dust_emission": "dust emission"}),
    Kind("nebular", "Nebular emission", NEBULAR_MODELS, (
        Setting("nebular", None, lambda: NEBULAR_MODELS, "nebular emission on a stellar grid"),
    ), {"nebular": "nebular emission"}),
    Kind("nebular", "Escape of Lyα", LYA_ESCAPES, (
        Setting("lya_escape", "hayes11", lambda: LYA_ESCAPES,
                "Lyα that reaches the observer; case_b: all of it behind dust and IGM like other "
                "light", before="case_b"),
    ), {"lya_escape": "escape of Lyα"}),
    Kind("agn", "Active nucleus", AGN_MODELS, (
        Setting("agn_model", None, lambda: AGN_MODELS, "active nucleus"),
        Setting("agn_screen", "none", lambda: AGN_SCREENS,
                "dust of the host in front of the nucleus; diffuse: the screen of all stars"),
    ), {"agn": "active nucleus"}),
    Kind("igm", "Intergalactic medium", IGM_MODELS, (
        Setting("igm_model", "inoue", lambda: IGM_MODELS, "absorption by the intergalactic medium"),
    ), {"igm": "intergalactic medium"}),
)  # fmt: skip


class WhereNamed(NamedTuple):
    """A component without a setting of its own: it acts where a spec names its parameter.

    Attributes
    ----------
    part : str
        Attribute of `Composition`.
    words, title : str
        That part of a galaxy in words; the name of its table.
    component : component
    settings : tuple of Setting
        How it acts.
    """

    part: str
    words: str
    title: str
    component: Any
    settings: tuple[Setting, ...] = ()


WHERE_NAMED = (
    WhereNamed("alpha", "[α/Fe] of the stars", "alpha enhancement", ALPHA_ENHANCEMENT),
    WhereNamed("damping_wing", "neutral gas", "damping wing of neutral gas", DAMPING_WING),
    WhereNamed("absorber", "neutral gas around the galaxy", "damped absorber", ABSORBER),
    WhereNamed("milky_way", "dust of the Milky Way", "dust of the Milky Way", MilkyWay(), (
        Setting("mw_law", "fitzpatrick99", lambda: MW_LAWS,
                "law of extinction of the Milky Way, where mw_ebv is given",
                before="fitzpatrick99"),
        Setting("mw_rv", R_V, None, "A_V/E(B-V) of that law, 2 to 6", before=R_V),
        Setting("mw_sfd_recalibration", "sf11", lambda: RECALIBRATIONS,
                "mw_ebv is that of the SFD map, on the scale of Schlafly & Finkbeiner (2011); "
                "none: that of the law itself", before="sf11"),
    )),
)  # fmt: skip

SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for settings in (*(kind.settings for kind in KINDS), *(row.settings for row in WHERE_NAMED))
    for setting in settings
}
#: Part of a galaxy → that part in words, of whatever there is a choice of.
PARTS: dict[str, str] = {
    **{part: words for kind in KINDS for part, words in kind.parts.items()},
    **{row.part: row.words for row in WHERE_NAMED},
}


def settings_of(family: str) -> tuple[str, ...]:
    """Return the names of all settings of a family of components."""
    return tuple(s.name for kind in KINDS if kind.family == family for s in kind.settings)


def belongs_to(family: str, name: str) -> bool:
    """Return whether a name is a setting or parameter of a family of components."""
    param = registered_params().get(name)
    return name in settings_of(family) or (param is not None and param.family == family)


@dataclass(frozen=True)
class Composition:
    """The chosen components of a galaxy model; ``params`` are their parameters."""

    sfh: StarFormationHistory
    metallicity: MetallicityHistory
    dust_bc: DustLaw
    dust_diff: DustLaw
    igm: IGMModel
    dust_emission: DustEmission | None
    nebular: NebularModel | None
    agn: AGNModel | None
    agn_screen: str = "none"
    by_distance: bool = False
    escape: str = "screened"
    partly_clear: bool = False
    damping_wing: DampingWing | None = None
    absorber: Absorber | None = None
    milky_way: MilkyWay | None = None
    alpha: AlphaEnhancement | None = None
    lya_escape: LyaEscape | None = None
    settings: dict[str, Any] = field(default_factory=dict, compare=False)
    physics: Physics = field(default_factory=Physics, compare=False)

    @property
    def params(self) -> dict[str, Param]:
        """Active parameters by name: SFH first, redshift last."""
        parts = (self.dust_emission, self.nebular, self.lya_escape, self.agn, *self.neutral_gas,
                 self.milky_way)  # fmt: skip
        optional = [c.params for c in parts if c]
        optional += [(DISTANCE,)] if self.by_distance else []
        groups = (*self._host_params, *optional, (REDSHIFT,))
        return {p.name: p for group in groups for p in group}

    @property
    def _host_params(self) -> tuple[tuple[Param, ...], ...]:
        """Parameters of the stars, and of the dust that anything is behind."""
        if self.has_stars:
            clear = (CLEAR,) if self.partly_clear else ()
            alpha = self.alpha.params if self.alpha else ()
            return (self.sfh.params, self.metallicity.params, alpha, SCREEN_PARAMS, clear,
                    self.dust_bc.params, self.dust_diff.params)  # fmt: skip
        return (SCREEN_PARAMS[1:], self.dust_diff.params) if self.agn_screened else ()

    @property
    def has_stars(self) -> bool:
        """Whether anything but a nucleus shines."""
        return bool(self.sfh.types)

    @property
    def grid_bounded(self) -> tuple[str, ...]:
        """Names of the parameters whose values lie on an axis of the grid of stars."""
        if not self.has_stars:
            return ()
        alpha = self.alpha.params if self.alpha else ()
        return (*self.metallicity.logzsol_names, *(param.name for param in alpha))

    @property
    def agn_screened(self) -> bool:
        """Whether the diffuse dust of the host is in front of the nucleus."""
        return self.agn_screen == "diffuse"

    @property
    def neutral_gas(self) -> tuple[DampingWing | Absorber, ...]:
        """Hydrogen beside the mean of the intergalactic medium."""
        return tuple(c for c in (self.damping_wing, self.absorber) if c)

    @property
    def foreground_params(self) -> tuple[str, ...]:
        """Parameters, besides the redshift, of what lies between the galaxy and us."""
        parts = (*self.neutral_gas, *((self.milky_way,) if self.milky_way else ()))
        return tuple(param.name for part in parts for param in part.params)

    def igm_transmission(self, wave_rest: np.ndarray, p: Mapping[str, Array]) -> Array:
        """Return the fraction that all gas lets through, shape (n_wave,).

        ``wave_rest`` are concrete rest wavelengths [Å], (n_wave,); ``p`` holds the redshift and
        the parameters of the gas.
        """
        fraction = self.igm.transmission(wave_rest, p["redshift"])
        for gas in self.neutral_gas:
            fraction = fraction * gas.transmission(wave_rest, p)
        return fraction

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Raise for parameters that contradict each other; each alone obeys its own bounds.

        ``values`` are concrete, of one galaxy or of many along a leading axis.
        """
        self.sfh.check_together(values)


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
    stored = {} if physics is None else _checked_physics(physics)
    chosen = {n: settings.get(n, stored.get(n, s.default)) for n, s in SETTINGS.items()}
    pick = Picker(stored)
    laws = _laws(chosen, pick)
    binned = takes_bins(chosen["mean_sfh_type"], given)
    edges = (chosen if binned else settings).get(bin_edges.SETTING)
    bins = None if edges is None else BinEdges.of(edges)
    sfh = StarFormationHistory.build(chosen["mean_sfh_type"], given, chosen["n_grid"], bins)
    for family in sfh.types:
        pick(SFH_FAMILIES, family)
    _check_lya(settings, given)
    if not sfh.types:
        _check_without_stars(settings, chosen, given)
    idle = () if binned else (bin_edges.SETTING,)
    later = {name: (chosen[name], s.before) for name, s in SETTINGS.items()
             if s.before is not UNCHANGED and name not in idle}  # fmt: skip
    return Composition(
        sfh=sfh,
        metallicity=pick(METALLICITY_HISTORIES, chosen["met_mode"]),
        dust_bc=laws[0],
        dust_diff=laws[1],
        igm=pick(IGM_MODELS, chosen["igm_model"] or "none"),
        dust_emission=_dust_emission(pick, chosen),
        nebular=_nebular(pick, chosen["nebular"], given),
        agn=_agn(pick, chosen["agn_model"], given),
        agn_screen=_agn_screen(chosen),
        by_distance=DISTANCE.name in given,
        escape=_escape(chosen),
        partly_clear=CLEAR.name in given and bool(sfh.types),
        lya_escape=_lya_escape(pick, chosen["lya_escape"], given) if sfh.types else None,
        damping_wing=DAMPING_WING if IGM_XHI.name in given else None,
        absorber=ABSORBER if IGM_LOG_NHI_DLA.name in given else None,
        milky_way=_milky_way(chosen, given),
        alpha=ALPHA_ENHANCEMENT if MET_AFE.name in given and sfh.types else None,
        settings={**chosen, "mean_sfh_type": list(sfh.types or (NO_STARS,)),
                  bin_edges.SETTING: sfh.bins.setting,
                  "dust_law_bc": laws[0].name, "dust_law_diff": laws[1].name},
        physics=pick.physics(later),
    )  # fmt: skip


def _check_lya(settings: Mapping[str, Any], given: Collection[str]) -> None:
    """Raise where all of Lyα and a share of it are asked for: a stored setting gives way."""
    if settings.get("lya_escape") == "case_b" and FESC_LYA.name in given:
        raise ConfigError(
            f"lya_escape='case_b' puts all of Lyα behind dust and the intergalactic medium, "
            f"{FESC_LYA.name} a share behind neither: give one."
        )


#: Settings of stars, and of the dust of a host that no nucleus is behind.
_OF_STARS = ("n_grid", "met_mode", "dust_law_bc", "nebular", "escape", "lya_escape")
_OF_DUST = ("dust_law", "dust_law_diff", "dust_emission", "cmb")


def _check_without_stars(
    settings: Mapping[str, Any], chosen: Mapping[str, Any], given: Collection[str]
) -> None:
    """Raise where nothing shines, and for choices that stars alone would give an effect."""
    if chosen["agn_model"] in (None, "none"):
        raise ConfigError(
            f"mean_sfh_type={NO_STARS!r} leaves no light: set agn_model, e.g. 'standard'."
        )
    if FRACTION.name in given:
        raise ConfigError(
            f"{FRACTION.name} is a share of the light of stars and nucleus, and "
            f"mean_sfh_type={NO_STARS!r} has no stars: give agn_log_lbol."
        )
    screened = chosen["agn_screen"] == "diffuse"
    for name in _OF_STARS if screened else (*_OF_STARS, *_OF_DUST):
        value = settings.get(name)
        if value not in (None, "none", SETTINGS[name].default):
            more = " or give the nucleus agn_screen='diffuse'" if name in _OF_DUST else ""
            raise ConfigError(
                f"{name}={value!r} has no effect without stars (mean_sfh_type={NO_STARS!r}): "
                f"leave it out{more}."
            )


def _checked_physics(physics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raise for what is neither the version of a component nor a setting that came later."""
    if not isinstance(physics, Mapping):
        raise ConfigError(f"physics maps components to versions, got {physics!r}.")
    known = {entry for kind in KINDS for entry in kind.entries}
    known |= {name for name, setting in SETTINGS.items() if setting.before is not UNCHANGED}
    for name in physics:
        if name not in known:
            raise unknown("entry of physics", str(name), sorted(known))
    return physics


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
    if model.amplitude in given:
        raise ParameterError(
            f"{model.amplitude} and {FRACTION.name} both set the amplitude of the nucleus: give "
            "one."
        )
    return model.with_fraction()


def _dust_emission(pick: Picker, chosen: Mapping[str, Any]) -> DustEmission | None:
    """Return the emission of dust, against the background where that is asked for."""
    emission: DustEmission | None = _optional(pick, EMISSION_MODELS, chosen["dust_emission"])
    effect = "none" if chosen["cmb"] is None else chosen["cmb"]
    if effect not in CMB_EFFECTS:
        raise unknown("cmb", effect, CMB_EFFECTS)
    if effect == "none":
        return emission
    if emission is None:
        raise ConfigError(
            f"cmb={effect!r} has no effect without dust emission: set dust_emission, e.g. "
            "dust_emission='modified_blackbody'."
        )
    return emission.before_background()


def _escape(chosen: Mapping[str, Any]) -> str:
    escape = "screened" if chosen["escape"] is None else chosen["escape"]
    if escape not in ESCAPES:
        raise unknown("escape", escape, ESCAPES)
    if escape != "screened" and chosen["nebular"] in (None, "none"):
        raise ConfigError(
            f"escape={escape!r} has no effect without gas that light escapes from: set "
            "nebular='cloudy' and neb_fesc."
        )
    return str(escape)


def _agn_screen(chosen: Mapping[str, Any]) -> str:
    screen = "none" if chosen["agn_screen"] is None else chosen["agn_screen"]
    if screen not in AGN_SCREENS:
        raise unknown("agn_screen", screen, AGN_SCREENS)
    if screen != "none" and chosen["agn_model"] in (None, "none"):
        raise ConfigError(f"agn_screen={screen!r} has no effect without a nucleus: set agn_model.")
    return screen


def _milky_way(chosen: Mapping[str, Any], given: Collection[str]) -> MilkyWay | None:
    """Return the dust of the Milky Way, where E(B-V) was mentioned."""
    names = ("mw_law", "mw_rv", "mw_sfd_recalibration")
    if MW_EBV.name in given:
        return MilkyWay(*(chosen[name] for name in names))
    for name in names:
        if chosen[name] != SETTINGS[name].default:
            raise ConfigError(
                f"{name}={chosen[name]!r} has no effect without dust of the Milky Way: give "
                f"{MW_EBV.name}, a value, a prior or FREE."
            )
    return None


def _optional(pick: Picker, registry: Registry[Any], name: str | None) -> Any:
    return None if name in (None, "none") else pick(registry, name)


#: Parameters that act where they are mentioned, without a setting.
FOREGROUND_PARAMS: tuple[Param, ...] = tuple(
    param for row in WHERE_NAMED for param in row.component.params
)


def all_params(component: Any) -> tuple[Param, ...]:
    """Return every parameter that a component may have; of histories, more bins included."""
    params = getattr(component, "all_params", getattr(component, "params", ()))
    return (*params, *getattr(component, "more_params", ()))


def registered_params() -> dict[str, Param]:
    """Return every parameter of every component, chosen or not, by name."""
    return _registered(tuple(tuple(kind.registry) for kind in KINDS))


@cache
def _registered(names: tuple[tuple[str, ...], ...]) -> dict[str, Param]:
    """Collect them anew when a registry has other components."""
    components = (component for kind in KINDS for component in kind.registry.values())
    groups = [*map(all_params, components), SCREEN_PARAMS, FOREGROUND_PARAMS]
    groups.append((CLEAR, DISTANCE, REDSHIFT))
    return {p.name: p for group in groups for p in group}
