"""Checks of this package for ``tengri doctor``: machine, data files, optional packages."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from tengri import __version__, shadow
from tengri.cli.doctor import FAILURE, OK, WARNING, Check
from tengri.errors import DataError

#: The name under which packagers know us: `tengri` on the package index is another program.
DISTRIBUTION = "tengri-sed"

#: A training with its checkpoints, or a catalogue of a million rows, fits into this [bytes].
DISK_NEED = 500e6
EXTRAS = {
    "speclite": "Euclid curves",
    "astropy": "FITS, ECSV and VOTable catalogues, conversion of units",
    "pyarrow": "Parquet and CSV catalogues",
}


def checks() -> list[Check]:
    """Return all findings."""
    return [*_versions(), *_packages(), *_devices(), *_data(), _filters(), _disk(),
            _compiled(), *map(_extra, EXTRAS)]  # fmt: skip


def _packages() -> list[Check]:
    """Return a note where a user's file or another distribution hides one of our packages."""
    hidden = [Check("packages", WARNING, f"{file} hides the package {name} from what runs here",
                    f"rename {file}, or work in another folder")
              for name, file in shadow.nearby().items()]  # fmt: skip
    others = [Check("packages", WARNING,
                    f"{other} also installs a package {name}: their files lie in one folder",
                    f"pip uninstall {other}, then install {DISTRIBUTION} again")
              for name, other in _installed_twice()]  # fmt: skip
    return hidden + others


def _installed_twice() -> list[tuple[str, str]]:
    """Return (package, other) for our packages that another distribution installs, too."""
    owners = packages_distributions()
    return [(name, other) for name in ("tengri", *shadow.NEIGHBOURS)
            for other in sorted(set(owners.get(name, ())) - {DISTRIBUTION})]  # fmt: skip


def _versions() -> list[Check]:
    names = ("jax", "jaxlib", "numpy", "h5py")
    shown = ", ".join(f"{name} {version(name)}" for name in names)
    return [Check("tengri", OK, f"{__version__}, Python {platform.python_version()}, {shown}")]


def _devices() -> list[Check]:
    import jax

    devices, backend = jax.devices(), jax.default_backend()
    found = f"{len(devices)} × {devices[0].device_kind} ({backend}), {_cores()} CPU cores"
    idle_gpu = backend == "cpu" and Path("/dev/nvidiactl").exists()
    fix = 'pip install "jax[cuda12]": a GPU is here that JAX does not use' if idle_gpu else ""
    x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    return [
        Check("device", WARNING if fix else OK, found, fix),
        Check("precision", OK, "float64" if x64 else "float32; float64 with JAX_ENABLE_X64=1"),
    ]


def _cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _data() -> list[Check]:
    from tengri.grids import files

    named = os.environ.get(files.ENVIRONMENT)
    found = []
    if named and not Path(named).is_dir():
        found.append(Check(files.ENVIRONMENT, FAILURE, f"{named} is no folder",
                           f"unset {files.ENVIRONMENT}, or make the folder"))  # fmt: skip
    return found + [_embedded(name) for name in files.EMBEDDED]


def _embedded(name: str) -> Check:
    from tengri.grids import files
    from tengri.io import seal

    try:
        path = files.resolve(name)
        return Check("data", OK, f"{path}, sha256 {seal.verify(path)[:12]}… intact")
    except (DataError, OSError) as error:
        return Check("data", FAILURE, str(error), f"reinstall tengri, or restore {name}")


def _filters() -> Check:
    from tengri.observation.filters import filter_names

    return Check("filters", OK, f"{len(filter_names())} curves by name")


def _disk() -> Check:
    free = shutil.disk_usage(".").free
    found = f"{free / 1e9:.1f} GB free in {Path.cwd()}; a training needs about 0.5 GB"
    fix = "" if free > DISK_NEED else "free some space, or work in another folder"
    return Check("disk", WARNING if fix else OK, found, fix)


def _compiled() -> Check:
    """Return where compiled programs are kept and how many; a note where they are not, and why."""
    from tengri import compilation_cache
    from tengri.compilation_cache.entries import MAX_BYTES, Entries

    folder, _, reason, fix = compilation_cache.state()
    if folder is None:
        return Check("compiled programs", WARNING, f"not kept: {reason}", fix)
    sizes = [status.st_size for _, status in Entries(folder).files()]
    found = f"{len(sizes)} in {folder}, {sum(sizes) / 1e6:.1f} of at most {MAX_BYTES / 1e6:.0f} MB"
    return Check("compiled programs", OK, found)


def _extra(package: str) -> Check:
    use = EXTRAS[package]
    if importlib.util.find_spec(package) is None:
        return Check(package, WARNING, f"not installed: no {use}", f"pip install {package}")
    try:
        return Check(package, OK, f"{version(package)}: {use}")
    except PackageNotFoundError:  # on the path without metadata
        return Check(package, OK, use)
