"""A folder of compiled programs on disk, from which the next process takes them.

Compiled code of a processor is foreign to another one, and JAX's issue tracker tells how that goes
wrong: XLA compares what LLVM was asked for with what the host has, and either complains about every
entry that the same machine wrote and compiles all the same (jax-ml/jax 38445, openxla/xla 44565:
LLVM's tuning words taken for instructions), or runs what it warns of, and dies of an illegal
instruction. Other packages found that an exchanged jaxlib read entries of the one before and
crashed, and that a bound on the size makes processes wait for one another's lock (`entries`).
Therefore

- a folder belongs to one processor, one jaxlib, one set of compiler flags (`machine`);
- it is not used before a process has loaded what another one wrote, without a complaint (`trial`);
- an entry that is damaged, or that JAX cannot load, is compiled anew and replaced (`entries`).

Where any of that fails the cache is off, programs are compiled as ever, and ``tengri doctor`` says
why.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from tengri.compilation_cache import machine, trial
from tengri.compilation_cache.entries import attach, attached, available
from tengri.compilation_cache.unusable import UnusableError
from tengri.io.cache import user_cache

ENVIRONMENT = "TENGRI_COMPILATION_CACHE"
OFF, ON = ("0", "off"), ("1", "on")
ANOTHER = f"name a folder of your own in {ENVIRONMENT}"


class CacheState(NamedTuple):
    """The folder in use and whether programs in it may be loaded; or None, why, and a remedy."""

    folder: Path | None
    may_load: bool = False
    reason: str = ""
    fix: str = ""


def enable_compilation_cache(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Keep compiled programs on disk and take them from there, in this process from here on.

    The command line does so by itself; in Python it is one call, before the first prediction. The
    second process on a machine tries the folder out, in two short processes more.

    Parameters
    ----------
    folder : path, optional
        Where to keep them; the default is what the environment variable
        ``TENGRI_COMPILATION_CACHE`` names, else ``tengri/compiled`` in ``$XDG_CACHE_HOME``
        (``~/.cache``). Each processor, jaxlib and set of compiler flags has its own
        subfolder. ``TENGRI_COMPILATION_CACHE=0`` (or ``off``) switches the cache off, always;
        ``1`` is as if it were not set.

    Returns
    -------
    Path or None
        The folder in use; None where the cache is off: ``tengri doctor`` says why.
    """
    found = state(folder)
    if found.folder is not None:
        attach(found.folder, found.may_load)
    return found.folder


def state(folder: str | os.PathLike[str] | None = None) -> CacheState:
    """Return the folder that can be used, made and tried out where need be, or why there is none.

    Parameters
    ----------
    folder : path, optional
        As for `enable_compilation_cache`.
    """
    try:
        root = _root(folder)
        _check_jax()
        place = root / machine.name()
        _make(place)
        return CacheState(place, trial.check(place))
    except UnusableError as reason:
        return CacheState(None, reason=str(reason), fix=reason.fix)
    except OSError as error:
        return CacheState(None, reason=f"{error.filename}: {error.strerror or error}", fix=ANOTHER)


def _root(folder: str | os.PathLike[str] | None) -> Path:
    """Return the folder of all folders."""
    named = os.environ.get(ENVIRONMENT, "")
    if named.lower() in OFF:
        raise UnusableError(f"{ENVIRONMENT}={named}", f"unset {ENVIRONMENT}")
    if named.lower() in ON:
        named = ""
    try:
        if folder or named:
            return Path(folder or named).expanduser().absolute()
        return user_cache() / "compiled"
    except RuntimeError as error:  # nobody's home
        raise UnusableError("there is no home folder", ANOTHER) from error


def _check_jax() -> None:
    """Raise UnusableError where JAX has a cache already, may have none, or lets us keep none."""
    import jax

    given = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if given and not attached(given):
        raise UnusableError(
            f"JAX keeps compiled programs itself, in {given}", "unset JAX_COMPILATION_CACHE_DIR"
        )
    if not jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        raise UnusableError("JAX's switch for it is off", "unset JAX_ENABLE_COMPILATION_CACHE")
    if not available():
        raise UnusableError(
            f"JAX {jax.__version__} has its cache in another place",
            "use an older JAX",
        )


def _make(place: Path) -> None:
    """Make a folder that nobody else writes to: what lies in it is executed."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = place.stat()
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise UnusableError(f"{place} is another user's: their code would be executed", ANOTHER)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnusableError(
            f"others can write to {place}: their code would be executed", f"chmod 700 {place}"
        )
