"""Sets of bands, and the observation that a model predicts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tengri.errors import ConfigError, unknown
from tengri.observation.filters import FilterCurve, load_filter
from tengri.observation.spectrograph import Spectrograph


@dataclass(frozen=True)
class Photometry:
    """An ordered set of bands.

    Attributes
    ----------
    filters : tuple of FilterCurve
        The bands, in the order in which fluxes come out; names are unique.

    Raises
    ------
    ConfigError
        No band, a name twice, or something that is not a `FilterCurve`.
    """

    filters: tuple[FilterCurve, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        if not self.filters:
            raise ConfigError(
                'Photometry needs at least one filter, e.g. Photometry.from_names(["sdss_g"]).'
            )
        wrong = [f for f in self.filters if not isinstance(f, FilterCurve)]
        if wrong:
            raise ConfigError(
                f"Photometry takes FilterCurve objects, got {wrong[0]!r}; "
                "for names use Photometry.from_names([...])."
            )
        twice = [name for name, n in Counter(self.names).items() if n > 1]
        if twice:
            raise ConfigError(f"Bands given twice: {', '.join(twice)}.")

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Photometry:
        """Return the bands of these filter names (or files); see `load_filter`."""
        if isinstance(names, str):
            raise ConfigError(f"Give a list of filter names: [{names!r}].")
        if not isinstance(names, Iterable):
            raise ConfigError(f'Give a list of filter names, e.g. ["sdss_g"], not {names!r}.')
        return cls(tuple(load_filter(name) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """Band names."""
        return tuple(f.name for f in self.filters)

    @property
    def n_filters(self) -> int:
        """Number of bands."""
        return len(self.filters)

    @property
    def filter_waves(self) -> tuple[np.ndarray, ...]:
        """Knots of each curve [Å]."""
        return tuple(f.wave for f in self.filters)

    @property
    def filter_trans(self) -> tuple[np.ndarray, ...]:
        """Transmission of each curve at its knots."""
        return tuple(f.trans for f in self.filters)

    @property
    def pivots(self) -> np.ndarray:
        """Pivot wavelengths [Å], (n_filters,)."""
        return np.array([f.pivot for f in self.filters])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names and curves, in order."""
        return hashlib.sha256("".join(f.fingerprint for f in self.filters).encode()).hexdigest()

    def select(self, names: Iterable[str]) -> Photometry:
        """Return these bands, in this order."""
        known = dict(zip(self.names, self.filters))
        chosen = list(names)
        for name in chosen:
            if name not in known:
                raise unknown("band", name, known)
        return Photometry(tuple(known[name] for name in chosen))

    def __add__(self, other: Photometry) -> Photometry:
        """Return both sets; a band in both counts once, two curves of one name are an error."""
        if not isinstance(other, Photometry):
            return NotImplemented
        known = dict(zip(self.names, self.filters))
        for curve in other.filters:
            if known.get(curve.name, curve) != curve:
                raise ConfigError(f"Two different curves are both named {curve.name!r}.")
        return Photometry(
            self.filters + tuple(curve for curve in other.filters if curve.name not in known)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return names and curves for an artefact; `from_dict` reads it."""
        return {"filters": [f.to_dict() for f in self.filters]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Photometry:
        """Return what `to_dict` wrote."""
        return cls(tuple(FilterCurve.from_dict(f) for f in data["filters"]))

    def summary(self) -> str:
        """Return a table of the bands: name, pivot and effective width, range [Å]."""
        wide = max(16, *(len(f.name) + 2 for f in self.filters))
        rows = [f"{'band':<{wide}}{'pivot':>12}{'width':>12}{'from':>12}{'to':>12}   [Å]"]
        for f in self.filters:
            numbers = (f.pivot, f.effective_width, f.wave[0], f.wave[-1])
            rows.append(f"{f.name:<{wide}}" + "".join(f"{value:12.1f}" for value in numbers))
        return "\n".join(rows)


@dataclass(frozen=True)
class Observation:
    """The data that a model predicts.

    Attributes
    ----------
    photometry : Photometry or None
        Broad-band fluxes.
    spectrographs : tuple of Spectrograph
        Spectra, each with a name of its own.

    Raises
    ------
    ConfigError
        Neither bands nor spectra, something else in their place, or a name twice.
    """

    photometry: Photometry = None  # type: ignore[assignment]  # so that none has our message
    spectrographs: tuple[Spectrograph, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spectrographs", tuple(self.spectrographs))
        if not (self.photometry is None and self.spectrographs) and not isinstance(
            self.photometry, Photometry
        ):
            raise ConfigError(
                f"An observation needs bands to predict, got photometry={self.photometry!r}; e.g. "
                "Instrument.SDSS().observation() or "
                'Observation(photometry=Photometry.from_names(["sdss_g"])).'
            )
        for one in self.spectrographs:
            if not isinstance(one, Spectrograph):
                raise ConfigError(
                    f"spectrographs are made by Spectrograph.of(wave, resolution), got {one!r}."
                )
        twice = [name for name, n in Counter(self.spectrum_names).items() if n > 1]
        if twice:
            raise ConfigError(
                f"Spectra named twice: {', '.join(twice)}. Give each a name: "
                'Instrument.spectrum(wave, resolution, name="blue").'
            )

    @property
    def can_do_photometry(self) -> bool:
        """Whether band fluxes are among the data."""
        return self.photometry is not None

    @property
    def filters(self) -> tuple[FilterCurve, ...]:
        """The bands."""
        return self.photometry.filters if self.can_do_photometry else ()

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Band names, in the order of the fluxes."""
        return tuple(f.name for f in self.filters)

    @property
    def spectrum_names(self) -> tuple[str, ...]:
        """Names of the spectra."""
        return tuple(one.name for one in self.spectrographs)

    def spectrograph(self, name: str | None = None) -> Spectrograph:
        """Return the spectrograph of a name; without one, the only one.

        Raises
        ------
        ConfigError, UnknownNameError
            No spectrograph, several and no name; a name that none has.
        """
        known = {one.name: one for one in self.spectrographs}
        if name is None and len(known) == 1:
            return self.spectrographs[0]
        if not known:
            raise ConfigError(
                "This observation has no spectrum: (Instrument.SDSS() + Instrument.DESI())"
                ".observation(), or give wavelengths in Å."
            )
        if name is None:
            raise ConfigError(
                f"This observation has several spectra: {', '.join(known)}. Name one."
            )
        if name not in known:
            raise unknown("spectrum", name, known)
        return known[name]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is observed."""
        if not self.spectrographs:
            return self.photometry.fingerprint
        parts = [one.fingerprint for one in self.spectrographs]
        parts += [self.photometry.fingerprint] if self.can_do_photometry else []
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def summary(self) -> str:
        """Return a table of the bands, and a line for each spectrum."""
        bands = [self.photometry.summary()] if self.can_do_photometry else []
        return "\n".join([*bands, *map(repr, self.spectrographs)])
