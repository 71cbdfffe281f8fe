"""Promise: what a file declares is held against limits before anything is unpacked or made."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import emulator
from tengri.catalogue import fits as fits_tables
from tengri.catalogue import parquet
from tengri.catalogue.table import open_table
from tengri.errors import TengriError
from tengri.io import hdf5_reader, sealed_json
from tengri.observation import filter_files
from tests.faults.make_golden import RUN
from tests.faults.test_hostile import little_memory, replaced
from train import config as configs
from train.dataset import Dataset

Counter = Callable[..., None]
#: Seconds within which a bomb is refused.
SOON = 5.0


def refused(call: Callable[[], object], words: str) -> None:
    """Check that a call raises one line with these words, soon and in little memory."""
    began = time.monotonic()
    with little_memory(1 << 28), pytest.raises(TengriError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value) and time.monotonic() - began < SOON


def everything(path: Path) -> object:
    """Read all columns of a catalogue."""
    with open_table(path) as table:
        return table.read(table.names, 0, table.n_rows)


# --- our own files --------------------------------------------------------------------------------


def bomb(file: h5py.File, name: str, like: np.ndarray) -> None:
    """Put a JSON document of 100 MB there that takes 100 kB on disk."""
    text = np.full(100_000_000, ord(" "), np.uint8)
    file.create_dataset(name, data=text, compression="gzip", compression_opts=1, fletcher32=True)


def packed(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, data=like, compression="gzip")


def shuffled(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, data=like, shuffle=True, chunks=True)


def declared_only(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, like.shape, like.dtype, chunks=True)


def long_text(file: h5py.File, name: str, like: np.ndarray) -> None:
    """Put a document there that is stored as ours are, and longer than any."""
    file.create_dataset(name, data=np.full(5_000_000, ord(" "), np.uint8), fletcher32=True)


@pytest.mark.parametrize("kind", [bomb, packed, shuffled, declared_only, long_text])
def test_documents(golden: Path, kind: Callable[..., None], injected: Counter) -> None:
    replaced(golden / RUN / "surrogate.h5", "document", kind, sealed=True)
    refused(lambda: emulator.load(golden / RUN / "surrogate.h5"), r"surrogate\.h5: document ")
    injected("limits")


@pytest.mark.parametrize("kind", [packed, shuffled, declared_only])
def test_arrays(golden: Path, kind: Callable[..., None], injected: Counter) -> None:
    replaced(golden / RUN / "surrogate.h5", "weights/out/kernel", kind, sealed=True)
    refused(lambda: emulator.load(golden / RUN / "surrogate.h5"), "weights/out/kernel ")
    dataset = Dataset.open(golden / "set-1")
    replaced(dataset.path(2), "flux", kind, sealed=True)
    refused(lambda: dataset.rows(0, 192), "flux (has a filter|declares)")
    injected("limits", 2)


def test_sealed_texts(tmp_path: Path, injected: Counter) -> None:
    (tmp_path / "plan.json").write_text("[" + "[],[]," * (1 << 22) + "[]]")
    refused(
        lambda: sealed_json.read_json(tmp_path / "plan.json"), "too large to be a file of tengri"
    )
    injected("limits")


# --- texts of anybody -----------------------------------------------------------------------------

CONFIGS = {
    "dotted key": ("a." * 50_000 + "b = 1", "more parts than any setting"),
    "dotted table": ("[" + "a." * 50_000 + "b]\nx = 1", "more parts than any setting"),
    "quoted key": ('"a" . ' * 30_000 + "b = 1", "more parts than any setting"),
    "long": ("#" * (1 << 19), "larger than"),
    "deep": ("x = " + "[" * 100_000, "cannot be read as a configuration"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations(tmp_path: Path, case: str, injected: Counter) -> None:
    text, words = CONFIGS[case]
    (tmp_path / "x.toml").write_text(text)
    refused(lambda: configs.load(str(tmp_path / "x.toml")), words)
    injected("limits")


def test_mistakes_are_listed_up_to_a_number(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("".join(f"[a{i}]\n" for i in range(500)))
    with pytest.raises(TengriError, match="and 480 more") as caught:
        configs.load(str(tmp_path / "x.toml"))
    assert len(str(caught.value).splitlines()) == 21


@pytest.mark.parametrize("text", ["9" * 6000 + " x\n1 1 1\n2 1 1\n", "1 1\n" * (1 << 22)])
def test_curves(tmp_path: Path, text: str, injected: Counter) -> None:
    (tmp_path / "x.txt").write_text(text)
    refused(lambda: filter_files.read_curves(tmp_path / "x.txt"), "x.txt")
    injected("limits")


# --- catalogues of anybody ------------------------------------------------------------------------

NUMBER = '<FIELD name="redshift" datatype="double"/>'
TEXT = '<FIELD name="t" datatype="char" arraysize="2x999999999"/>'
CELL = "<TABLEDATA><TR><TD>0.1</TD></TR></TABLEDATA>"
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
VOTABLES = {
    "rows": ("", ' nrows="300000000"', NUMBER, CELL, "declares 300000000 rows"),
    "no number of rows": ("", ' nrows="many"', NUMBER, CELL, "declares many rows"),
    "cells": ("", "", NUMBER.replace("/>", ' arraysize="300000000"/>'), CELL, "shift' declares"),
    "text": ("", "", TEXT, CELL, "'t' declares"),
    "elsewhere": ("", "", NUMBER, '<BINARY><STREAM href="file:///x"/></BINARY>', "elsewhere"),
    "entities": (ENTITIES, "", NUMBER, "<TABLEDATA><TR><TD>&b;</TD></TR></TABLEDATA>", "entities"),
    "deep": ("", "", "<DESCRIPTION>" + "<a>" * 100_000, "", "deeper than in any"),
    "truncated": ("", "", NUMBER, "<TABLEDATA><TR><TD", "cannot be read as VOTable"),
}  # fmt: skip


@pytest.mark.parametrize("case", VOTABLES)
def test_votables(tmp_path: Path, case: str, injected: Counter) -> None:
    head, attributes, fields, data, words = VOTABLES[case]
    text = (f'<?xml version="1.0"?>{head}<VOTABLE version="1.3"><RESOURCE><TABLE{attributes}>'
            f"{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>")  # fmt: skip
    (tmp_path / "cat.vot").write_text(text)
    refused(lambda: everything(tmp_path / "cat.vot"), rf"cat\.vot: .*{words}")
    injected("limits")


def test_a_header_of_ecsv_that_is_nested(tmp_path: Path, injected: Counter) -> None:
    text = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: redshift, datatype: float64}\n# meta: "
    (tmp_path / "cat.ecsv").write_text(f"{text}{'[' * 100_000}\nredshift\n0.1\n")
    refused(lambda: everything(tmp_path / "cat.ecsv"), "nested deeper")
    injected("limits")


def test_compressed_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    monkeypatch.setattr(fits_tables, "SMALL", 1 << 20)
    with gzip.open(tmp_path / "cat.fits.gz", "wb", compresslevel=9) as file:
        file.write(b"\0" * (1 << 25))
    refused(lambda: everything(tmp_path / "cat.fits.gz"), "unpacks to more than 200 times")
    injected("limits")


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter) -> None:
    """Many rows in a few bytes: a group of rows is read whole."""
    path = tmp_path / "cat.parquet"
    pq.write_table(pa.table({"redshift": np.full(1 << 20, 0.1)}), path, row_group_size=1 << 20)
    for name, words in (("MAX_GROUP_ROWS", "smaller groups"), ("MAX_FOOTER", "its footer has")):
        with monkeypatch.context() as limit:
            limit.setattr(parquet, name, 100)
            refused(lambda: everything(path), words)
    whole = path.read_bytes()
    for bad in (whole[:-8] + b"\xff\xff\xff\x7fPAR1", whole[:-8] + b"\0\0\0\0PAR1", whole[:200]):
        path.write_bytes(bad)
        refused(lambda: everything(path), r"cat\.parquet: ")
    injected("limits", 5)


def test_a_chunk_of_hdf5_that_unpacks_to_all_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: Counter
) -> None:
    monkeypatch.setattr(hdf5_reader, "MAX_CHUNK_BYTES", 1 << 20)
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        file.create_dataset("redshift", (1 << 18,), "f8", chunks=(1 << 18,), compression="gzip")
        file["redshift"][:1] = 0.1
    refused(lambda: everything(tmp_path / "cat.h5"), "redshift has chunks of more than")
    injected("limits")


def test_a_filter_that_is_no_part_of_hdf5(tmp_path: Path, injected: Counter) -> None:
    """Such filters are libraries that HDF5 loads by itself."""
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((4,))
        created.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"redshift", h5py.h5t.IEEE_F64LE, space, created)
        file["redshift"][...] = 0.1
    refused(lambda: everything(tmp_path / "cat.h5"), "no part of HDF5")
    injected("limits")
