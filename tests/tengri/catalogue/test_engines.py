"""The programs of ``docs/engines`` that need nothing which the tests do not have."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import emulator
from tengri.catalogue import predict_table

ENGINES = Path(__file__).resolve().parents[3] / "docs/engines"


@pytest.mark.slow
def test_a_folder_of_an_object_store_is_predicted_in_its_order(monkeypatch, capsys):
    """fsspec's own store in memory stands for those with addresses ``s3://…`` and ``gs://…``."""
    model, store = emulator.load("sdss", units="nJy"), fsspec.filesystem("memory")
    drawn = {name: np.asarray(v, np.float32) for name, v in model.spec.sample_sobol(900).items()}
    table = pa.table({"id": np.arange(900)[::-1], **{k: drawn[k] for k in model.spec.free_params}})
    for part in range(3):
        with store.open(f"/survey/in/part-{part}.parquet", "wb") as file:
            pq.write_table(table.slice(300 * part, 300), file)
    words = ["arrow_folder.py", "memory://survey/in", "memory://survey/out", "--keep", "id"]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(ENGINES / "arrow_folder.py"), run_name="__main__")
    assert "900 rows" in capsys.readouterr().out
    made = [pq.read_table(store.open(path)) for path in sorted(store.ls("/survey/out", False))]
    found = pa.concat_tables(made)
    np.testing.assert_array_equal(found["id"], table["id"])
    for name, values in predict_table(model, table.drop_columns("id")).items():
        np.testing.assert_array_equal(found[name], values)
    store.rm("/survey", recursive=True)
