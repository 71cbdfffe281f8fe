"""Limits of the process that end it without a word, looked at before they do."""

from __future__ import annotations

import resource

from tengri.errors import ConfigError

#: Address space [bytes] that XLA takes to load and to compile the smallest model: with less,
#: LLVM ends the process by a signal.
LEAST_ADDRESS_SPACE = 1_800_000 << 10


def check_address_space() -> None:
    """Raise ConfigError where programs cannot be compiled in the address space there may be."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY and most < LEAST_ADDRESS_SPACE:
        raise ConfigError(
            f"the address space is limited to {most >> 20} MiB (ulimit -v), and to compile takes "
            f"{LEAST_ADDRESS_SPACE >> 20} MiB at least: raise the limit."
        )
