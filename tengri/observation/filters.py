"""Filter curves: photon-counting transmission T(λ), linear between its knots.

Curves come from astro-sedpy's packaged files, read without importing it; those of Euclid from
speclite (optional). Every sedpy name works (``sdss_g0``), and so do the short ones (``sdss_g``).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tengri.errors import ConfigError, DataError, ParameterError, unknown
from tengri.io import hdf5_reader
from tengri.observation import conventions
from tengri.observation.filter_files import Curve, read_curves
from tengri.observation.segments import integral_dlnwave
from tengri.quantities import plain_values

WING = 1e-5  # transmission below this fraction of the peak, beyond the band, is trimmed (as sedpy)

# short name = prefix + band; file = pattern with {} = band, or its replacement after "="
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("sdss_", "sdss_{}0", "u g r i z"),
    ("galex_", "galex_{}", "fuv=FUV nuv=NUV"),
    ("2mass_", "twomass_{}", "j=J h=H ks=Ks"),
    ("wise_", "wise_{}", "w1 w2 w3 w4"),
    ("irac_", "spitzer_irac_{}", "36=ch1 45=ch2 58=ch3 80=ch4"),
    ("mips_", "spitzer_mips_{}", "24 70 160"),
    ("herschel_", "herschel_pacs_{}", "70 100 160"),
    ("herschel_", "herschel_spire_{}", "250 350 500"),
    ("hst_", "acs_wfc_{}", "f435w f475w f555w f606w f625w f775w f814w f850lp"),
    ("hst_", "wfc3_ir_{}", "f098m f105w f110w f125w f140w f160w"),
    ("hst_uvis_", "wfc3_uvis_{}", "f225w f275w f336w f390w f475w f555w f606w f814w"),
    ("miri_", "jwst_{}", "f560w f770w f1000w f1130w f1280w f1500w f1800w f2100w f2550w"),
    ("niriss_", "jwst_niriss_{}", "f090w f115w f140m f150w f158m f200w f277w f356w f380m f430m"),
    ("niriss_", "jwst_niriss_{}", "f444w f480m"),
    ("lsst_", "lsst_baseline_{}", "u g r i z y"),
    ("roman_", "roman_wfi_{}", "f062 f087 f106 f129 f146 f158 f184 f213"),
    ("decam_", "decam_{}", "y=Y"),
    ("des_", "decam_{}", "g r i z y=Y"),
    ("cfht_", "cfht_megacam_{}", "u=us_9301 g=gs_9401 r=rs_9601 i=is_9701 z=zs_9801"),
    ("cfht_", "cfht_wircam_{}", "j=J_8101 h=H_8201 ks=Ks_8302"),
    ("ps1_", "panstarrs_{}", "g r i z y"),
    ("suprimecam_", "subaru_suprimecam_{}", "b=B v=V r=rp i=ip z=zp rc=Rc"),
    ("moircs_", "subaru_moircs_{}", "j=J h=H ks=Ks"),
    ("isaac_", "vlt_isaac_{}", "j=J h=H ks=Ks"),
    ("vimos_", "vlt_vimos_{}", "u=U r=R"),
    ("wfi_", "mpgeso_wfi_{}", "b=B_eso842 i=Ic_eso845 r=Rc_eso844 u38=U38_eso841 v=V_eso843"),
    ("newfirm_", "mayall_newfirm_{}", "h1=H1 h2=H2 j1=J1 j2=J2 j3=J3 k=K"),
    ("mosaic_", "mayall_mosaic_{}", "u=U_k1001"),
    ("lris_", "keck_lris_{}", "g rs=Rs"),
    ("vista_", "vista_vircam_{}", "z=Z y=Y j=J h=H ks=Ks"),
    ("ukidss_", "ukirt_wfcam_{}", "j=J h=H k=K"),
    ("gaia_", "gaia_{}", "g bp rp"),
    ("uvot_", "uvot_{}", "w1 w2 m2"),
    ("johnson_", "bessell_{}", "u=U b=B v=V"),
    ("cousins_", "bessell_{}", "r=R i=I"),
)
_EUCLID = {f"euclid_{b.lower()}": f"Euclid-{b}" for b in ("VIS", "Y", "J", "H")}
_SUFFIXES = (".dat", ".txt", ".par", ".csv", ".res", ".pb", ".filt", ".ecsv", ".tab", ".tbl")


@dataclass(frozen=True, eq=False)
class FilterCurve:
    """A named transmission curve per photon.

    Attributes
    ----------
    name : str
        Band name.
    wave : (n,) array
        Knots, strictly increasing: plain numbers in Å, or a quantity of astropy.
    trans : (n,) array
        Transmission at the knots, any scale; linear between them and zero outside.
    reference : str
        How catalogues quote the flux density: "" for the band average, or a reference spectrum:
        ``pacs``, ``spire`` (ν f_ν constant; Poglitsch et al. 2010, A&A 518, L2; Griffin et al.
        2013, MNRAS 434, 992) or ``mips`` (a blackbody of 10⁴ K; MIPS Instrument Handbook,
        4.3.5): see `tengri.observation.conventions`.

    Raises
    ------
    ConfigError
        Arrays of unequal shape, unsorted, not finite or masked, negative, or without any
        transmission; a unit that is no length; a reference spectrum of other wavelengths.
    """

    name: str
    wave: np.ndarray
    trans: np.ndarray
    reference: str = ""

    def __post_init__(self) -> None:
        for attribute, unit in (("wave", "Angstrom"), ("trans", "any")):
            values = _plain(self.name, attribute, getattr(self, attribute), unit)
            values.setflags(write=False)
            object.__setattr__(self, attribute, values)
        problem = _problem(self.wave, self.trans)
        if problem:
            raise ConfigError(f"Filter curve {self.name!r}: {problem}.")
        if not self.name.isprintable():  # it goes to terminals, pages and figures
            raise ConfigError(f"Filter curve {self.name!r}: its name has control characters.")
        conventions.check(self.reference)
        _ = self.scale

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilterCurve) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"FilterCurve({self.name!r}, pivot={self.pivot:.1f} Å, n={self.wave.size})"

    @cached_property
    def pivot(self) -> float:
        """Pivot wavelength [Å]: λ_p² = ∫ T λ dλ / ∫ T dλ/λ."""
        step, mid = np.diff(self.wave), (self.wave[1:] + self.wave[:-1]) / 2.0
        product = self.trans * self.wave
        middle = (self.trans[1:] + self.trans[:-1]) / 2.0 * mid
        simpson = step / 6.0 * (product[1:] + 4.0 * middle + product[:-1])  # exact for a quadratic
        return float(np.sqrt(simpson.sum() / integral_dlnwave(self.wave, self.trans)))

    @cached_property
    def effective_width(self) -> float:
        """Width [Å] of the rectangle of the same area and peak: ∫ T dλ / max T."""
        return float(np.trapezoid(self.trans, self.wave) / self.trans.max())

    @cached_property
    def scale(self) -> float:
        """Flux density that is quoted over the band average: 1 without a reference spectrum."""
        pivot = self.pivot if self.reference else 0.0
        return conventions.scale(self.reference, pivot, self.wave, self.trans, self.name)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the name, the curve and its reference spectrum, if it has one."""
        digest = hashlib.sha256(self.name.encode())
        for values in (self.wave, self.trans):
            digest.update(values.astype("<f8").tobytes())
        digest.update(self.reference.encode())
        return digest.hexdigest()

    def trimmed(self, wing: float = WING) -> FilterCurve:
        """Return the curve without wings below ``wing`` times its peak, one knot kept beyond."""
        held = np.flatnonzero(self.trans > wing * self.trans.max())
        kept = slice(max(held[0] - 1, 0), held[-1] + 2)
        return replace(self, wave=self.wave[kept], trans=self.trans[kept])

    def renamed(self, name: str) -> FilterCurve:
        """Return the same curve under another name."""
        return replace(self, name=name)

    def with_reference(self, reference: str) -> FilterCurve:
        """Return the curve whose flux densities are quoted for a reference spectrum."""
        return replace(self, reference=reference)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"name", "wave", "trans"}`` for an artefact; `from_dict` reads it.

        With ``reference`` where the curve has one.
        """
        told = {"name": self.name, "wave": self.wave, "trans": self.trans}
        return told | ({"reference": self.reference} if self.reference else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FilterCurve:
        """Return the curve that `to_dict` wrote (arrays or lists)."""
        wave, trans = np.asarray(data["wave"]), np.asarray(data["trans"])
        return cls(str(data["name"]), wave, trans, str(data.get("reference", "")))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        name: str | None = None,
        *,
        number: int | None = None,
        unit: Any = None,
        detector: str | None = None,
        reference: str = "",
    ) -> FilterCurve:
        """Read one curve of a file; its name is the stem of the file, or the one it has there.

        Parameters
        ----------
        path : path
            Two columns, or a file of many curves such as EAZY's ``FILTER.RES``: see
            `tengri.observation.filter_files`.
        name : str, optional
            Another name.
        number : int, optional
            Which of many curves, from 1 on.
        unit : str or astropy unit, optional
            Of the wavelengths: ``angstrom``, ``nm``, ``um``, ``mm``, ``cm`` or ``m``. Default:
            what the header states, else Å.
        detector : {"photon", "energy"}, optional
            Whether the response is per photon or per energy. Default: what a line of the header
            says (``# energy``), else per photon. Per energy, T = R/λ is what the curve holds.
        reference : str
            See `FilterCurve`.

        Raises
        ------
        DataError
            A file that is missing or of another kind, a header with two units, many curves
            without ``number``.
        ConfigError
            An unknown unit, detector or reference spectrum; a curve that cannot be used.
        """
        if not isinstance(path, str | Path):
            raise ConfigError(f"Give one file, not {path!r}; Instrument.from_files takes many.")
        curves = read_curves(path, unit, detector)
        return cls._of(_chosen(curves, number, path), name, reference)

    @classmethod
    def all_from_file(
        cls,
        path: str | Path,
        *,
        unit: Any = None,
        detector: str | None = None,
        reference: str = "",
    ) -> tuple[FilterCurve, ...]:
        """Read every curve of a file; the arguments are those of `from_file`."""
        return tuple(cls._of(curve, None, reference) for curve in read_curves(path, unit, detector))

    @classmethod
    def _of(cls, curve: Curve, name: str | None, reference: str) -> FilterCurve:
        return cls(name or curve.name, curve.wave, curve.trans, reference).trimmed()


def _chosen(curves: list[Curve], number: int | None, path: str | Path) -> Curve:
    """Return the one curve, or the one of that number."""
    if number is None and len(curves) == 1:
        return curves[0]
    if isinstance(number, int) and 1 <= number <= len(curves):
        return curves[number - 1]
    shown = ", ".join(f"{i} {curve.name}" for i, curve in enumerate(curves[:6], 1))
    raise DataError(
        f"{path} holds {len(curves)} curve{'s' * (len(curves) > 1)} ({shown}"
        f"{' …' if len(curves) > 6 else ''}); choose one with number=1…{len(curves)}, or read all "
        "with FilterCurve.all_from_file or Instrument.from_files."
    )


def _plain(name: str, attribute: str, value: Any, unit: str) -> np.ndarray:
    """Return an array of a curve as new float64 numbers in ``unit``."""
    try:
        values, missing = plain_values(value, unit, attribute)
    except ParameterError as error:
        raise ConfigError(f"Filter curve {name!r}: {error}") from None
    if missing.any():
        raise ConfigError(
            f"Filter curve {name!r}: {attribute} has values that are masked, null or not finite."
        )
    return np.array(values)


def load_filter(name: str, reference: str = "") -> FilterCurve:
    """Return a curve by name (`filter_names` lists them) or from a file with one curve.

    Parameters
    ----------
    name : str
        A short name (``sdss_g``), a sedpy name (``sdss_g0``), or a path ending in .dat, .txt,
        .par, .csv, .res, .pb, .filt, .ecsv, .tab or .tbl: see `FilterCurve.from_file`.
    reference : str
        How catalogues quote the flux density: ``pacs``, ``spire`` or ``mips`` for the bands of
        those, "" for the band average. The curves that come with the package are per photon.

    Raises
    ------
    UnknownNameError
        No such curve; the message carries near matches.
    DataError
        A file, or the package that carries the curve, is missing or unreadable.
    """
    if str(name).lower().endswith(_SUFFIXES):
        return FilterCurve.from_file(name, reference=reference)
    curve = _named(str(name))
    return curve.with_reference(reference) if reference else curve


def filter_names() -> tuple[str, ...]:
    """Return every name that `load_filter` knows, sorted."""
    return tuple(sorted({*_short_names(), *_sedpy_files(), *_EUCLID}))


def collection(name: str) -> str:
    """Return the package that a curve of this name comes from; empty for a user's own."""
    if name in _EUCLID:
        return "speclite"
    return "sedpy" if name in _short_names() or name in _sedpy_files() else ""


@cache
def _named(name: str) -> FilterCurve:
    if name in _EUCLID:
        return _euclid_curve(name)
    files = _sedpy_files()
    file = files.get(_short_names().get(name, name))
    if file is None:
        raise unknown("filter", name, filter_names())
    return _cleaned(name, *_read_columns(file))


def _cleaned(name: str, wave: np.ndarray, trans: np.ndarray) -> FilterCurve:
    """Drop the noise below zero that published curves carry, sort and trim, as sedpy does."""
    good = np.isfinite(wave) & np.isfinite(trans) & (trans >= 0.0)
    order = np.argsort(wave[good])
    return FilterCurve(name, wave[good][order], trans[good][order]).trimmed()


@cache
def _short_names() -> dict[str, str]:
    """Return short name → sedpy name."""
    return {
        prefix + band.partition("=")[0]: pattern.format(band.partition("=")[2] or band)
        for prefix, pattern, bands in _FAMILIES
        for band in bands.split()
    }


@cache
def _sedpy_files() -> dict[str, Path]:
    """Return sedpy name → file. The package is located, not imported (that takes 0.7 s)."""
    spec = importlib.util.find_spec("sedpy")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("The filter curves come with astro-sedpy: pip install astro-sedpy")
    folder = Path(spec.submodule_search_locations[0], "data", "filters")
    files = {file.stem: file for file in folder.glob("*.par")}
    if not files:
        raise DataError(f"No filter curves (*.par) in {folder}; reinstall astro-sedpy.")
    return files


def _euclid_curve(name: str) -> FilterCurve:
    try:
        from speclite.filters import load_filter as speclite_filter
    except ImportError as error:
        raise DataError(
            f"Filter {name!r} needs the optional package speclite: pip install speclite"
        ) from error
    response = speclite_filter(_EUCLID[name])
    return _cleaned(name, np.asarray(response.wavelength), np.asarray(response.response))


def _read_columns(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two columns of a text file; blanks or commas separate, # comments."""
    try:
        text = hdf5_reader.read_text(path).replace(",", " ")
        table = np.loadtxt(text.splitlines(), usecols=(0, 1), ndmin=2)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of a filter curve.") from None
    except DataError:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not a file of wavelength [Å], transmission ({error}).") from error
    return table[:, 0], table[:, 1]


def _problem(wave: np.ndarray, trans: np.ndarray) -> str:
    """Return what is wrong with a curve, or nothing."""
    if wave.ndim != 1 or wave.shape != trans.shape or wave.size < 2:
        return f"two axes of one length ≥ 2 expected, got {wave.shape} and {trans.shape}"
    if not (np.isfinite(wave).all() and np.isfinite(trans).all()):
        return "values that are not finite"
    if not wave[0] > 0.0 or not (np.diff(wave) > 0.0).all():
        return "wavelengths must be positive and strictly increasing"
    if (trans < 0.0).any():
        return f"negative transmission ({trans.min():.3g}); set it to zero"
    return "" if trans.max() > 0.0 else "no transmission anywhere"
