"""Training of surrogates on the exact model: data, loop, evaluation, artefact, report."""
