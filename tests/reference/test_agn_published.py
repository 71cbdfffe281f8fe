"""The disc of ``standard`` against the bolometric corrections of thin discs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from tengri.components.agn import AGN_MODELS
from tengri.components.agn.standard import disc

# Netzer 2019, MNRAS 488, 5185, table 1: L_bol / λL_λ = c (λL_λ / 1e42 erg/s)^d
NETZER_2019 = {5100.0: (40.0, -0.2), 3000.0: (25.0, -0.2), 1400.0: (7.0, -0.1)}


@pytest.mark.parametrize("wave_aa", NETZER_2019)
@pytest.mark.parametrize("log_ledd", [-1.0, -0.5])
@pytest.mark.parametrize("log_mbh", [7.0, 8.0, 9.0])
def test_bolometric_corrections_of_thin_discs(wave_aa, log_ledd, log_mbh):
    """Within the factor that mass, spin and inclination leave open in that relation."""
    given = {"agn_log_mbh": log_mbh, "agn_log_ledd": log_ledd}
    p = {q.name: jnp.asarray(given.get(q.name, q.default)) for q in AGN_MODELS["standard"].params}
    nu = 2.99792458e18 / wave_aa
    share = float(disc(jnp.asarray([nu]), p)[0]) * nu
    lbol = 1.26e38 * 10 ** (log_mbh + log_ledd)
    c, d = NETZER_2019[wave_aa]
    published = c * (share * lbol / 1e42) ** d
    assert abs(np.log(1.0 / share / published)) < np.log(1.6)
