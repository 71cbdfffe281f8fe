"""Packed arrays come back to the bit, and damaged ones not at all."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import packing


def smooth_table() -> np.ndarray:
    """Return rounded columns of very different units, one of them empty."""
    x = np.linspace(0.0, 20.0, 1000)[:, None]
    table = np.sin(x + np.arange(20)) * 10.0 ** np.linspace(-12.0, 3.0, 20)
    unit = 2.0 ** np.ceil(np.log2(np.abs(table).max(axis=0) * 1e-5))
    table = unit * np.round(table / unit)
    table[:, 3] = 0.0
    return table.astype(np.float32)


def test_what_is_rounded_comes_back_to_the_bit_and_smaller():
    arrays = {"weights/table": smooth_table(), "checks/z": np.arange(3.0),
              "filters/000/wave": 3211.0 + np.arange(7443.0)}  # fmt: skip
    packed = packing.packed(arrays)
    size = {path: sum(a.nbytes for name, a in packed.items() if path in name) for path in arrays}
    assert size["weights/table"] < 0.35 * arrays["weights/table"].nbytes
    assert size["filters/000/wave"] < 500
    again = packing.unpacked(packed)
    assert again.keys() == arrays.keys()
    for path, values in arrays.items():
        assert again[path].dtype == values.dtype
        np.testing.assert_array_equal(again[path], values)


def test_what_is_not_rounded_stays_as_it_is():
    table = np.random.default_rng(0).normal(size=(400, 60)) * np.geomspace(1e-9, 1.0, 400)[:, None]
    arrays = {"weights/table": table.astype(np.float32)}
    assert packing.packed(arrays).keys() == arrays.keys()


@pytest.mark.parametrize("damage", ["cut", "long", "huge", "noise", "units"])
def test_damage_is_said_and_nothing_large_is_inflated(damage):
    packed = packing.packed({"t": smooth_table()})
    shape, data = packed["packed/t/shape"], packed["packed/t/bytes"]
    changed = {
        "cut": {"bytes": data[: len(data) // 2]},
        "long": {"shape": np.array([shape[0] // 2, shape[1]])},
        "huge": {"shape": np.array([1 << 40, shape[1]])},
        "noise": {"bytes": np.arange(1000).astype(np.uint8)},
        "units": {"unit": packed["packed/t/unit"][:-1]},
    }[damage]
    packed |= {f"packed/t/{name}": values for name, values in changed.items()}
    with pytest.raises(ValueError, match="t: "):
        packing.unpacked(packed)
