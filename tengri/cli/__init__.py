"""The commands that this package contributes to the program ``tengri``.

The parsers are light: a command imports what it needs when it runs.
"""

from __future__ import annotations

from typing import Any


def add_parser(commands: Any) -> None:
    """Add the commands to the program."""
    from tengri.cli import cite, doctor, fit, predict, sign, sweep, verify
    from tengri.cli import list as list_command

    for command in (list_command, doctor, sweep, predict, fit, verify, sign, cite):
        command.add_parser(commands)
