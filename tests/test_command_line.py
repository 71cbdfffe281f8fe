"""The program as a whole: starts fast, and is not misled by what lies in the working folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tengri.__main__ import build_parser, main


def run(*words: str, cwd) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tengri", *words], cwd=cwd, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def test_a_users_own_train_py_and_data_do_not_hide_ours(tmp_path):
    for name in ("train.py", "emulator.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module was imported')\n")
    (tmp_path / "data").mkdir()
    done = run("dataset", "verify", cwd=tmp_path)
    assert done.returncode == 1 and "needs the folder of the data set" in done.stderr
    done = run("info", "no_such_surrogate", cwd=tmp_path)
    assert done.returncode == 1 and "wrong module" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def python(code: str, cwd) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip


@pytest.mark.parametrize("name", ["train", "emulator"])
def test_a_file_that_hides_a_package_is_named(name, tmp_path):
    """In Python a warning; where the program would take it for ours, an error; in doctor a note."""
    (tmp_path / f"{name}.py").write_text("x = 1\n")
    done = python("import tengri", tmp_path)
    assert done.returncode == 0 and f"{name}.py hides the package {name}" in done.stderr
    done = python(
        f"import {name}; from tengri.__main__ import main; main(['list', 'dust'])", tmp_path
    )
    assert f"tengri: {tmp_path}/{name}.py hides the package" in done.stderr and not done.stdout
    done = run("list", "dust", cwd=tmp_path)
    assert done.returncode == 0 and "hides" not in done.stderr
    done = run("doctor", cwd=tmp_path)
    assert f"{name}.py hides the package {name}" in done.stdout and "fix: rename" in done.stdout


def test_a_script_of_that_name_may_run(tmp_path):
    (tmp_path / "train.py").write_text("import tengri\n")
    words = [sys.executable, "train.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr
    assert "hides" not in python("import tengri", tmp_path.parent).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "redshift", "0.1", "3", "--model", "sdss_tsnorm"], "train on a wider box."),
        (["sweep", "redshift", "0", "1", "--bands", "sdss_g"], "no luminosity distance."),
        (["sweep", "dust_tau_diff", "0", "1", "--bands", "sdss_g", "--set", "nebular=cloudy"],
         "the stars alone, --ssp ssp_bc03_miles_kroupa_noneb.h5, or leave out --set nebular=…."),
        (["sweep", "dust_tau_diff", "0", "1", "--bands", "sdss_g", "--set", "sfh_table_sfr=1"],
         "it is a column of a catalogue"),
        (["sweep", "dust_tau_diff", "-1", "1", "--bands", "sdss_g"], "[0, 100]. Narrow it."),
    ],
)  # fmt: skip
def test_errors_speak_of_options(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    error = capsys.readouterr().err.strip()
    assert error.endswith(message) or message in error
    for python_word in ("load_ssp_data", "out_of_domain=", "predict_", "Fixed(", "lo="):
        assert python_word not in error


def test_help_is_there_at_once(tmp_path):
    started = time.perf_counter()
    done = run("--help", cwd=tmp_path)
    assert time.perf_counter() - started < 3.0  # a loaded machine; about 0.15 s on an idle one
    for command in ("train", "resume", "dataset", "data", "info", "verify", "compare"):
        assert command in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "seconds"),
    [(["--help"], 1.0), (["train", "--help"], 1.0), (["info", "sdss"], 2.5),
     (["list", "filters"], 2.0), (["list", "parameters"], 2.0), (["list", "surrogates"], 2.0)],
)  # fmt: skip
def test_answers_come_at_once(tmp_path, words, seconds):
    """In processor time, on a machine that imports JAX in 1 s: on a slower one, in proportion."""

    def spent(*command: str) -> float:
        before = sum(os.times()[2:4])
        subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, capture_output=True)
        return sum(os.times()[2:4]) - before

    def answers_in_time() -> bool:
        slower = max(1.0, spent("-c", "import jax"))
        return spent("-m", "tengri", *words) < slower * seconds

    assert any(answers_in_time() for _ in range(3))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "sdss"], "Did you mean train"),
        (["train", "sdsss", "--dry-run"], "Did you mean sdss"),
        (["train", "tiny", "--set", "network.widht=3", "--dry-run"], "Did you mean width"),
        (["info", "sdsss"], "Did you mean sdss"),
        (["compare", "sdss", "--sweep", "dust_tau_dif"], "Did you mean dust_tau_diff"),
        (["compare", "sdss", "--grid", "met_logzsol"], "two parameters"),
        (["compare", "sdss", "--grid", "met_logzsol,dust_tau_bc", "--colour", "sdss_g-sdss_w"],
         "Did you mean sdss_"),
        (["compare", "sdss", "sdsss"], "Did you mean sdss"),
        (["compare", "sdss", "jwst_nircam"], "no band in common"),
        (["sweep", "dust_tau", "0", "3", "--bands", "sdss_g"], "mean dust_tau_bc, dust_tau_diff"),
        (["sweep", "redshift", "1", "3", "--instrument", "jwst"], "JWST_MIRI, JWST_NIRCam"),
        (["data", "fetch"], "usage"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_line(tmp_path, words, message, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as usage:
        code = int(usage.code or 0)
    out, error = capsys.readouterr()
    assert code in (1, 2) and not out
    assert message in error, error
    assert not list(tmp_path.iterdir())


def test_a_negative_power_of_ten_is_a_number():
    parser, _ = build_parser()
    args = parser.parse_args(["sweep", "met_logzsol", "-1.5e-1", "-.5e-2"])
    assert (args.lo, args.hi) == (-0.15, -0.005)


def test_doctor_names_a_distribution_with_packages_of_the_same_name(tmp_path):
    """The program called tengri on the package index is about the weather."""
    info = tmp_path / "weather-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weather\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("tengri\n")
    done = subprocess.run(
        [sys.executable, "-m", "tengri", "doctor"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=300, check=False,
    )  # fmt: skip
    assert "weather also installs a package tengri" in done.stdout
    assert "fix: pip uninstall weather" in done.stdout
