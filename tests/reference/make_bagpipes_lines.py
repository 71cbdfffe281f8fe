"""Write ``data/bagpipes_lines.json``: emission lines of galaxies as bagpipes has them.

Luminosities [erg/s] of 1e9 Msun formed at a constant rate, per metallicity of stars and gas:

    pip install bagpipes==1.3.6
    python tests/reference/make_bagpipes_lines.py

Its masses count the Sun as 3.826e33 erg/s. Wavelengths are bagpipes' own, in air above 2000 Å.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import bagpipes
import numpy as np
from bagpipes import config

OUTPUT = Path(__file__).parent / "data" / "bagpipes_lines.json"
Z_SUN = 0.02
#: Labels of bagpipes → names here.
LINES = {
    "H  1  1215.67A": "Lya_1216", "C  3  1908.73A": "CIII]_1909", "O  2  3726.03A": "[OII]_3727",
    "Ne 3  3868.76A": "[NeIII]_3870", "H  1  4340.46A": "Hg_4342", "O  3  4363.21A": "[OIII]_4364",
    "H  1  4861.32A": "Hb_4863", "O  3  5006.84A": "[OIII]_5008", "Blnd  5875.66A": "HeI_5877",
    "O  1  6300.30A": "[OI]_6302", "H  1  6562.80A": "Ha_6565", "N  2  6583.45A": "[NII]_6585",
    "S  2  6716.44A": "[SII]_6718", "S  3  9530.62A": "[SIII]_9533", "H  1  1.87510m": "Paa_18756",
    "H  1  2.16553m": "Brg_21661", "O  3  88.3323m": "[OIII]_88.4um",
    "C  2  157.636m": "[CII]_158um",
}  # fmt: skip
#: name → years of constant star formation [Gyr], log U, A_V of the diffuse dust, of birth clouds.
CASES = {
    "young": (0.005, -2.0, 0.0, 0.0),
    "steady": (0.1, -3.5, 0.0, 0.0),
    "dusty": (0.1, -2.75, 0.4, 0.6),
}


def luminosities(case: tuple[float, float, float, float], z: float) -> dict[str, float]:
    """Return the lines of one galaxy."""
    gyr, log_u, a_v, a_v_birth = case
    model = {
        "redshift": 0.0,
        "t_bc": 0.01,
        "constant": {"age_max": gyr, "age_min": 0.0, "massformed": 9.0, "metallicity": z / Z_SUN},
        "nebular": {"logU": log_u},
    }
    if a_v:
        model["dust"] = {"type": "Calzetti", "Av": a_v, "eta": 1.0 + a_v_birth / a_v}
    found = bagpipes.model_galaxy(model, spec_wavs=np.arange(3000.0, 9000.0, 5.0)).line_fluxes
    return {name: float(found[label]) for label, name in LINES.items()}


def main() -> None:
    """Write the file."""
    z = [float(m * Z_SUN) for m in config.metallicities]
    data = {
        "bagpipes_version": version("bagpipes"),
        "lsun_erg_s": 3.826e33,
        "z": z,
        "cases": {
            name: {"gyr": case[0], "log_u": case[1], "a_v": case[2], "a_v_birth": case[3],
                   "lines": [luminosities(case, each) for each in z]}
            for name, case in CASES.items()
        },
    }  # fmt: skip
    OUTPUT.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
