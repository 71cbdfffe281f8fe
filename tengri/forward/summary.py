"""What a photometric model prints: the same page for exact and emulated ones."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from tengri import tabular
from tengri.observation.filters import FilterCurve
from tengri.parameters.summary import SpecSummary

MOST_NAMES = 12


@dataclass(frozen=True)
class ModelSummary:
    """What a model says of itself, as text.

    Attributes
    ----------
    title : str
        Kind of model and SSP grid.
    facts : dict of str to str
        Cosmology, units and what else is one line.
    bands : tuple of tuple of str
        One row for each band, under ``band_head``.
    band_head : tuple of str
    spec : SpecSummary
    """

    title: str
    facts: Mapping[str, str]
    band_head: tuple[str, ...]
    bands: tuple[tuple[str, ...], ...]
    spec: SpecSummary

    def text(self) -> str:
        """Return the page as text."""
        table = tabular.aligned([self.band_head, *self.bands]) if self.bands else []
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join([self.title, *facts, "", *table, *([""] if table else []),
                          self.spec.text()])  # fmt: skip

    def html(self) -> str:
        """Return the page as HTML, every text escaped; settings open on a click."""
        facts = "<br>".join(
            f"{html.escape(name)}: {html.escape(value)}" for name, value in self.facts.items()
        )
        bands = tabular.html_table(self.band_head, self.bands, "Bands") if self.bands else ""
        title = f"<strong>{html.escape(self.title)}</strong>"
        return f"<div>{title}<br>{facts}{bands}{self.spec.html()}</div>"


class Summarised:
    """Mix-in of models: ``repr`` is one line, ``str`` and notebooks show the summary."""

    @abstractmethod
    def describe(self) -> ModelSummary:
        """Return what the model says of itself, in parts."""

    @abstractmethod
    def _short(self) -> str:
        """Return grid, bands and number of free parameters."""

    def summary(self) -> str:
        """Return a readable description: grid, bands (with marks), parameters."""
        return self.describe().text()

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._short()})"

    def _repr_html_(self) -> str:
        return self.describe().html()


def short(names: tuple[str, ...]) -> str:
    """Return names of bands in a line, cut after ``MOST_NAMES``."""
    if not names:
        return "no bands"
    cut = f" … ({len(names)})" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + cut


def band_rows(
    filters: tuple[FilterCurve, ...], *columns: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Return one row for each band: name, pivot wavelength [µm], and further columns."""
    firsts = [(f.name, f"{f.pivot / 1e4:.4g}") for f in filters]
    return tuple((*first, *more) for first, *more in zip(firsts, *columns))


BAND_HEAD = ("band", "pivot [µm]")
