"""Identity of a machine for compiled code: the processor, the compiler and its flags."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from tengri.compilation_cache.unusable import UnusableError

CPUINFO = Path("/proc/cpuinfo")
#: Lines of /proc/cpuinfo from which LLVM derives instructions and tuning; x86, then ARM and others.
#: The others (clock, microcode, cores) change from boot to boot.
DESCRIBING = {
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features",
    "cpu", "isa", "features",
}  # fmt: skip
SYSCTL = ("machdep.cpu.brand_string", "hw.cputype", "hw.cpusubtype", "hw.cpufamily", "hw.optional")
#: Environment that changes what is compiled, for what.
VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "JAX_PLATFORMS")


def name() -> str:
    """Return the name of the folder of this machine and software: jaxlib's version and a digest.

    Raises UnusableError where the processor's instructions are not known.
    """
    import jaxlib.version

    text = "\n".join([*processor(), *software()])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"jaxlib-{jaxlib.version.__version__}-{digest[:16]}"


def processor() -> list[str]:
    """Return lines that describe the processors of this machine and their instructions."""
    if CPUINFO.exists():
        lines = {" ".join(line.split()) for line in CPUINFO.read_text().splitlines()
                 if line.partition(":")[0].strip() in DESCRIBING}  # fmt: skip
    elif sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", *SYSCTL]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        lines = set(done.stdout.splitlines())
    else:
        lines = set()
    if not lines:
        raise UnusableError("the instructions of this processor are not known")
    return sorted(lines)


def software() -> list[str]:
    """Return lines that describe the compiler.

    The size of jaxlib's library tells builds of one version apart (package index, conda). Python's
    version is that of how entries are compressed: from 3.14 on with zstandard, which JAX's own
    keys call by the name of what came before.
    """
    import jax
    import jaxlib

    folder = Path(jaxlib.__file__).parent
    largest = max((file.stat().st_size for file in folder.glob("*.*")), default=0)
    python = f"{platform.python_implementation()} {sys.version_info[:2]}"
    variables = [f"{variable}={os.environ.get(variable, '')}" for variable in VARIABLES]
    return [platform.system(), platform.machine(), python, f"jax {jax.__version__}",
            f"jaxlib {largest} bytes", *variables]  # fmt: skip
