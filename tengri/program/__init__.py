"""The commands that this package contributes to the program ``tengri``.

The parsers are light: a command imports what it needs when it runs.
"""

from __future__ import annotations

from typing import Any


def add_parser(commands: Any) -> None:
    """Add the commands to the program."""
    from tengri.program import cite, doctor, listing, predict, sweep, verify

    for command in (listing, doctor, sweep, predict, verify, cite):
        command.add_parser(commands)
