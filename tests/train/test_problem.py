"""A configuration that cannot be trained is refused before anything is measured or written."""

from __future__ import annotations

import pytest

from tengri.errors import ConfigError
from tests.train.conftest import CONFIG, changed
from train.problem import Problem


@pytest.mark.parametrize("redshift", [(0, 4), 0.0])
def test_a_box_that_reaches_redshift_zero_is_refused(redshift):
    given = {**CONFIG.model.parameters, "redshift": redshift}
    with pytest.raises(ConfigError, match=r"redshift reaches 0.*begin at 0\.001"):
        Problem.build(changed(CONFIG, "model", parameters=given))
