"""A spectral surrogate as data, and its file: grids in few eigenspectra, errors, provenance.

The file is one of `emulator.hdf5`, of the kind and with the document of every surrogate
(`emulator.artefact`), its target named ``spectrum``. Beside it

=========================  ===================================================================
``grids/<i>/axes/…``       lgmet, lg_age_gyr, wave [Å], age_edges_gyr of grid i
``grids/<i>/loadings/…``   young and old, float32
``grids/<i>/eigenspectra/…``  young and old, (n_r, n_wave)
``grids/<i>/ionising/…``   of stars alone: what gas around them answers to
``errors/<level>``         relative error of L_ν that this share of galaxies stays below, (n_wave,)
``filters/…``, ``checks/…``  bands that it was judged in, fluxes in them [maggies], as in others
=========================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from emulator import hdf5, history
from emulator.artefact import band_about, check_document, parameter_table, photometry_of
from emulator.description import FORMAT_VERSION, KIND, SPECTRUM
from emulator.spectral.compressed_grid import CompressedGrid
from tengri import __version__
from tengri.components.composition import Composition
from tengri.cosmology import Cosmology
from tengri.errors import ConfigError, DataError
from tengri.io import atomic
from tengri.io.jsonable import jsonable
from tengri.observation import Photometry
from tengri.parameters import Parameters

TABLES = ("spec", "target", "cosmology", "ssp", "accuracy", "training")
HEADER = hdf5.Header(KIND, FORMAT_VERSION, f"tengri {__version__}")

#: What may be asked for beyond the spec that it carries.
NOTES = (
    "Star-formation and metallicity histories, dust of any law, dust emission, nuclei, gas between "
    "galaxies and bands at any redshift are exact: give any spec and any observation. Where a grid "
    "of stars alone is among its grids, nebular='cloudy' is served, too, and its lines. Metals are "
    "those of the grid, clamped to its ends as in the exact model.",
)


@dataclass(frozen=True, eq=False)
class SpectralArtefact:
    """A spectral surrogate as data.

    Attributes
    ----------
    spec : Parameters
        The galaxies that it is of by default.
    photometry : Photometry
        Bands that it was judged in, and has by default.
    grids : tuple of CompressedGrid
        The first serves specs without ``nebular``; one of stars alone those with it.
    cosmology : dict
        From `emulator.history.cosmology_to_dict`.
    accuracy : dict
        JSON-serialisable tables of errors against the exact model.
    errors : dict
        Level in per cent → relative error of L_ν (n_wave,) on the wavelengths of the first grid.
    checks, training, card, created, sha256
        As in `emulator.trained.Artefact`.
    """

    spec: Parameters
    photometry: Photometry
    grids: tuple[CompressedGrid, ...]
    cosmology: dict[str, Any]
    accuracy: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, np.ndarray] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    card: str = ""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    sha256: str = ""

    name: ClassVar[str] = SPECTRUM
    notes: ClassVar[tuple[str, ...]] = NOTES

    @property
    def band_names(self) -> tuple[str, ...]:
        """Bands that it was judged in."""
        return self.photometry.names

    @property
    def ssp(self) -> dict[str, Any]:
        """Name and hash of the grid that it stands for by default."""
        return {"name": self.grids[0].name, "sha256": self.grids[0].about["sha256"]}

    def grid_for(self, composition: Composition) -> CompressedGrid:
        """Return the grid for some components: with gas, those of stars alone.

        Raises
        ------
        ConfigError
            Gas that it was not made for.
        """
        nebular = composition.nebular
        if nebular is None:
            return self.grids[0]
        known = [grid for grid in self.grids if not grid.has_gas]
        if not known:
            raise ConfigError(
                f"nebular={nebular.name!r}: this surrogate has no grid of stars alone, around "
                f"which there could be gas; it has {self.grids[0].name}. Leave nebular= out."
            )
        return known[0]

    def cosmology_object(self) -> Cosmology:
        """Return the cosmology as the model uses it."""
        return history.cosmology_from_dict(self.cosmology)

    def completed(self) -> SpectralArtefact:
        """Return the artefact itself: nothing is left to be computed."""
        return self


# --- files ------------------------------------------------------------------------------------


def write(path: str | Path, artefact: SpectralArtefact) -> str:
    """Write an artefact whole, sealed and read back; return its digest."""
    with atomic.whole(Path(path)) as temporary:
        sealed = hdf5.write(temporary, HEADER, document(artefact), arrays(artefact))
        read(temporary)
    return sealed


def document(artefact: SpectralArtefact) -> dict[str, Any]:
    """Return the JSON part."""
    return jsonable(
        {
            "format": KIND,
            "format_version": FORMAT_VERSION,
            "tengri_version": __version__,
            "created": artefact.created,
            "target": {"name": SPECTRUM, "input_names": []},
            "spec": artefact.spec.to_dict(),
            "parameters": parameter_table(artefact.spec),
            "bands": [band_about(f) for f in artefact.photometry.filters],
            "grids": [grid.about for grid in artefact.grids],
            "cosmology": artefact.cosmology,
            "ssp": artefact.ssp,
            "notes": NOTES,
            "accuracy": artefact.accuracy,
            "training": artefact.training,
            "card": artefact.card,
        }
    )  # fmt: skip


def arrays(artefact: SpectralArtefact) -> hdf5.Arrays:
    """Return the arrays by path."""
    out: hdf5.Arrays = {}
    for i, grid in enumerate(artefact.grids):
        out |= hdf5.flat(grid.arrays(), f"grids/{i:03d}")
    for i, curve in enumerate(artefact.photometry.filters):
        out |= hdf5.flat({"wave": curve.wave, "trans": curve.trans}, f"filters/{i:03d}")
    out |= hdf5.flat({k: np.asarray(v, np.float32) for k, v in artefact.errors.items()}, "errors")
    out |= hdf5.flat(artefact.checks, "checks")
    return out


def read(path: str | Path) -> SpectralArtefact:
    """Read an artefact of spectra; raises as `emulator.reading.read_any` does."""
    return parsed(Path(path), *hdf5.read(Path(path), KIND, newest=FORMAT_VERSION))


def parsed(
    path: Path, sealed: str, doc: Mapping[str, Any], stored: hdf5.Arrays
) -> SpectralArtefact:
    """Return the artefact of what was read; raises as `read` does."""
    try:
        check_document(doc, TABLES)
        artefact = _build(doc, stored, sealed)
        artefact.cosmology_object()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: malformed surrogate: {error}") from error
    return artefact


def _build(doc: Mapping[str, Any], stored: hdf5.Arrays, sealed: str) -> SpectralArtefact:
    grids = hdf5.nested(stored, "grids")
    made = tuple(CompressedGrid.from_arrays(about, grids[f"{i:03d}"])
                 for i, about in enumerate(doc["grids"]))  # fmt: skip
    artefact = SpectralArtefact(
        spec=Parameters.from_dict(doc["spec"]),
        photometry=photometry_of(doc["bands"], hdf5.nested(stored, "filters")),
        grids=made,
        cosmology=doc["cosmology"],
        accuracy=doc["accuracy"],
        errors=hdf5.nested(stored, "errors"),
        checks=hdf5.nested(stored, "checks"),
        training=doc["training"],
        card=doc["card"],
        created=doc["created"],
        sha256=sealed,
    )
    for level, values in artefact.errors.items():
        if values.shape != made[0].axes["wave"].shape:
            raise ConfigError(f"errors at {level} %: of {values.shape} wavelengths.")
    return artefact
