"""The file: complete, sealed, and nothing in it is trusted before it is checked."""

from __future__ import annotations

import shutil
from dataclasses import replace

import h5py
import jax
import numpy as np
import pytest

import emulator
from emulator import hdf5
from emulator.artefact import FORMAT_VERSION, KIND, read, write
from tengri import SEDModel
from tengri.errors import ConfigError, DataError
from tengri.io import seal
from tests.emulator.conftest import ONE, tiny_observation, tiny_ssp


@pytest.fixture
def copy(file, tmp_path):
    return shutil.copy(file, tmp_path / "copy.h5")


def edited(path, change):
    """Change an artefact from inside and seal it again: what a forger could do."""
    with h5py.File(path, "r+") as f:
        change(f)
    seal.seal(path)
    return path


def test_everything_comes_back(artefact, file):
    back = read(file)
    assert back.spec == artefact.spec
    assert back.photometry == artefact.photometry
    for name in ("target", "network", "cosmology", "accuracy", "training", "card", "created",
                 "log10_mass_min"):  # fmt: skip
        assert getattr(back, name) == getattr(artefact, name), name
    same = jax.tree.map(np.array_equal, back.params, artefact.params)
    assert all(jax.tree.leaves(same))
    for name in ("age_edges", "lgmet", "mass_remaining"):
        assert np.array_equal(back.ssp[name], artefact.ssp[name])
    assert back.ssp["sha256"] == artefact.ssp["sha256"]
    assert np.array_equal(back.error_bars["95"], artefact.error_bars["95"])
    assert np.array_equal(back.covariance, artefact.covariance)
    assert np.array_equal(back.checks["flux_exact"], artefact.checks["flux_exact"])
    assert back.in_scaling.log == artefact.in_scaling.log
    assert back.sha256 == seal.verify(file)


def test_loaded_and_in_memory_surrogates_agree_to_the_bit(surrogate, file):
    assert np.array_equal(
        emulator.load(file).predict_photometry(ONE), surrogate.predict_photometry(ONE)
    )


def test_a_file_is_read_once_and_anew_when_it_is_written_anew(artefact, copy):
    first, again = emulator.load(copy), emulator.load(copy)
    assert again.artefact.params is first.artefact.params
    write(copy, replace(artefact, card="another card"))
    assert emulator.load(copy).artefact.card == "another card"
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(DataError):
        emulator.load(copy)


def test_every_dataset_has_a_checksum_and_a_plain_type(file):
    def check(name, item):
        if isinstance(item, h5py.Dataset):
            assert item.fletcher32 and item.dtype.kind in "fu", name

    with h5py.File(file) as f:
        f.visititems(check)


def test_any_flipped_bit_is_found(file, copy):
    good = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for where in [0, 20, 100, 513, *rng.integers(0, len(good), 60)]:
        bad = bytearray(good)
        bad[where] ^= 1 << int(rng.integers(8))
        copy.write_bytes(bad)
        with pytest.raises(DataError, match=r"copy\.h5"):
            read(copy)


def test_any_truncation_is_found(file, copy):
    good = file.read_bytes()
    for size in (0, 10, 512, 600, len(good) // 2, len(good) - 1):
        copy.write_bytes(good[:size])
        with pytest.raises(DataError, match=r"copy\.h5"):
            read(copy)


def test_not_an_artefact(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.h5")
    other = tmp_path / "other.h5"
    hdf5.write(other, hdf5.Header("tengri-something", 1, "x"), {}, {})
    with pytest.raises(DataError, match="not a tengri-surrogate"):
        read(other)


def test_newer_format_names_both_versions(copy):
    edited(copy, lambda f: f.attrs.__setitem__("format_version", FORMAT_VERSION + 1))
    words = f"version {FORMAT_VERSION + 1} of {KIND} .written by tengri .*up to {FORMAT_VERSION}"
    with pytest.raises(DataError, match=words):
        read(copy)


def add_object(f):
    f["weights/evil"] = np.array(["text"], dtype=h5py.string_dtype())


def add_external(f):
    f["weights/evil"] = h5py.ExternalLink("/etc/hostname", "/x")


def add_raw_external(f):
    f.create_dataset("weights/evil", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def add_huge(f):
    f.create_dataset("weights/evil", (1 << 40,), "f4", chunks=(1024,))


def wrong_shape(f):
    del f["weights/out/bias"]
    f["weights/out/bias"] = np.zeros(7, np.float32)


def not_finite(f):
    f["weights/out/bias"][0] = np.nan


def no_document(f):
    del f["document"]
    f["document"] = np.frombuffer(b"[" * 100000, np.uint8)


def missing_filter(f):
    del f["filters/002"]


def other_curve(f):
    f["filters/002/trans"][1] = 0.5


@pytest.mark.parametrize(
    "change",
    [add_object, add_external, add_raw_external, add_huge, wrong_shape, not_finite, no_document,
     missing_filter, other_curve],
)  # fmt: skip
def test_contents_that_cannot_be(copy, change):
    with pytest.raises(DataError, match=r"copy\.h5"):
        read(edited(copy, change))


def test_pieces_that_do_not_fit_are_not_written(artefact, tmp_path):
    broken = replace(artefact, params={**artefact.params, "extra": np.zeros(2, np.float32)})
    with pytest.raises(ConfigError, match="weights"):
        write(tmp_path / "s.h5", broken)
    with pytest.raises(ConfigError, match="error bars at 68"):
        write(tmp_path / "s.h5", replace(artefact, error_bars={"68": np.zeros(2)}))
    assert not list(tmp_path.iterdir())


def test_unwritable_folder(artefact, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "missing" / "s.h5", artefact)


def test_a_failed_write_leaves_the_old_file(artefact, copy, monkeypatch):
    before = copy.read_bytes()
    monkeypatch.setattr(seal, "seal", lambda path: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(DataError, match="disk full"):
        write(copy, artefact)
    assert copy.read_bytes() == before
    assert [p.name for p in copy.parent.iterdir()] == ["copy.h5"]


def test_verify(file, exact):
    report = emulator.verify(file, exact)
    assert report.n_checks == 64
    assert report.difference == 0.0 and report.exact_difference < 1e-9
    assert "intact" in str(report) and report.error_mmag["worst"] >= report.error_mmag["median"]
    with jax.enable_x64(False):
        report = emulator.verify(file, exact)
    assert 0.0 < report.difference < 3e-5 and report.exact_difference < 3e-4


def test_verify_notices_other_numbers(copy, exact):
    def change(f):
        f["weights/out/bias"][0] += 1e-3

    with pytest.raises(DataError, match="check fluxes come out different"):
        emulator.verify(edited(copy, change))


def test_verify_refuses_another_grid_with_both_hashes(file, exact):
    other = SEDModel(exact.spec, tiny_ssp("other", seed=1), tiny_observation())
    with pytest.raises(DataError, match=f"(?s){0:064x}.*{1:064x}"):
        emulator.verify(file, other)


def test_verify_refuses_other_bands_and_cosmology(file, exact):
    from tengri.cosmology import FlatLambdaCDM

    fewer = SEDModel(exact.spec, exact.ssp, tiny_observation(), FlatLambdaCDM(70.0, 0.3))
    with pytest.raises(ConfigError, match="other cosmology"):
        emulator.verify(file, fewer)


def test_without_check_pairs_there_is_nothing_to_verify(artefact, tmp_path):
    write(tmp_path / "s.h5", replace(artefact, checks={}))
    with pytest.raises(DataError, match="no check pairs"):
        emulator.verify(tmp_path / "s.h5")
