"""Named components and the parameters that they declare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tengri.errors import ConfigError, unknown
from tengri.priors import Distribution


@dataclass(frozen=True)
class Param:
    """One physical parameter, declared beside the component that uses it.

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
    """

    name: str
    default: float
    prior: Distribution
    bounds: tuple[float, float] = (-math.inf, math.inf)
    unit: str = ""
    description: str = ""
    shape: tuple[int, ...] = ()


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
