"""Whether one process can load what another one compiled, tried once for each folder.

Two short processes compile the same program, one after the other. The second one must find it, get
the same numbers, and XLA must have nothing to say: it takes code that was compiled for other
instructions, too, and only writes that this "could lead to execution errors such as SIGILL".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tengri import __file__ as package
from tengri.compilation_cache.entries import Entries, attach
from tengri.compilation_cache.unusable import UnusableError
from tengri.errors import DataError
from tengri.io import atomic

VERDICT = "verdict.json"
SECONDS = 120.0
COMPLAINT = "cpu_aot_loader"


def check(folder: Path) -> bool:
    """Return whether programs of this folder may be loaded; raise UnusableError if they cannot be.

    An empty folder is not tried out, so that the first process of all need not wait for it: that
    one writes and loads nothing, and the next one tries.
    """
    file = folder / VERDICT
    reason = _read(file)
    if reason is None:
        if not Entries(folder).files():
            return False
        reason = _try(folder)
        try:
            atomic.write_text(file, json.dumps({"reason": reason}) + "\n")
        except DataError as error:
            raise UnusableError(str(error), "free some space, or make it writable") from error
    if reason:
        raise UnusableError(reason, f"remove {folder} to try again, after an update of jaxlib")
    return True


def _read(file: Path) -> str | None:
    """Return what is known: "" if programs can be loaded, why not, or None if it is not known."""
    try:
        return str(json.loads(file.read_text())["reason"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _try(folder: Path) -> str:
    """Return "" if the second of two processes loads what the first one wrote, else the reason."""
    first = _process(folder)
    if first.returncode:  # nothing is known of loading; not to be remembered
        raise UnusableError(f"a trial could not be compiled: {_last_line(first)}")
    second = _process(folder)
    if second.returncode:
        return f"a process that loads a program ends with {second.returncode}"
    if COMPLAINT in second.stderr:
        return f"XLA does not trust what it compiled on this machine: {_complaint(second)}"
    written, read = json.loads(first.stdout), json.loads(second.stdout)
    if not read["loaded"]:
        return "a second process does not find what the first one compiled"
    return "" if read["value"] == written["value"] else "a loaded program gives other numbers"


def _process(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the trial program in a process of its own, on the processor."""
    home = str(Path(package).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()", str(folder)]
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True,
                              timeout=SECONDS, check=False)  # fmt: skip
    except (subprocess.TimeoutExpired, OSError) as error:
        raise UnusableError(f"a trial could not be run: {error}") from error


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    line = next(line for line in done.stderr.splitlines() if COMPLAINT in line)
    return line.partition("] ")[2][:120] or line[:120]


def main() -> None:
    """Compile a program, or load it from the folder that is named; print its result as JSON."""
    import jax
    import jax.numpy as jnp

    hits = []
    jax.monitoring.register_event_listener(
        lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None
    )
    entries = attach(Path(sys.argv[1]), may_load=True)

    @jax.jit
    def program(x: jax.Array) -> jax.Array:
        return jnp.tanh(jnp.exp(x) @ x.T) + jnp.cumsum(jnp.sort(x, axis=1), axis=1)[:, ::-1]

    value = program(jax.device_put(_numbers()))
    print(json.dumps({"loaded": len(hits) and len(entries.loaded), "value": value.tolist()}))


def _numbers() -> object:
    """Return the argument, a (16, 16) array that no program makes."""
    import numpy as np

    return np.sin(np.arange(256, dtype=np.float32)).reshape(16, 16)
