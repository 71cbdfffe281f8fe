"""Wording of errors: options on the command line, arguments in Python."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """Phrases with ``{parameter}``, ``{column}`` and ``{value}`` to be filled in."""

    rename: str
    ignore: str
    give: str
    modes: str
    as_they_are: str

    def renaming(self, parameter: str, column: str = "COLUMN") -> str:
        """Return how a column is named as a parameter's."""
        return self.rename.format(parameter=parameter, column=column)

    def ignoring(self, column: str) -> str:
        """Return how a column is left out."""
        return self.ignore.format(column=column)

    def giving(self, parameter: str) -> str:
        """Return how one value is given to all rows."""
        return self.give.format(parameter=parameter)


OPTIONS = Words(
    "--column {parameter}={column}",
    "--ignore {column}",
    "--set {parameter}=VALUE",
    "--out-of-domain nan or clip",
    "--ignore-units",
)
ARGUMENTS = Words(
    "columns={{{parameter!r}: {column!r}}}",
    "a table without {column!r}",
    "{parameter}=VALUE in the model's spec",
    'out_of_domain="nan" or "clip"',
    "a table without units",
)
