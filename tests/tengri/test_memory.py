"""Memory: of the first prediction, of one model more, and what is left when that is dropped."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODEL = """
import ctypes, gc, sys
import tengri
def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
spec = dict(sfh_dpl_log_peak_sfr=(-1.0, 3.0), sfh_dpl_tau_gyr=3.0, sfh_dpl_alpha=2.0,
            sfh_dpl_beta=2.0, met_logzsol=(-1.0, 0.2), dust_tau_diff=0.3)
def made(name, i):
    if name == "exact":
        seen = tengri.Instrument.SDSS().observation()
        return tengri.load_model(name, spec=tengri.Parameters(redshift=0.1 + 0.02 * i, **spec),
                                 observation=seen)
    model = tengri.load_model(name)
    return model.with_spec(model.spec.with_params(redshift=0.1 + 0.02 * i))
def use(model):
    middle = {name: sum(model.spec.get_distribution(name).bounds) / 2
              for name in model.spec.free_params}
    for _ in range(4):  # after sixteen a model has a program of its own
        model.predict_photometry(middle)
def settled():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory("VmRSS")
"""
FIRST = MODEL + "use(made(sys.argv[1], 0)); print(memory('VmHWM'))"
BARE = (
    MODEL.replace("import tengri\n", "import jax, jax.numpy as jnp\n")
    + "jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((8, 8))); print(memory('VmHWM'))"
)
MORE = (
    MODEL
    + """
first = made(sys.argv[1], 0)
use(first)
before = settled()
kept = [made(sys.argv[1], i) for i in range(1, 9)]
for model in kept:
    use(model)
with_them = settled()
del model
kept.clear()
print((with_them - before) / 8, settled() - before)
"""
)


def numbers(script: str, name: str) -> list[float]:
    # compiled as users do: not as fast as tests, and from no cache
    own = {name: value for name, value in os.environ.items()
           if name != "XLA_FLAGS" and not name.startswith("JAX_")}  # fmt: skip
    environment = {**own, "TENGRI_COMPILATION_CACHE": "0"}
    ran = subprocess.run([sys.executable, "-c", script, name], check=True, capture_output=True,
                         text=True, env=environment)  # fmt: skip
    return [float(word) for word in ran.stdout.split()]


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counted as Linux does"),
]


@pytest.mark.parametrize("name", ["exact", "sdss"])
def test_a_first_prediction_takes_130_megabytes_beyond_jax(name):
    # JAX alone takes 210 to 240 MB, by the machine's cores, allocator and page size
    (jax_alone,) = numbers(BARE, name)
    (peak,) = numbers(FIRST, name)
    assert peak - jax_alone < 130.0


@pytest.mark.parametrize("name, most", [("exact", 10.0), ("sdss", 10.0)])
def test_one_model_more_is_small_and_goes_when_it_is_dropped(name, most):
    each, left = numbers(MORE, name)
    assert each < most
    assert left < 4.0 * each + 10.0  # of eight
