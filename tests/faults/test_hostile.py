"""Files that somebody else made: nothing in them runs, and none of them fills the memory."""

from __future__ import annotations

import ast
import resource
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

import emulator
from tengri import load_ssp_data
from tengri.__main__ import main as program
from tengri.catalogue import hdf5 as catalogues
from tengri.components.agn import nenkova08
from tengri.components.dust.emission import dl07
from tengri.components.stellar import nebular_table
from tengri.errors import DataError, TengriError
from tengri.grids import files as grids
from tengri.io import seal, sealed_json
from tests.faults.make_golden import RUN
from train.dataset import MANIFEST, Dataset
from train.runfolder import RunFolder

Counter = Callable[..., None]
SECRET = b"this is not yours to read......."
ROOT = Path(__file__).parents[2]


# --- what a dataset may be ----------------------------------------------------------------------


def as_text(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, like.shape, h5py.string_dtype())


def as_references(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, like.shape, h5py.ref_dtype)


def as_sequences(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, like.shape, h5py.vlen_dtype(np.float64))


def as_compound(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, like.shape, np.dtype([("a", "f4"), ("b", "S9")]))


def as_complex(file: h5py.File, name: str, like: np.ndarray) -> None:
    file[name] = like.astype(complex)


def as_nothing(file: h5py.File, name: str, like: np.ndarray) -> None:
    file[name] = h5py.Empty("f4")


def as_group(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_group(name)


def as_huge(file: h5py.File, name: str, like: np.ndarray) -> None:
    """Eight terabytes declared, none of them stored."""
    file.create_dataset(name, (10**12, *[1] * (like.ndim - 1)), "f8", chunks=True)


def as_huge_and_flat(file: h5py.File, name: str, like: np.ndarray) -> None:
    """Just below the limit of what may be read at all."""
    file.create_dataset(name, (2**27, *[1] * (like.ndim - 1)), "f8", chunks=True)


def as_huge_chunk(file: h5py.File, name: str, like: np.ndarray) -> None:
    """One chunk that unpacks to more than memory may hold."""
    shape = (2**29 - 1, *[1] * (like.ndim - 1))
    file.create_dataset(name, shape, "f8", chunks=shape, compression="gzip")


def as_link_out(file: h5py.File, name: str, like: np.ndarray) -> None:
    file[name] = h5py.ExternalLink("secret.h5", "/x")


def as_link_to_nothing(file: h5py.File, name: str, like: np.ndarray) -> None:
    file[name] = h5py.SoftLink("/nowhere")


def as_loop(file: h5py.File, name: str, like: np.ndarray) -> None:
    file[name] = h5py.SoftLink(f"/{name}")


def as_bytes_of_another_file(file: h5py.File, name: str, like: np.ndarray) -> None:
    file.create_dataset(name, (len(SECRET) // 4,), "f4", external=[("secret.bin", 0, len(SECRET))])


def as_view_of_another_file(file: h5py.File, name: str, like: np.ndarray) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (4,))
    file.create_virtual_dataset(name, layout)


KINDS = [as_text, as_references, as_sequences, as_compound, as_complex, as_nothing, as_group,
         as_huge, as_huge_and_flat, as_huge_chunk, as_link_out, as_link_to_nothing, as_loop,
         as_bytes_of_another_file, as_view_of_another_file]  # fmt: skip


def replaced(path: Path, name: str, kind: Callable[..., None], sealed: bool) -> None:
    """Put something else in the place of a dataset, as a forger would, seal and all."""
    (path.parent / "secret.bin").write_bytes(SECRET)
    with h5py.File(path.parent / "secret.h5", "w") as secret:
        secret["x"] = np.frombuffer(SECRET)
    with h5py.File(path, "r+") as file:
        like = file[name][()]
        del file[name]
        kind(file, name, like)
    if sealed:
        seal.seal(path)


@contextmanager
def little_memory(more: int = 1 << 30) -> Iterator[None]:
    """Let the process have no more than this beyond what it has [bytes]."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# --- the loaders --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_grids(golden: Path, kind: Callable[..., None], injected: Counter) -> None:
    good = (golden / "ssp.h5").read_bytes()
    names = ("ssp_flux", "ssp_wave", "ssp_lgmet")
    for name in names:
        (golden / "ssp.h5").write_bytes(good)
        replaced(golden / "ssp.h5", name, kind, sealed=True)
        with little_memory(), pytest.raises(DataError, match=rf"ssp\.h5.*{name}"):
            load_ssp_data("ssp.h5")
    injected("hostile", len(names))


@pytest.mark.parametrize("kind", KINDS)
def test_surrogates(golden: Path, kind: Callable[..., None], injected: Counter) -> None:
    replaced(golden / RUN / "surrogate.h5", "weights/out/kernel", kind, sealed=True)
    with little_memory(), pytest.raises(DataError, match=r"surrogate\.h5"):
        emulator.load(golden / RUN / "surrogate.h5")
    injected("hostile")


@pytest.mark.parametrize("kind", KINDS)
def test_shards(stored: Path, kind: Callable[..., None], injected: Counter) -> None:
    dataset = Dataset.open(stored)
    replaced(dataset.path(2), "flux", kind, sealed=True)
    with little_memory():
        assert list(dataset.verify()) == [2]
        with pytest.raises(DataError, match="Remake it: tengri dataset"):
            dataset.rows(0, dataset.n_rows)
    injected("hostile")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [grids.DUST_DL07, grids.NEBULAR, grids.TORUS_NENKOVA08])
def test_tables(
    name: str, kind: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    injected: Counter,
) -> None:  # fmt: skip
    (tmp_path / name).write_bytes(grids.resolve(name).read_bytes())
    replaced(tmp_path / name, "wave", kind, sealed=True)
    monkeypatch.setenv(grids.ENVIRONMENT, str(tmp_path))
    load = {grids.DUST_DL07: dl07.templates.__wrapped__, grids.NEBULAR: nebular_table.cloudy_table,
            grids.TORUS_NENKOVA08: nenkova08.table.__wrapped__}  # fmt: skip
    with little_memory(), pytest.raises(DataError, match=rf"{name}: .*wave"):
        load[name]()
    injected("hostile")


@pytest.mark.parametrize("kind", KINDS)
def test_catalogues(tmp_path: Path, kind: Callable[..., None], injected: Counter) -> None:
    """What is no column of numbers in the file itself is not one, or is refused when read."""
    path = tmp_path / "cat.h5"
    with h5py.File(path, "w") as file:
        file["redshift"] = np.linspace(0.1, 0.2, 4)
        file["mass"] = np.ones(4)
    replaced(path, "mass", kind, sealed=False)
    with little_memory():
        try:
            with catalogues.open_table(path, None) as table:
                found = table.read(table.names, 0, 4)
        except DataError as error:
            assert "cat.h5" in str(error)
        else:
            leaked = SECRET in b"".join(np.asarray(v).tobytes() for v in found.values())
            assert not leaked and set(found) <= {"redshift", "mass", "a", "b"}
            assert all(len(values) <= 4 for values in found.values())
    injected("hostile")


@pytest.mark.parametrize("name", ["x", "inner/x", "inner", "nowhere", ""])
def test_tables_of_a_catalogue_are_not_links(tmp_path: Path, name: str, injected: Counter) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x/mass"] = np.ones(3)
    with h5py.File(tmp_path / "cat.h5", "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "/x")
        file["inner"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(TengriError), catalogues.open_table(tmp_path / "cat.h5", name):
        pass
    injected("hostile")


# --- texts --------------------------------------------------------------------------------------

DEEP = "[" * 200_000


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "1" * 10_000, "\0", "", "NaN", "[]"])
def test_sealed_texts(golden: Path, text: str, injected: Counter) -> None:
    for place in (golden / RUN / "config.json", golden / RUN / "copies" / "config.json"):
        place.write_text(text)
    (golden / "set-1" / MANIFEST).write_text(text)
    for read in (lambda: sealed_json.read_json(golden / RUN / "config.json"),
                 lambda: Dataset.open(golden / "set-1")):  # fmt: skip
        with pytest.raises(DataError):
            read()
    assert program(["resume", RUN]) == 1
    injected("hostile", 2)


CONTENTS = {
    "many rows": {"rows": 10**15}, "negative": {"rows": -1}, "many shards": {"shards": 10**9},
    "no number": {"rows": "192"}, "true": {"shards": True}, "list": {"rows": [1]},
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENTS)
def test_manifests_with_a_good_seal(stored: Path, case: str, injected: Counter) -> None:
    content = sealed_json.read_json(stored / MANIFEST)
    content["rows"] |= CONTENTS[case]
    sealed_json.write_json(stored / MANIFEST, content)
    with little_memory():
        try:
            problems = Dataset.open(stored).verify()
        except DataError as error:
            assert MANIFEST in str(error)
        else:
            assert problems  # the shards belong to another description
    injected("hostile")


@pytest.mark.parametrize("content", [[], {"seconds": "x"}, {"seconds": None}, {"seconds": True}])
def test_a_clock_with_a_good_seal(finished: Path, content: object, injected: Counter) -> None:
    sealed_json.write_json(finished / "clock.json", content)
    with pytest.raises(DataError, match=r"clock\.json: malformed"):
        RunFolder.open(finished).seconds()
    injected("hostile")


@pytest.mark.parametrize("change", [{"verdict": "?"}, {"verdict": []}, {"proof": 3},
                                    {"proof": {"p50": "x"}}])  # fmt: skip
def test_an_end_with_a_good_seal(finished: Path, change: dict, injected: Counter) -> None:
    sealed_json.write_json(
        finished / "done.json", sealed_json.read_json(finished / "done.json") | change
    )
    with pytest.raises(DataError, match=r"done\.json: malformed"):
        RunFolder.open(finished).done()
    injected("hostile")


PLANS = {
    "nothing": {}, "no phases": {"phases": "xx"}, "other keys": {"x": 1}, "zero": {"dispatch": 0},
    "negative": {"polish": -1}, "text": {"pool": "64"}, "fraction": {"reuse": 1.5},
    "small pool": {"pool": 1},
}  # fmt: skip


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_with_a_good_seal(
    finished: Path, case: str, injected: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("done.json", "surrogate.h5"):
        (finished / name).unlink()
    content = sealed_json.read_json(finished / "plan.json")
    content["plan"] = content["plan"] | PLANS[case] if PLANS[case] else {}
    for place in (finished / "plan.json", finished / "copies" / "plan.json"):
        sealed_json.write_json(place, content)
    assert program(["resume", RUN]) == 1
    assert "plan.json: malformed" in capsys.readouterr().err
    injected("hostile")


@pytest.mark.parametrize("value", ["../../out", "/etc/out", "a/../../b", "..", "x\0y"])
def test_a_shard_is_named_by_its_number_alone(stored: Path, value: str, injected: Counter) -> None:
    """Names in a manifest lead nowhere: whatever it says, its shards lie beside it."""
    content = sealed_json.read_json(stored / MANIFEST)
    content["rows"]["target"] = value
    content["made_with"]["command"] = f"tengri dataset {value!r}; touch executed"
    sealed_json.write_json(stored / MANIFEST, content)
    dataset = Dataset.open(stored)
    assert {dataset.path(n).parent for n in (1, 2, 3)} == {stored}
    words = list(shlex.shlex(dataset.remake(1), posix=True, punctuation_chars=True))
    assert ";" not in words and "touch" in words  # quoted: an argument, no second command
    injected("hostile")


def test_a_download_stays_in_its_folder(injected: Counter) -> None:
    from tengri.io.download import name_in

    for url, name in (("https://a.b/../../x.h5", "x.h5"), ("https://a.b/%2e%2e%2fx.h5", "x.h5"),
                      ("https://a.b/c%2Fx.h5", "x.h5")):  # fmt: skip
        assert name_in(url) == name
    for url in ("https://a.b/..", "https://a.b/%2e%2e", "https://a.b/", "https://a.b/x%00.h5"):
        with pytest.raises(DataError, match="no file name"):
            name_in(url)
    injected("hostile", 7)


# --- our own code -------------------------------------------------------------------------------

EXECUTES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "cPickle", "_pickle"}


def executes(path: Path) -> list[str]:
    """Return where a file of ours unpickles, or runs text as code."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = [node.func.id] if node.func.id in ("eval", "exec") else []
            found += names
        found += [name for name in names if name in EXECUTES]
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            ok = isinstance(node.value, ast.Constant) and node.value.value is False
            found += [] if ok else ["allow_pickle"]
        if isinstance(node, ast.Constant) and node.value in ("pickle", "dill"):
            found.append(str(node.value))
    return [f"{path.name}: {name}" for name in found]


def test_nothing_is_pickled_and_no_text_is_run() -> None:
    sources = [p for folder in ("tengri", "emulator", "train", "benchmarks", "notebooks", "data")
               for p in (ROOT / folder).rglob("*.py")]  # fmt: skip
    assert len(sources) > 150
    assert [problem for path in sources for problem in executes(path)] == []
    written = {p.suffix for folder in ("checkpoints", "data", "tests")
               for p in (ROOT / folder).rglob("*") if p.is_file()}  # fmt: skip
    assert not {".pkl", ".pickle", ".npy", ".joblib", ".dill", ".pt", ".msgpack"} & written


@pytest.mark.parametrize("code", ["import pickle", "from dill import loads", "eval('1')",
                                  "np.load(f, allow_pickle=True)", "exec(text)",
                                  "import_module('pickle')"])  # fmt: skip
def test_the_search_finds_it(tmp_path: Path, code: str) -> None:
    (tmp_path / "x.py").write_text(code)
    assert executes(tmp_path / "x.py")
