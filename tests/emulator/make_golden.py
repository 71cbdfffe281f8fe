"""Write the golden file of the current format: run once per format version, then keep it.

    python -m tests.emulator.make_golden

Later versions must read it and give the fluxes in it (`tests/emulator/test_golden.py`).
"""

from __future__ import annotations

from pathlib import Path

import jax

from emulator.artefact import FORMAT_VERSION, write
from emulator.verification import evaluate, with_checks
from tengri import Parameters, SEDModel
from tests.emulator.conftest import BOX, draws, tiny_observation, tiny_ssp, untrained

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    """Write ``golden/v<format version>.h5``; an existing one is never replaced."""
    path = GOLDEN / f"v{FORMAT_VERSION}.h5"
    if path.exists():
        raise SystemExit(f"{path} exists: a golden file is not remade.")
    jax.config.update("jax_enable_x64", True)
    exact = SEDModel(Parameters(**BOX), tiny_ssp(), tiny_observation())
    params = draws(exact.spec, 16, seed=7)
    bare = untrained(exact, width=8, redshift="table", n_features=2, knots=16)
    GOLDEN.mkdir(exist_ok=True)
    write(path, with_checks(bare, params, evaluate(exact, params)))
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
