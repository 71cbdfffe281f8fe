"""The sources of evaluators of a model, built from what it publishes: which one serves what."""

from __future__ import annotations

from emulator.evaluator import EmulatedEvaluators
from emulator.surrogate import EmulatedSEDModel
from tengri import PhotometricModel, SEDModel
from tengri.components.stellar.metal_nodes import MetalNodes
from tengri.forward.exact_evaluators import ExactEvaluators
from tengri.forward.exact_guard import ExactGuard
from tengri.forward.galaxy import Stars
from tengri.forward.grid_spectra import GridSpectra


def evaluators_of(model: PhotometricModel) -> ExactEvaluators | EmulatedEvaluators:
    """Return a source of evaluators like the model's own."""
    return emulated(model) if isinstance(model, EmulatedSEDModel) else exact(model)


def exact(model: SEDModel) -> ExactEvaluators:
    """Return that of an exact model."""
    filters = model.observation.photometry.filters
    metallicities = ExactGuard.of(model.galaxy, filters).metallicities
    grid = GridSpectra.build(model.spec.composition, model.ssp, model.cosmology)
    return ExactEvaluators(model.spec, grid, filters, metallicities)


def emulated(model: EmulatedSEDModel) -> EmulatedEvaluators:
    """Return that of a surrogate."""
    artefact, filters = model.artefact, model.observation.photometry.filters
    names = artefact.photometry.names
    bands = tuple(names.index(name) for name in model.filter_names)
    asked = artefact.target.emitting(model.spec, artefact.spec).composition
    stars = Stars(
        asked, model.cosmology, artefact.ssp["age_edges"], MetalNodes(artefact.ssp["lgmet"])
    )
    return EmulatedEvaluators(artefact, model.spec, model.domain, stars, bands, filters)
