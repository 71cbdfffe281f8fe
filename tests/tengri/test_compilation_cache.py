"""Compiled programs on disk: loaded by the next process, never a foreign or a damaged one."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from emulator import artefact
from tengri import compilation_cache
from tengri.cli.checks import checks
from tengri.compilation_cache import ENVIRONMENT, machine, trial
from tengri.compilation_cache.entries import SEAL, Entries
from tests.faults import tiny

VALUE = random.Random(1).randbytes(200)


@pytest.fixture(autouse=True)
def no_cache_of_jax_itself(monkeypatch) -> Iterator[None]:
    """Take away the folder where `make test` lets JAX keep programs: ours stands back for it."""
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    given = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", given)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Return the folder of all folders that the environment names."""
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))
    return tmp_path / "cache"


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_an_entry_is_the_same_for_another_process_and_stays(tmp_path):
    Entries(tmp_path).put("jit_f-1", VALUE)
    Entries(tmp_path).put("jit_f-1", b"other")
    assert Entries(tmp_path).get("jit_f-1") == VALUE
    assert Entries(tmp_path).get("jit_f-2") is None
    Entries(tmp_path).put("jit_" + "f" * 300, VALUE)  # longer than names of files may be
    assert Entries(tmp_path).get("jit_" + "f" * 300) == VALUE


def test_every_damage_is_a_miss_and_is_mended(tmp_path):
    entries = Entries(tmp_path)
    entries.put("jit_f", VALUE)
    file = the_file(tmp_path)
    good = file.read_bytes()
    flipped = [good[:i] + bytes([good[i] ^ 1 << i % 8]) + good[i + 1 :] for i in range(len(good))]
    for bad in [*flipped, *(good[:n] for n in range(0, len(good), 7)), good + b"x", b""]:
        file.write_bytes(bad)
        assert entries.get("jit_f") is None and not file.exists()
        entries.put("jit_f", VALUE)
        assert file.read_bytes() == good


def test_what_jax_could_not_load_is_not_offered_again(tmp_path):
    entries = Entries(tmp_path)
    entries.put("jit_f", VALUE)
    assert entries.get("jit_f") == VALUE
    entries.put("jit_f", VALUE)  # compiled although it was there
    for process in (entries, Entries(tmp_path)):
        assert process.get("jit_f") is None
        process.put("jit_f", VALUE)
    assert the_file(tmp_path).stat().st_size == SEAL


def test_nothing_is_loaded_before_loading_was_tried(tmp_path):
    entries = Entries(tmp_path, may_load=False)
    entries.put("jit_f", VALUE)
    assert entries.get("jit_f") is None and Entries(tmp_path).get("jit_f") == VALUE


def test_the_least_recently_used_go(tmp_path):
    """Room for ten: the one that was asked for stays, however old."""
    bound = 10 * (SEAL + len(VALUE))
    entries = Entries(tmp_path, bound)
    for i in range(40):
        entries.put(f"jit_{i}", VALUE)
        for age, (file, _) in enumerate(reversed(entries.files())):
            os.utime(file, (1e9 - age, 1e9 - age))
        assert entries.get("jit_0") == VALUE
        assert sum(status.st_size for _, status in entries.files()) <= bound
    assert entries.get("jit_39") == VALUE and entries.get("jit_20") is None
    entries.put("jit_large", bytes(bound))
    assert entries.get("jit_large") is None


def test_many_at_once_under_a_tight_bound(tmp_path):
    """Sixteen writers and readers without a lock: what is read is whole."""

    def work(seed: int) -> int:
        rng = random.Random(seed)
        entries, found = Entries(tmp_path, 5 * (SEAL + len(VALUE))), 0
        for _ in range(60):
            i = rng.randrange(12)
            entries.put(f"jit_{i}", bytes([i]) * len(VALUE))
            value = Entries(tmp_path).get(f"jit_{i}")
            assert value in (None, bytes([i]) * len(VALUE))
            found += value is not None
        return found

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(16))) > 100


def test_a_folder_that_takes_nothing_is_a_miss(tmp_path, monkeypatch):
    entries = Entries(tmp_path / "gone")
    entries.put("jit_f", VALUE)
    assert entries.get("jit_f") is None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    entries = Entries(tmp_path)
    monkeypatch.setattr(os, "replace", full)
    entries.put("jit_f", VALUE)
    monkeypatch.undo()
    entries.put("jit_f", VALUE)  # nothing more is tried in this process
    assert entries.get("jit_f") is None and not list(tmp_path.iterdir())


CPU = """\
processor\t: 0
model name\t: Some Processor
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse2 avx2{flags}
"""


def test_a_folder_belongs_to_a_processor_and_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")

    def name(flags: str = "", mhz: float = 2500.0) -> str:
        (tmp_path / "cpuinfo").write_text(CPU.format(flags=flags, mhz=mhz))
        return machine.name()

    own = name()
    assert own == name(mhz=800.0) and jax.lib.__version__ in own
    foreign = {name(flags=" avx512f")}
    for variable, value in (("XLA_FLAGS", "--xla_cpu_max_isa=AVX"), ("JAX_PLATFORMS", "tpu")):
        monkeypatch.setenv(variable, value)
        foreign.add(name())
    monkeypatch.undo()
    assert len(foreign | {own}) == 4


def test_off_by_the_environment(monkeypatch):
    for word in ("0", "off"):
        monkeypatch.setenv(ENVIRONMENT, word)
        assert compilation_cache.state("somewhere").reason == f"{ENVIRONMENT}={word}"
    assert compilation_cache.enable_compilation_cache() is None
    (check,) = [check for check in checks() if check.name == "compiled programs"]
    assert check.found == f"not kept: {ENVIRONMENT}=off" and check.fix == f"unset {ENVIRONMENT}"


def test_where_the_folder_is(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert compilation_cache.state().folder.parent == tmp_path / "xdg/tengri/compiled"
    assert compilation_cache.state(tmp_path / "named").folder.parent == tmp_path / "named"
    for base in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", base)
        assert compilation_cache.state().folder.parent == tmp_path / "home/.cache/tengri/compiled"
    monkeypatch.setenv(ENVIRONMENT, "~/mine")
    folder = compilation_cache.state().folder
    assert folder.parent == tmp_path / "home/mine" and folder.stat().st_mode & 0o77 == 0


def test_folders_that_cannot_be_used_are_named_and_no_error(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "file" in compilation_cache.state(tmp_path / "file").reason
    folder = compilation_cache.state().folder
    folder.chmod(0o777)
    assert "others can write to" in compilation_cache.state().reason
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert "another user's" in compilation_cache.state().reason
    monkeypatch.undo()
    monkeypatch.delenv(ENVIRONMENT)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("nobody")))
    assert "no home folder" in compilation_cache.state().reason


def test_an_unknown_processor_has_no_folder(root, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "win32")
    assert compilation_cache.state().reason == "the instructions of this processor are not known"


def test_a_cache_of_jax_itself_is_left_alone(root):
    jax.config.update("jax_compilation_cache_dir", str(root))
    try:
        assert compilation_cache.enable_compilation_cache() is None
        assert f"JAX keeps compiled programs itself, in {root}" in compilation_cache.state().reason
    finally:
        jax.config.update("jax_compilation_cache_dir", None)


def done(code: int = 0, loaded: int = 1, value: float = 1.0, stderr: str = ""):
    shown = json.dumps({"loaded": loaded, "value": [value]})
    return subprocess.CompletedProcess([], code, shown, stderr)


COMPLAINT = ("E0000 cpu_aot_loader.cc:195] Loading XLA:CPU AOT result. Target machine feature "
             "+prefer-no-gather is not supported on the host machine.")  # fmt: skip


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (done(), ""),
        (done(loaded=0), "a second process does not find what the first one compiled"),
        (done(value=1.1), "a loaded program gives other numbers"),
        (done(code=-4), "a process that loads a program ends with -4"),
        (done(stderr=COMPLAINT), "XLA does not trust what it compiled on this machine: Loading"),
    ],
)
def test_the_verdict_of_the_trial_is_kept(root, monkeypatch, second, reason):
    """A folder is tried out once, by the first process that finds something in it."""
    processes = [done(loaded=0), second]
    monkeypatch.setattr(trial, "_process", lambda folder: processes.pop(0))
    folder, may_load, *_ = compilation_cache.state()
    assert not may_load and len(processes) == 2
    Entries(folder).put("jit_f", VALUE)
    for _ in range(2):
        found = compilation_cache.state()
        assert found.reason.startswith(reason) and not processes
        assert found[:2] == ((None, False) if reason else (folder, True))
        assert not reason or f"remove {folder}" in found.fix


def test_a_trial_that_cannot_be_run_says_nothing_of_the_machine(root, monkeypatch):
    folder = compilation_cache.state().folder
    Entries(folder).put("jit_f", VALUE)
    monkeypatch.setattr(trial, "_process", lambda folder: done(code=1, stderr="MemoryError"))
    assert compilation_cache.state().reason == "a trial could not be compiled: MemoryError"
    assert not (folder / trial.VERDICT).exists()


# -- with real processes ----------------------------------------------------------------------

PROGRAM = """
import json, os
from pathlib import Path
import jax
import tengri
from tengri.compilation_cache import entries, machine
{before}
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
folder = tengri.enable_compilation_cache()
from tests.emulator.conftest import tiny_observation, tiny_ssp
spec = tengri.Parameters(sfh_tsnorm_log_peak_sfr=(-1, 3), redshift=(0.02, 0.1))
model = tengri.SEDModel(spec, tiny_ssp(), tiny_observation())
flux = model.predict_photometry(dict(sfh_tsnorm_log_peak_sfr=1.0, redshift=0.05))
count = lambda name: sum(event == "/jax/compilation_cache/" + name for event in events)
print(json.dumps(dict(folder=str(folder), flux=[float(f).hex() for f in flux],
                      compiled=count("cache_misses"), loaded=count("cache_hits"))))
"""


def run(root: Path, before: str = "", **variables: str) -> tuple[dict, str]:
    """Return what a first prediction in a process of its own gives, and what it says."""
    here = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": here, ENVIRONMENT: str(root), **variables}
    command = [sys.executable, "-W", "always", "-c", PROGRAM.format(before=before)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300,
                           check=False)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


def predicted(root: Path, before: str = "", **variables: str) -> dict:
    result, said = run(root, before, **variables)
    assert not said
    return result


@pytest.mark.slow
def test_the_next_process_compiles_nothing_whatever_lies_there(tmp_path):
    """The same bits: compiled, loaded, beside damaged entries."""
    off = predicted(tmp_path, **{ENVIRONMENT: "0"})
    first, second = predicted(tmp_path), predicted(tmp_path)
    assert off["folder"] == "None" and off["loaded"] == 0
    assert first["loaded"] == 0 and first["compiled"] > 0
    assert second["compiled"] == 0 and second["loaded"] == first["compiled"]
    for n, file in enumerate(sorted(Path(first["folder"]).glob("*.xla"))):
        good = file.read_bytes()
        file.write_bytes(good[: len(good) // 2] if n % 2 else good[:-9] + b"x" + good[-8:])
    damaged, again = predicted(tmp_path), predicted(tmp_path)
    assert damaged["loaded"] == 0 and damaged["compiled"] == second["loaded"]
    assert again["compiled"] == 0
    for result in (first, second, damaged, again):
        assert result["flux"] == off["flux"]


@pytest.mark.slow
def test_code_of_another_processor_is_not_read(tmp_path):
    """Neither from its folder nor, copied by hand, from the own one; JAX's keys are the same."""
    (tmp_path / "cpuinfo").write_text(CPU.format(flags=" amx", mhz=1.0))
    other = f"machine.CPUINFO = Path({str(tmp_path / 'cpuinfo')!r})"
    foreign = [predicted(tmp_path / "cache", other) for _ in range(2)][1]
    own = predicted(tmp_path / "cache")
    assert foreign["compiled"] == 0 and own["loaded"] == 0 and own["folder"] != foreign["folder"]
    assert own["compiled"] == foreign["loaded"]
    shutil.copytree(foreign["folder"], own["folder"], dirs_exist_ok=True)
    copied, again = predicted(tmp_path / "cache"), predicted(tmp_path / "cache")
    assert copied["loaded"] == 0 and again["compiled"] == 0
    assert own["flux"] == copied["flux"] == again["flux"]


@pytest.mark.slow
def test_concurrent_processes_share_a_folder(tmp_path):
    predicted(tmp_path)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: predicted(tmp_path), range(3)))
    assert all(result["compiled"] == 0 for result in runs)
    assert len({tuple(result["flux"]) for result in runs}) == 1


@pytest.mark.slow
def test_what_jax_cannot_load_is_said_once_and_compiled(tmp_path):
    off = predicted(tmp_path, **{ENVIRONMENT: "0"})
    predicted(tmp_path)
    rubbish = "entries.Entries.get = lambda self, key: self.loaded.add(key) or b'no program'"
    result, said = run(tmp_path, rubbish)
    assert "Error reading persistent compilation cache entry" in said and "Traceback" not in said
    assert [result["flux"], predicted(tmp_path)["flux"]] == [off["flux"]] * 2


@pytest.mark.slow
def test_a_resumed_training_has_the_same_bits_with_the_cache_and_without(tmp_path):
    """Trained without a cache; the last steps again while it fills, and from it."""
    tiny.write(tmp_path)
    assert program(tmp_path, "train", "tiny.toml", "--out", "run").returncode == 0
    whole = weights(tmp_path / "run")
    for n in range(2):
        again = shutil.copytree(tmp_path / "run", tmp_path / f"again-{n}")
        for part in ("done.json", "surrogate.h5", "manifests/24.json"):
            (again / part).unlink()
        assert program(tmp_path, "resume", again.name, cache="cache").returncode == 0
        assert weights(again) == whole
    (verdict,) = (tmp_path / "cache").glob(f"*/{trial.VERDICT}")
    assert json.loads(verdict.read_text()) == {"reason": ""}  # programs were loaded


#: Compiles fast what runs slowly.
QUICK = "--xla_backend_optimization_level=0"


def program(folder: Path, *words: str, cache: str = "0") -> subprocess.CompletedProcess:
    """Run ``tengri WORDS`` in a folder, with a compilation cache."""
    here = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": here, ENVIRONMENT: cache, "XLA_FLAGS": QUICK}
    return subprocess.run([sys.executable, "-m", "tengri", *words], cwd=folder, env=environment,
                          capture_output=True, text=True, timeout=600, check=False)  # fmt: skip


def weights(run: Path) -> str:
    """Return the digest of all numbers of the network of a run."""
    leaves = jax.tree.leaves(artefact.read(run / "surrogate.h5").params)
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()


@pytest.mark.slow
def test_the_command_line_keeps_its_programs(tmp_path):
    """Where nothing can be written nothing is kept, and nothing is said."""
    words = ["sweep", "sfh_tau_tau_gyr", "1", "3", "--set", "sfh_tau_log_total_mass=10", "--set",
             "redshift=0.1", "--instrument", "SDSS", "-o", "sweep.png"]  # fmt: skip
    (tmp_path / "file").write_text("")
    for cache in ("cache", "file/cache"):
        done = program(tmp_path, *words, cache=cache)
        assert done.returncode == 0 and not done.stderr, done.stderr
    assert list((tmp_path / "cache").glob("jaxlib-*/*.xla"))
