"""The exported pair needs NumPy alone and gives the surrogate's fluxes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from emulator import export, published
from emulator.artefact import write
from emulator.surrogate import EmulatedSEDModel
from emulator.verification import SAME, evaluate, with_checks
from tengri.__main__ import main
from tengri.errors import ConfigError
from tests.emulator.conftest import draws, untrained

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import mine
params = json.load(sys.stdin)
print(json.dumps({"flux": mine.fluxes(**params).tolist(), "bands": mine.BANDS,
                  "loaded": [m for m in ("jax", "h5py", "tengri") if m in sys.modules]}))
"""

#: The published surrogate that is a table of the exact model, behind laws of the registry.
TABLE = "sdss_nodes"


def alone(folder, params):
    """Evaluate in a process of its own."""
    given = json.dumps({name: np.asarray(v).tolist() for name, v in params.items()})
    done = subprocess.run([sys.executable, "-I", "-c", PROGRAM, str(folder)], input=given,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return json.loads(done.stdout)


def test_numpy_alone(file, surrogate, tmp_path, capsys):
    words = ["export", str(file), "--numpy", "-o", str(tmp_path), "--name", "mine", "--json"]
    assert main(words) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["code"] == str(tmp_path / "mine.py") and made["difference"] < 1e-4
    params = draws(surrogate.spec, 50, seed=3)
    answer = alone(tmp_path, params)
    assert answer["loaded"] == [] and tuple(answer["bands"]) == surrogate.filter_names
    ours = np.asarray(surrogate.predict_photometry_batch(params))
    np.testing.assert_allclose(answer["flux"], ours, rtol=3e-5)
    one = {name: v[0] for name, v in params.items()}
    outside = alone(tmp_path, {**one, "dust_tau_bc": 99.0})["flux"]
    assert np.isnan(outside).all() and np.shape(outside) == (4,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"activation": "speculator", "redshift": "fourier"},
        {"activation": "tanh", "redshift": "none", "tables": (0, 2)},
        {"activation": "smoothstep"},
    ],
)
def test_every_kind_of_network(exact, tmp_path, options):
    params = draws(exact.spec, 8, seed=5)
    artefact = with_checks(untrained(exact, **options), params, evaluate(exact, params))
    write(tmp_path / "made.h5", artefact)
    export.to_numpy(tmp_path / "made.h5", tmp_path, "mine")
    answer = alone(tmp_path, params)["flux"]
    np.testing.assert_allclose(
        answer, EmulatedSEDModel(artefact).predict_photometry_batch(params), rtol=3e-5
    )


def test_the_published_ones(tmp_path):
    assert "reproduces" in str(export.to_numpy("sdss_tsnorm", tmp_path))
    assert {f.name for f in tmp_path.iterdir()} >= {"sdss_tsnorm.npz", "sdss_tsnorm.py"}


def test_a_name_that_is_no_module(file, tmp_path):
    with pytest.raises(ConfigError, match="no name of a module"):
        export.to_numpy(file, tmp_path, "my-model")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    sorted(n for n in published.names() if not n.endswith("_nodes") and n != "spectrum_compact"),
)
def test_every_published_surrogate_can_be_exported(name, tmp_path):
    assert export.to_numpy(name, tmp_path, name).difference <= SAME


def test_a_table_says_that_it_has_no_export(tmp_path):
    with pytest.raises(ConfigError, match="'table' has no form in NumPy alone"):
        export.to_numpy(TABLE, tmp_path, "nodes")
