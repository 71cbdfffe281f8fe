"""Where Dask runs already: ``map_partitions`` over the model, as the documentation shows it."""

from __future__ import annotations

import numpy as np
import pytest

import emulator
from tengri.catalogue import predict_table


@pytest.mark.slow
def test_map_partitions(columns):
    import dask.dataframe as dd
    import pandas as pd

    frame = pd.DataFrame(columns)
    model = emulator.load("sdss_tsnorm", units="nJy")

    def photometry(part: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(predict_table(model, part), index=part.index)

    lazy = dd.from_pandas(frame, npartitions=3).map_partitions(photometry, meta=photometry(frame))
    made = lazy.compute(scheduler="threads")
    whole = predict_table(model, frame)
    for name, values in whole.items():
        np.testing.assert_array_equal(made[name], values)
    assert made.index.equals(frame.index)
