"""Priors go to numpyro and come back; densities are those of numpyro."""

from __future__ import annotations

import numpy as np
import pytest

from tengri import Parameters, priors
from tengri.errors import ParameterError
from tengri.numpyro_priors import from_numpyro, to_numpyro

laws = pytest.importorskip("numpyro.distributions")

PRIORS = (
    priors.Uniform(-1.0, 2.0), priors.LogUniform(0.1, 10.0), priors.Normal(0.5, 2.0),
    priors.Normal(0.5, 2.0, -1.0, 1.5), priors.Normal(0.0, 1.0, 0.2), priors.Laplace(0.1, 0.7),
    priors.Laplace(0.1, 0.7, -1.0, 1.0), priors.StudentT(0.0, 0.3, 2.0), priors.LogNormal(0.0, 0.5),
)  # fmt: skip


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_there_and_back(prior):
    law = to_numpyro(prior)
    lo, hi = (max(prior.lo, -3.0), min(prior.hi, 3.0))
    x = np.linspace(lo, hi, 9)[1:-1]
    np.testing.assert_allclose(prior.log_prob(x), law.log_prob(x), rtol=2e-5, atol=2e-5)
    assert from_numpyro(law) == prior


def test_a_truncated_log_normal_is_the_exponential_of_a_truncated_normal():
    prior = priors.LogNormal(0.0, 0.5, 0.5, 3.0)
    x = np.array([0.6, 1.0, 2.9])
    np.testing.assert_allclose(prior.log_prob(x), to_numpyro(prior).log_prob(x), rtol=1e-4)


def test_a_spec_reads_them_and_gives_them():
    spec = Parameters(redshift=laws.Uniform(0.01, 1.0), met_logzsol=laws.Delta(-0.5),
                      dust_tau_diff=laws.TruncatedNormal(0.3, 0.2, low=0.0, high=2.0))  # fmt: skip
    assert spec.get_distribution("redshift") == priors.Uniform(0.01, 1.0)
    assert spec.fixed_value("met_logzsol") == -0.5
    assert spec.get_distribution("dust_tau_diff") == priors.Normal(0.3, 0.2, 0.0, 2.0)
    given = to_numpyro(spec)
    assert set(given) == set(spec.free_params) and isinstance(given["redshift"], laws.Uniform)


def test_what_has_no_counterpart_is_named():
    with pytest.raises(ParameterError, match=r"redshift: Gamma has no counterpart.*Uniform"):
        Parameters(redshift=laws.Gamma(2.0, 1.0))
    with pytest.raises(ParameterError, match=r"shape \(3,\)"):
        from_numpyro(laws.Normal(np.zeros(3), 1.0))
    with pytest.raises(ParameterError, match="latent vectors"):
        to_numpyro(Parameters(mean_sfh_type=["dpl", "field"]))
