"""Instruments by name: filter sets in ``INSTRUMENTS``, spectra in ``SPECTROGRAPHS``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from tengri.errors import ConfigError, unknown
from tengri.observation.filters import FilterCurve
from tengri.observation.photometry import Observation, Photometry
from tengri.observation.spectrograph import Spectrograph
from tengri.observation.spectrographs import SPECTROGRAPHS, PixelSet


@dataclass(frozen=True)
class FilterSet:
    """One instrument: display name, prefix and bands of its filters, what it is for, its paper."""

    name: str
    prefix: str
    bands: str
    description: str
    reference: str = ""

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Names that `load_filter` knows."""
        return tuple(self.prefix + band for band in self.bands.split())


# fmt: off  (two lines an instrument)
INSTRUMENTS: dict[str, FilterSet] = {
    "SDSS": FilterSet(
        "SDSS",
        "sdss_",
        "u g r i z",
        "ugriz, the canonical low-redshift optical set",
        "Doi et al. 2010, AJ 139, 1628",
    ),
    "GALEX": FilterSet(
        "GALEX",
        "galex_",
        "fuv nuv",
        "far and near ultraviolet imaging",
        "Morrissey et al. 2007, ApJS 173, 682",
    ),
    "TWOMASS": FilterSet(
        "2MASS",
        "2mass_",
        "j h ks",
        "all-sky near-infrared J, H, Ks",
        "Cohen et al. 2003, AJ 126, 1090",
    ),
    "WISE": FilterSet(
        "WISE",
        "wise_",
        "w1 w2 w3 w4",
        "all-sky mid-infrared, 3.4 to 22 µm",
        "Wright et al. 2010, AJ 140, 1868",
    ),
    "SPITZER_IRAC": FilterSet(
        "Spitzer_IRAC",
        "irac_",
        "36 45 58 80",
        "Spitzer mid-infrared channels 1 to 4",
        "Fazio et al. 2004, ApJS 154, 10",
    ),
    "HERSCHEL": FilterSet(
        "Herschel",
        "herschel_",
        "100 160 250 350 500",
        "PACS and SPIRE far infrared",
        "Poglitsch et al. 2010, A&A 518, L2; Griffin et al. 2010, A&A 518, L3",
    ),
    "HST_ACS_WFC3": FilterSet(
        "HST_ACS_WFC3",
        "hst_",
        "f435w f606w f775w f814w f850lp f105w f125w f140w f160w",
        "Hubble deep fields, ACS/WFC optical and WFC3/IR",
        "Sirianni et al. 2005, PASP 117, 1049",
    ),
    "JWST_NIRCam": FilterSet(
        "JWST_NIRCam",
        "jwst_",
        "f070w f090w f115w f150w f200w f277w f356w f444w",
        "wide near-infrared bands, 0.7 to 4.4 µm",
        "Rieke et al. 2023, PASP 135, 028001",
    ),
    "JWST_MIRI": FilterSet(
        "JWST_MIRI",
        "miri_",
        "f560w f770w f1000w f1130w f1280w f1500w f1800w f2100w f2550w",
        "mid-infrared imaging, 5.6 to 25.5 µm",
        "Wright et al. 2023, PASP 135, 048003",
    ),
    "LSST": FilterSet(
        "LSST",
        "lsst_",
        "u g r i z y",
        "Rubin Observatory optical survey",
        "Ivezić et al. 2019, ApJ 873, 111",
    ),
    "ROMAN_WFI": FilterSet(
        "Roman_WFI",
        "roman_",
        "f062 f087 f106 f129 f146 f158 f184 f213",
        "Roman wide-field imaging, 0.5 to 2.3 µm",
        "Akeson et al. 2019, arXiv:1902.05569",
    ),
    "HSC": FilterSet(
        "HSC",
        "hsc_",
        "g r i z y",
        "Subaru Hyper Suprime-Cam survey",
        "Kawanomoto et al. 2018, PASJ 70, 66",
    ),
    "DECAM": FilterSet(
        "DECam",
        "decam_",
        "u g r i z y",
        "Dark Energy Camera (DES, DECaLS)",
        "Flaugher et al. 2015, AJ 150, 150",
    ),
    "PANSTARRS": FilterSet(
        "PanSTARRS", "ps1_", "g r i z y", "Pan-STARRS1 3π survey", "Tonry et al. 2012, ApJ 750, 99"
    ),
    "VISTA": FilterSet(
        "VISTA",
        "vista_",
        "z y j h ks",
        "VIRCAM near-infrared surveys",
        "Sutherland et al. 2015, A&A 575, A25",
    ),
    "UKIDSS": FilterSet(
        "UKIDSS",
        "ukidss_",
        "j h k",
        "UKIRT WFCAM near infrared J, H, K",
        "Hewett et al. 2006, MNRAS 367, 454",
    ),
    "EUCLID": FilterSet(
        "Euclid",
        "euclid_",
        "vis y j h",
        "VIS and NISP (needs speclite)",
        "Schirmer et al. 2022, A&A 662, A92",
    ),
}
# fmt: on


class _Factories(type):
    """Make every entry of both registries a factory: ``Instrument.SDSS()``."""

    def __getattr__(cls, key: str) -> Callable[[], Instrument]:
        if key in INSTRUMENTS:
            return partial(_instrument, INSTRUMENTS[key])
        if key in SPECTROGRAPHS:
            return partial(_with_spectrum, SPECTROGRAPHS[key])
        raise AttributeError(str(unknown("instrument", key, {**INSTRUMENTS, **SPECTROGRAPHS})))

    def __dir__(cls) -> list[str]:
        return [*super().__dir__(), *INSTRUMENTS, *SPECTROGRAPHS]


@dataclass(frozen=True)
class Instrument(metaclass=_Factories):
    """A named set of bands, of spectra, or of both.

    Attributes
    ----------
    name : str
        Display name.
    photometry : Photometry or None
        The bands; None of a spectrograph.
    description : str
        One line on what it is for.
    spectrographs : tuple of Spectrograph
        Pixels and line-spread functions.

    Examples
    --------
    >>> from tengri import Instrument
    >>> Instrument.SDSS().filter_names
    ('sdss_u', 'sdss_g', 'sdss_r', 'sdss_i', 'sdss_z')
    >>> (Instrument.SDSS() + Instrument.WISE()).photometry.n_filters
    9
    >>> (Instrument.SDSS() + Instrument.DESI()).observation().spectrograph()
    Spectrograph(DESI: 7781 pixels, 3599.6–9824.4 Å)
    """

    name: str
    photometry: Photometry = None  # type: ignore[assignment]  # so that none has our message
    description: str = ""
    spectrographs: tuple[Spectrograph, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spectrographs", tuple(self.spectrographs))
        alone = self.photometry is None and self.spectrographs
        if not alone and not isinstance(self.photometry, Photometry):
            raise ConfigError(
                f"photometry must be a Photometry, got {self.photometry!r}; "
                "for names use Instrument.from_names([...])."
            )

    @classmethod
    def from_names(
        cls, names: Iterable[str], name: str = "custom", description: str = ""
    ) -> Instrument:
        """Return an instrument of these filters (names that `load_filter` knows, or files)."""
        return cls(name, Photometry.from_names(names), description)

    @classmethod
    def from_files(
        cls,
        paths: Iterable[str | Path],
        name: str = "custom",
        description: str = "",
        *,
        unit: Any = None,
        detector: str | None = None,
        reference: str = "",
    ) -> Instrument:
        """Return an instrument of all curves of some files; see `FilterCurve.from_file`."""
        if isinstance(paths, str | Path):
            raise ConfigError(f"Give a list of files: [{str(paths)!r}].")
        curves = [
            FilterCurve.all_from_file(path, unit=unit, detector=detector, reference=reference)
            for path in paths
        ]
        return cls(name, Photometry(tuple(chain.from_iterable(curves))), description)

    @classmethod
    def from_svo(
        cls,
        filters: Iterable[str | Path],
        name: str = "custom",
        description: str = "",
        *,
        refresh: bool = False,
    ) -> Instrument:
        """Return an instrument of filters of the SVO Filter Profile Service.

        Parameters
        ----------
        filters : sequence
            Identifiers such as ``SLOAN/SDSS.u``, which are asked for once and kept in
            ``~/.cache/tengri/svo``, or files of the service: VOTables (.xml, .vot), .dat.
        name, description : str
        refresh : bool
            Ask the service even where its answer is on disk.

        Raises
        ------
        ConfigError, DataError
            As in `tengri.observation.svo.svo_curve` and `FilterCurve.from_file`.
        """
        from tengri.observation.svo import VOTABLES, read_votable, svo_curve

        if isinstance(filters, str | Path):
            raise ConfigError(f"Give a list of filters: [{str(filters)!r}].")
        curves = []
        for given in filters:
            suffix = Path(given).suffix.lower()
            if suffix in VOTABLES:
                curves.append(read_votable(given))
            elif Path(given).is_file():
                curves.append(FilterCurve.from_file(given))
            else:
                curves.append(svo_curve(str(given), refresh))
        return cls(name, Photometry(tuple(curves)), description)

    @classmethod
    def spectrum(
        cls,
        wave: Any = None,
        resolution: Any = None,
        *,
        edges: Any = None,
        name: str = "spectrum",
        description: str = "",
    ) -> Instrument:
        """Return a spectrograph of given pixels as an instrument; see `Spectrograph.of`."""
        pixels = Spectrograph.of(wave, resolution, edges=edges, name=name)
        return cls(name, description=description, spectrographs=(pixels,))

    @staticmethod
    def list() -> list[dict[str, Any]]:
        """Return a row per set of bands: factory, name, n_bands, filter_names, description."""
        return [
            {
                "factory": key,
                "name": entry.name,
                "n_bands": len(entry.filter_names),
                "filter_names": entry.filter_names,
                "description": entry.description,
            }
            for key, entry in INSTRUMENTS.items()
        ]

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Band names, in the order of the fluxes."""
        return self.observation().filter_names

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the band names and curves, and the spectrographs."""
        return self.observation().fingerprint

    def observation(self) -> Observation:
        """Return the observation to give to a model."""
        return Observation(self.photometry, self.spectrographs)

    def select(self, names: Iterable[str]) -> Instrument:
        """Return the instrument with these bands, in this order."""
        if self.photometry is None:
            raise ConfigError(f"{self.name} has no bands to select.")
        return replace(self, photometry=self.photometry.select(names))

    def __add__(self, other: Instrument) -> Instrument:
        """Return both: what both have counts once; two curves of one name are an error."""
        if not isinstance(other, Instrument):
            return NotImplemented
        texts = [text for text in (self.description, other.description) if text]
        sets = [one.photometry for one in (self, other) if one.photometry is not None]
        bands: Any = sum(sets[1:], start=sets[0]) if sets else None
        more = (one for one in other.spectrographs if one not in self.spectrographs)
        return Instrument(
            f"{self.name}+{other.name}", bands, "; ".join(texts), (*self.spectrographs, *more)
        )

    def __str__(self) -> str:
        n_bands = len(self.filter_names)
        counts = [f"{n_bands} bands"] if n_bands else []
        counts += [f"{len(one)} pixels" for one in self.spectrographs]
        text = f" — {self.description}" if self.description else ""
        return f"{self.name}: {', '.join(counts)}{text}\n{self.observation().summary()}"


def _instrument(entry: FilterSet) -> Instrument:
    return Instrument.from_names(entry.filter_names, entry.name, entry.description)


def _with_spectrum(entry: PixelSet) -> Instrument:
    pixels = entry.spectrograph()
    return Instrument(entry.name, description=entry.description, spectrographs=(pixels,))
