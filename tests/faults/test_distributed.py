"""Promise: several processes train one run; one that dies costs the work since the last save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import distributed


@pytest.mark.slow
def test_one_of_two_processes_is_killed(tmp_path: Path, injected: Callable[..., None]) -> None:
    """The first, then the second; more of them: ``python -m tests.faults.distributed``."""
    found = distributed.kills(tmp_path, 2, seed=1)
    assert found["what_was_lost"] == []
    assert found["the other ended by itself"] == found["kills"] == 2
    injected("distributed", 2)
