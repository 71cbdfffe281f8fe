"""Files of every format version so far load and give the fluxes they were written with."""

from __future__ import annotations

import emulator
from emulator.artefact import FORMAT_VERSION
from tests.emulator.conftest import ONE
from tests.emulator.make_golden import GOLDEN


def test_every_format_version_still_reads():
    for version in range(1, FORMAT_VERSION + 1):
        path = GOLDEN / f"v{version}.h5"
        assert path.is_file(), "a new format version needs: python -m tests.emulator.make_golden"
        assert emulator.verify(path).difference < 3e-5
        surrogate = emulator.load(path)
        assert surrogate.filter_names == ("u", "g", "r", "i")
        assert surrogate.predict_derived(ONE)["stellar_mass"] > 1e8
