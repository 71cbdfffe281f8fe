"""Forked processes: JAX's threads do not survive a fork, and a call there would never return."""

from __future__ import annotations

import os
import sys

from tengri.errors import ConfigError

_state = {"forked": False}


def _note_fork() -> None:
    _state["forked"] = _state["forked"] or _jax_has_started()


def _jax_has_started() -> bool:
    bridge = sys.modules.get("jax._src.xla_bridge")
    started = getattr(bridge, "backends_are_initialized", lambda: True)
    return bridge is not None and bool(started())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def check_process() -> None:
    """Raise ConfigError in a process that was forked after JAX had started: it would hang."""
    if _state["forked"]:
        raise ConfigError(
            "This process was forked after JAX had started, and JAX cannot compute here. Start "
            'workers with multiprocessing.get_context("spawn") (or "forkserver"), or evaluate all '
            "walkers at once in one process, e.g. emcee's vectorize=True."
        )
