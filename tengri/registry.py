"""Named components and the parameters that they declare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar, get_args

from tengri.errors import ConfigError, unknown
from tengri.priors import Distribution

#: ``amplitude``: log10 of the factor in front of all light of the component. ``time``: in Gyr, or a
#: fraction of the age of the Universe. ``metallicity``: log10 Z/Zsun of stars, bounded by the grid.
#: ``shape``: anything else.
Role = Literal["amplitude", "time", "metallicity", "shape"]
GYR = "Gyr"
#: Units as figures write them; the symbol says of itself that it is a logarithm.
UNIT_SYMBOLS: Mapping[str, str] = {
    "log10": "",
    "any": "",
    "log10 Msun/yr": r"$M_\odot\,{\rm yr}^{-1}$",
    "log10 Msun": r"$M_\odot$",
    "log10 Lsun": r"$L_\odot$",
    "log10 Myr": "Myr",
    "log10 cm-2": r"${\rm cm}^{-2}$",
    "km/s": r"${\rm km\,s}^{-1}$",
}


@dataclass(frozen=True)
class Param:
    """One physical parameter, declared with the component that uses it.

    Attributes
    ----------
    name : str
        Full public name, e.g. ``dust_tau_bc``.
    default : float
        Value that fills in when a spec does not mention the parameter.
    prior : Distribution
        The registry's prior, used when the parameter is declared ``FREE``.
    bounds : tuple of float
        Hard physical limits, inclusive; a value outside is an error in every model.
    unit, description : str
        For tables and messages.
    shape : tuple of int
        ``()`` for a scalar; latent and tabulated parameters are vectors.
    role : str
        How the model depends on it, a `Role`, whatever its name; what has the unit Gyr is a time.
    family : str
        Part of a galaxy that it drives, as of ``tengri list``: ``sfh``, ``dust``, …; a component
        says so for all of its parameters. Nothing for redshift and distance.
    symbol : str
        What the field writes for it, in matplotlib's mathtext, for axes of figures.
    """

    name: str
    default: float
    prior: Distribution
    bounds: tuple[float, float] = (-math.inf, math.inf)
    unit: str = ""
    description: str = ""
    shape: tuple[int, ...] = ()
    role: Role = "shape"
    family: str = ""
    symbol: str = ""

    def __post_init__(self) -> None:
        if self.role not in (known := get_args(Role)):
            raise unknown("role of a parameter", str(self.role), known)
        if self.unit == GYR and self.role == "shape":
            object.__setattr__(self, "role", "time")

    @property
    def is_fraction_of_age(self) -> bool:
        """Whether it is a time as a fraction of the age of the Universe."""
        return self.role == "time" and self.unit != GYR

    @property
    def label(self) -> str:
        """Axis label: the symbol, or the name where there is none, and the unit."""
        unit = UNIT_SYMBOLS.get(self.unit, self.unit)
        return f"{self.symbol or self.name} [{unit}]" if unit else self.symbol or self.name


@dataclass(frozen=True)
class Change:
    """A change of what the same parameters of a component mean.

    Attributes
    ----------
    what : str
        What changed, as a clause: it follows a colon.
    before : component or None
        The component as it was, where it is still at hand.
    """

    what: str
    before: Any = None


@dataclass(frozen=True, kw_only=True)
class Versioned:
    """A component that lists the changes of its physics.

    Attributes
    ----------
    changes : tuple of Change
        Since the first version, oldest first: keyword only. A spec that was stored before one of
        them means the component as it was.
    """

    family: ClassVar[str] = ""  # of its parameters: see `Param.family`

    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if params := vars(self).get("params"):
            object.__setattr__(self, "params", self.own(params))

    def own(self, params: Iterable[Param]) -> tuple[Param, ...]:
        """Return parameters as those of this family of components."""
        return tuple(replace(param, family=self.family) for param in params)

    @property
    def physics(self) -> int:
        """Version of the physics: 1, and one more with every change."""
        return 1 + len(self.changes)

    def at(self, physics: int) -> Self | None:
        """Return the component as it was at a version; None where that is no longer at hand.

        Raises
        ------
        ConfigError
            A version that is yet to come: the file is of a newer release.
        """
        if type(physics) is not int or physics < 1:
            raise ConfigError(f"a version of physics counts from 1, got {physics!r}.")
        if physics > self.physics:
            raise ConfigError(
                f"{getattr(self, 'name', self)!r} of physics {physics} is of a newer release of "
                f"tengri; this one knows {self.physics}: update tengri."
            )
        return self if physics == self.physics else self.changes[physics - 1].before


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The registry name."""
        ...


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T], Generic[T]):
    """Components of one kind by name; an unknown name raises with near matches.

    Examples
    --------
    >>> LAWS = Registry("dust law", CALZETTI, SMC)      # doctest: +SKIP
    >>> LAWS["calzeti"]                                 # doctest: +SKIP
    UnknownNameError: Unknown dust law 'calzeti'. Did you mean calzetti?
    """

    def __init__(self, kind: str, *items: T) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        for item in items:
            self.add(item)

    def add(self, item: T) -> T:
        """Register ``item`` under its name; a second one of that name is an error."""
        if item.name in self._items:
            raise ConfigError(f"{self.kind} {item.name!r} is registered already.")
        self._items[item.name] = item
        return item

    @contextmanager
    def temporarily(self, *items: T) -> Iterator[None]:
        """Register ``items`` within a ``with`` block."""
        before = dict(self._items)
        try:
            for item in items:
                self.add(item)
            yield
        finally:
            self._items = before

    def __getitem__(self, name: str) -> T:
        try:
            return self._items[name]
        except (KeyError, TypeError):
            raise unknown(self.kind, name, self._items) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
