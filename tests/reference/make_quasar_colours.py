"""Write ``data/quasar_colours.json``: colours of quasars by the model of Temple et al. (2021).

Not run by the tests. In a folder with the files of https://github.com/MJTemple/qsogen (revision
d2f9abf) and an environment with numpy, scipy and astropy:

    python .../tests/reference/make_quasar_colours.py

A quasar of M_i = -27 without host galaxy, whose parameters were fitted to the median colours of
SDSS DR16 quasars with UKIDSS and unWISE photometry. All bands between are asked for, since the
code integrates on their wavelengths only.
"""

import json
from pathlib import Path

import numpy as np
from model_colours import get_colours

OUTPUT = Path(__file__).parent / "data" / "quasar_colours.json"
BANDS = ["SDSS_u", "SDSS_g", "SDSS_r", "SDSS_i", "SDSS_z", "UKIDSS_Y", "UKIDSS_J", "UKIDSS_H",
         "UKIDSS_K", "WISE_W1", "WISE_W2"]  # fmt: skip
REDSHIFTS = [0.1, 0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.5,
             5.0]  # fmt: skip
SOURCE = "qsogen of Temple, Hewett & Banerji 2021, MNRAS 508, 737: M_i = -27, no host, AB"


def main() -> None:
    """Write the file; colours that a dropout leaves without meaning become null."""
    bands = [f"{name}_AB" for name in BANDS]
    steps = np.array(get_colours(REDSHIFTS, filters=bands, gflag=False, M_i=-27.0))
    colours = {"u-g": steps[:, 0], "g-r": steps[:, 1], "r-W1": steps[:, 2:9].sum(axis=1),
               "W1-W2": steps[:, 9]}  # fmt: skip
    rounded = {name: [round(float(c), 3) if c < 8.0 else None for c in values]
               for name, values in colours.items()}  # fmt: skip
    text = json.dumps({"source": SOURCE, "redshift": REDSHIFTS, "colours": rounded}, indent=1)
    OUTPUT.write_text(text + "\n")


if __name__ == "__main__":
    main()
