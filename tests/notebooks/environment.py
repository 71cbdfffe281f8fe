"""Where notebooks run: what users wait for is compiled as theirs, not as fast as tests are."""

from __future__ import annotations

import os


def as_users_compile() -> dict[str, str]:
    """Return the environment without the compiler's flags that `make test` sets."""
    return {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
