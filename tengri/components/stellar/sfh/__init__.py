"""Star-formation histories: families, their composition, prior draws, the stochastic field."""

from tengri.components.stellar.sfh.bin_edges import BinEdges
from tengri.components.stellar.sfh.family import SFHFamily
from tengri.components.stellar.sfh.gp_sfh import compute_field_gp, make_log_age_grid
from tengri.components.stellar.sfh.history import NO_STARS, StarFormationHistory, takes_bins
from tengri.components.stellar.sfh.prior_sampling import sample_sfh_prior
from tengri.components.stellar.sfh.registry import (
    SFH_FAMILIES,
    families_of,
    family_parameters,
    other_time,
)
from tengri.components.stellar.sfh.table import check_table

__all__ = [
    "NO_STARS",
    "SFH_FAMILIES",
    "BinEdges",
    "SFHFamily",
    "StarFormationHistory",
    "check_table",
    "compute_field_gp",
    "families_of",
    "family_parameters",
    "make_log_age_grid",
    "other_time",
    "sample_sfh_prior",
    "takes_bins",
]
