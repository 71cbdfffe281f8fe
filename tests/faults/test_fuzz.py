"""Nonsense of every kind into the loaders and the command line: one clear error, never more.

What may come out is a result or a `TengriError` (of the program: an exit code and one line).
Anything else that is raised is a defect.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import emulator
from tengri import Parameters, load_ssp_data
from tengri.__main__ import build_parser as parsers
from tengri.__main__ import main as program
from tengri.catalogue import hdf5 as catalogues
from tengri.errors import TengriError
from tengri.io import seal, sealed_json
from tengri.observation.filters import load_filter
from tests.faults.make_golden import RUN
from train import config as configs
from train.dataset import MANIFEST, Dataset
from train.logs import damaged_lines, read_metrics
from train.runfolder import RunFolder

EXAMPLES = 40
Counter = Callable[..., None]

fuzz = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
texts = st.text(max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=8
)


def survives(call: Callable[[], Any]) -> bool:
    """Return whether a call ended well; an error of ours is no success and no defect."""
    try:
        call()
    except TengriError as error:
        assert str(error).strip()
        return False
    return True


# --- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".h5", ".toml", ".json", ".txt", ".jsonl"])
def test_any_bytes(suffix: str, tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / f"x{suffix}"
    readers: dict[str, list[Callable[[], Any]]] = {
        ".h5": [lambda: load_ssp_data(path), lambda: emulator.load(path),
                lambda: catalogues.open_table(path, None).__enter__()],
        ".toml": [lambda: configs.load(str(path))],
        ".json": [lambda: sealed_json.read_json(path)],
        ".txt": [lambda: load_filter(str(path))],
        ".jsonl": [lambda: read_metrics(path), lambda: damaged_lines(path)],
    }  # fmt: skip

    @fuzz
    @given(st.binary(max_size=300), st.booleans())
    def run(data: bytes, signed: bool) -> None:
        head = seal.HDF5_SIGNATURE if signed and suffix == ".h5" else b""
        path.write_bytes(head + data)
        for read in readers[suffix]:
            survives(read)

    run()
    injected("fuzz", EXAMPLES * len(readers[suffix]))


# --- contents -----------------------------------------------------------------------------------

ARRAYS = st.sampled_from([
    np.zeros(0), np.zeros(3), np.zeros((2, 3)), np.arange(4), np.array(1.0), np.array(b"text"),
    np.array([np.nan, 1.0]), np.array([1.0, -np.inf, 3.0]), np.ones(4, bool), np.ones(3, np.int8),
    np.zeros((2, 0, 3)), np.array([1e308, 1e-308]), np.array([2, 1, 3], np.uint64),
    np.geomspace(1e3, 1e5, 50), np.linspace(-3, 1, 4), np.full((4, 4, 50), 1e-14),
])  # fmt: skip
NAMES = ("ssp_lgmet", "ssp_lg_age_gyr", "ssp_wave", "ssp_flux", "ssp_mass_remaining",
         "ssp_age_edges_gyr", "ssp_ionising_photons", "ssp_flux_behind_gas")  # fmt: skip


def test_grids_of_any_arrays(tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / "grid.h5"

    @fuzz
    @given(
        st.dictionaries(st.sampled_from(NAMES), ARRAYS),
        st.dictionaries(
            st.sampled_from(("lsun_erg_per_s", "nebular", "imf")),
            st.integers(-9, 9) | st.text("ab"),
        ),
    )
    def run(arrays: dict[str, np.ndarray], attrs: dict[str, Any]) -> None:  # fmt: skip
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
            file.attrs.update(attrs)
        if survives(lambda: load_ssp_data(path)):
            assert set(NAMES[:4]) <= set(arrays)

    run()
    injected("fuzz", EXAMPLES)


def test_catalogues_of_any_arrays(tmp_path: Path, injected: Counter) -> None:
    path = tmp_path / "cat.h5"

    @fuzz
    @given(st.dictionaries(st.text("abc", min_size=1, max_size=3), ARRAYS), st.none() | texts)
    def run(arrays: dict[str, np.ndarray], name: str | None) -> None:
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key] = array

        def read() -> None:
            with catalogues.open_table(path, name) as table:
                table.read(table.names, 0, 2)

        survives(read)

    run()
    injected("fuzz", EXAMPLES)


def test_surrogates_of_any_document(golden: Path, injected: Counter) -> None:
    """The seal is good and the document has other things in it than ours has."""
    path = golden / RUN / "surrogate.h5"
    good = path.read_bytes()
    with h5py.File(path) as file:
        document = json.loads(file["document"][()].tobytes())

    @fuzz
    @given(st.sampled_from(sorted(document)), values, st.booleans())
    def run(key: str, value: Any, leave_out: bool) -> None:
        changed = {k: v for k, v in document.items() if k != key or not leave_out}
        if not leave_out:
            changed[key] = value
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            del file["document"]
            file["document"] = np.frombuffer(json.dumps(changed).encode(), np.uint8)
        seal.seal(path)
        survives(lambda: emulator.load(path))

    run()
    injected("fuzz", EXAMPLES)


def test_runs_and_data_sets_of_any_content(golden: Path, injected: Counter) -> None:
    finite = values.filter(_is_json)
    config = sealed_json.read_json(golden / RUN / "config.json")
    manifest = sealed_json.read_json(golden / "set-1" / MANIFEST)

    @fuzz
    @given(st.sampled_from(sorted(config["config"])), finite, finite, finite)
    def run(section: str, part: Any, rows: Any, whole: Any) -> None:
        changed = {**config, "config": {**config["config"], section: part}}
        for content in (changed, {**config, "config": part}, whole):
            sealed_json.write_json(golden / RUN / "config.json", content)
            survives(lambda: RunFolder.open(golden / RUN).config())
        for content in (
            {**manifest, "rows": {**manifest["rows"], "rows": rows, "shards": part}},
            {**manifest, "rows": rows},
            {**manifest, "made_with": part},
            whole,
        ):
            sealed_json.write_json(golden / "set-1" / MANIFEST, content)
            survives(lambda: Dataset.open(golden / "set-1").verify())

    run()
    injected("fuzz", 7 * EXAMPLES)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return True


def test_configurations_of_any_values(tmp_path: Path, injected: Counter) -> None:
    keys = [f"{s}.{k}" for s, part in configs.to_dict(configs.load("tiny")).items()
            for k in (part if isinstance(part, dict) else ())]  # fmt: skip

    literals = scalars | st.text("[]{}\"'=,1.e", max_size=9)

    @fuzz
    @given(st.lists(st.tuples(st.sampled_from(keys) | texts, literals), max_size=3))
    def run(overrides: list[tuple[str, Any]]) -> None:
        survives(lambda: configs.load("tiny", [f"{key}={value}" for key, value in overrides]))

    run()
    injected("fuzz", EXAMPLES)


def test_parameters_of_any_values(injected: Counter) -> None:
    settings_ = ("mean_sfh_type", "dust_law", "igm_model", "nebular", "agn_model", "x")
    names = [*sorted(Parameters().all_params)[:12], *settings_]

    @fuzz
    @given(st.dictionaries(st.sampled_from(names), values | st.tuples(scalars, scalars),
                           max_size=3))  # fmt: skip
    def run(given_: dict[str, Any]) -> None:
        survives(lambda: Parameters(**given_))

    run()
    injected("fuzz", EXAMPLES)


# --- the command line ---------------------------------------------------------------------------


def said(words: list[str]) -> tuple[int, str]:
    """Return exit code and standard error of the program, run in this process."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = program(words)
        except SystemExit as usage:
            code = int(usage.code or 0)
    return code, error.getvalue()


LIGHT = ("verify", "info", "resume", "replay", "list", "cite", "doctor", "dataset", "export",
         "compare", "predict", "train", "data")  # fmt: skip
WORDS = st.sampled_from(
    ["--json", "--quiet", "--row", "--shard", "-o", "--set", "verify", "x.h5", "sdss", "ssp.h5",
     "run-1", "set-1", "tiny.toml", "9/3", "-1", "nan", "", "../x", "\0", "--until", "fetch",
     "redshift", "filters", "--dry-run"]
)  # fmt: skip


def test_any_words(golden: Path, injected: Counter) -> None:
    """An exit code of 0, 1 or 2; a failure is told in words, and nothing is left in the folder."""
    commands = sorted(set(LIGHT) & set(parsers()[1].choices))
    before = sorted(p for p in golden.rglob("*") if p.name != "lock")
    assert len(commands) > 8

    @fuzz
    @given(st.sampled_from(commands) | texts, st.lists(WORDS | texts, max_size=4))
    def run(command: str, words: list[str]) -> None:
        if _works_long(command, words):
            return
        code, error = said([command, *words])
        assert code in (0, 1, 2) and "Traceback" not in error
        assert code == 0 or error.strip()

    run()
    assert sorted(p for p in golden.rglob("*") if p.name != "lock") == before
    injected("fuzz", EXAMPLES)


def _works_long(command: str, words: list[str]) -> bool:
    """Return whether the words make sense, so that real work (or a download) would begin."""
    works = {
        **{name: {"tiny.toml", "sdss"} for name in ("train", "dataset")},
        **{name: {"run-1", "sdss"} for name in ("resume", "replay", "compare", "export")},
        "predict": {"sdss"}, "data": {"build"},
    }  # fmt: skip
    return bool(works.get(command, set()) & set(words)) or "-h" in words
