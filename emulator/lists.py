"""Lists of this package for ``tengri list`` and its checks for ``tengri doctor``."""

from __future__ import annotations

from typing import Any

from emulator import hdf5, published
from tengri.cli.doctor import FAILURE, OK, WARNING, Check
from tengri.errors import DataError

Row = dict[str, Any]


def networks() -> list[Row]:
    """Return the networks that can be trained, their activations and redshift features."""
    from emulator.networks import ACTIVATIONS, NETWORKS, REDSHIFT_FEATURES

    return [{"network": name, "description": (module.__doc__ or "").splitlines()[0],
             "activations": list(ACTIVATIONS), "redshift": REDSHIFT_FEATURES}
            for name, module in NETWORKS.items()]  # fmt: skip


def surrogates() -> list[Row]:
    """Return the published surrogates: bands, free parameters, 99 % of |Δm| [mmag]."""
    from emulator.description import FORMAT_VERSION, KIND

    rows = []
    for name in published.names():
        _, document, _ = hdf5.read(published.resolve(name), KIND, newest=FORMAT_VERSION)
        pooled = document["accuracy"].get("pooled", {})
        rows.append({"surrogate": name, "99 % |Δm| [mmag]": pooled.get("p99"),
                     "bands": [band["name"] for band in document["bands"]]})  # fmt: skip
    return rows


def checks() -> list[Check]:
    """Return whether the published surrogates are intact."""
    if not published.names():
        return [Check("surrogates", WARNING, "none is published here", "tengri train sdss")]
    return [_check(name) for name in published.names()]


def _check(name: str) -> Check:
    from tengri.io import seal

    path = published.resolve(name)
    try:
        return Check("surrogate", OK, f"{name}, sha256 {seal.verify(path)[:12]}… intact")
    except DataError as error:
        return Check("surrogate", FAILURE, str(error), f"restore {path}")
