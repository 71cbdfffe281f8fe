"""Several devices of one process evaluate a batch together, and change nothing but the time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tengri.forward.sharding import sizes_over

ROOT = Path(__file__).resolve().parents[3]
ROWS = """
import jax, numpy
from tengri.forward.batching import RowMap, Sizes
from tests.compilations import compilations
def row(matrix, one):
    return {"sum": matrix @ one["x"], "scale": one["s"] * 2.0}
row_map, matrix = RowMap(row), numpy.arange(6.0, dtype="f4").reshape(2, 3)
assert len(jax.local_devices()) == 3
def check(n):
    rows = {"x": numpy.arange(3.0 * n, dtype="f4").reshape(n, 3), "s": numpy.arange(n, dtype="f4")}
    found = row_map(matrix, rows, Sizes(block=4, chunk=24))
    assert found["sum"].devices() == {jax.devices()[0]}
    numpy.testing.assert_array_equal(found["sum"], rows["x"] @ matrix.T)
    numpy.testing.assert_array_equal(found["scale"], 2.0 * rows["s"])
check(100)
with compilations() as compiled:
    for n in (1, 3, 4, 5, 12, 13, 24, 25, 99):
        check(n)
assert compiled.count == 0 and row_map.n_programs == 1
with jax.default_device(jax.devices()[1]):
    assert row_map(matrix, {"x": numpy.ones((5, 3), "f4"), "s": numpy.ones(5, "f4")},
                   Sizes(block=4, chunk=24))["sum"].devices() == {jax.devices()[1]}
"""
PREDICTIONS = """
import hashlib, sys, h5py, jax, numpy
import tengri
from tengri.__main__ import main
assert len(jax.local_devices()) == int(sys.argv[1])
spec = tengri.Parameters(redshift=(0.01, 1.0), met_logzsol=(-1.0, 0.2), dust_tau_diff=(0.0, 2.0),
                         sfh_dpl_tau_gyr=3.0, sfh_dpl_alpha=2.0, sfh_dpl_beta=2.0)
exact = tengri.load_model("exact", spec, "SDSS", units="nJy")
drawn = {name: numpy.asarray(v) for name, v in spec.sample_sobol(1300, seed=3).items()}
flux = numpy.asarray(exact.predict_photometry_batch(drawn))
assert numpy.isfinite(flux).all()
print(hashlib.sha256(flux.tobytes()).hexdigest())
fast = tengri.load_model("sdss")
drawn = fast.spec.sample_sobol(20000, seed=4)
with h5py.File("cat.h5", "w") as file:
    for name in fast.spec.free_params:
        file[name] = numpy.asarray(drawn[name])
assert main(["predict", "cat.h5", "-o", "out.h5", "--model", "sdss"]) == 0
with h5py.File("out.h5") as file:
    for name in sorted(file):
        print(name, hashlib.sha256(file[name][:].tobytes()).hexdigest())
"""


def on_devices(n: int, script: str, folder: Path) -> str:
    folder.mkdir()
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={n}"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", script, str(n)], cwd=folder, env=environment,
                         check=False, capture_output=True, text=True)  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


def digests(printed: str) -> list[str]:
    """Return the lines that end with a digest: the command has words of its own, and a time."""
    return [line for line in printed.splitlines() if re.search(r"(^|\s)[0-9a-f]{64}$", line)]


@pytest.mark.parametrize(
    "n, sizes, wanted",
    [(2, (128, 1024), (128, 512)), (3, (128, 1024), (128, 256)), (8, (4096, 65536), (4096, 8192)),
     (4, (65536, 65536), (16384, 16384)), (4, (1, 2), (1, 1))],
)  # fmt: skip
def test_blocks_stay_as_they_are_unless_devices_would_have_none(n, sizes, wanted):
    assert sizes_over(n, *sizes) == wanted


def test_every_number_of_rows_on_three_devices_is_compiled_once(tmp_path):
    on_devices(3, ROWS, tmp_path / "three")


@pytest.mark.slow
def test_catalogues_and_batches_are_the_same_on_two_devices(tmp_path):
    one, two = (digests(on_devices(n, PREDICTIONS, tmp_path / str(n))) for n in (1, 2))
    assert len(one) == 12  # the exact model; five bands, their error bars and the flag
    assert one == two
