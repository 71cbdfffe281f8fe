"""Emission lines by name: ``Ha_6565``, ``[OIII]_5008``, ``[CII]_158um``.

A name is a species and a wavelength in vacuum: in Å, rounded, below 3 µm, in µm with three digits
beyond. Lines of hydrogen go by their series (``Ly``, none for Balmer, ``Pa``, ``Br``, ``Pf``,
``Hu``) and the order ``a b g d``, then by the upper level (``H7``, ``Pa8``). Brackets say that a
line is forbidden. Case, brackets, spaces and underscores may be left out where a line is asked
for, and so may the wavelength of hydrogen's; Greek letters may be written out: ``OIII5008``,
``Halpha``, ``Hb``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tengri.errors import DataError, ParameterError, unknown

MICRONS_FROM_AA = 3e4
GREEK = {"a": ("alpha", "α"), "b": ("beta", "β"), "g": ("gamma", "γ"), "d": ("delta", "δ")}
#: Spellings of single lines besides the rules.
SPELT = {"H7": ("Hepsilon", "Hε"), "Pa8": ("Paepsilon",), "Ly6": ("Lyepsilon",)}
#: Relative distance of a table's wavelength from the one below that is the same line; and of one
#: that others have rounded.
SAME, NEAR = 5e-6, 5e-5

# Species → wavelengths in vacuum [Å]. Blends that tables give as one line bear the name of their
# stronger member: He I, [C I] 9853, C II] 2327, [O II] 2472, 7325 and 7334, [Ne IV] 4721.
HYDROGEN: dict[str, tuple[float, ...]] = {
    "Ly": (1215.670, 1025.720, 972.537, 949.743, 937.803, 930.748, 926.226, 923.150),
    "H": (6564.613, 4862.678, 4341.680, 4102.888, 3971.193, 3890.152, 3836.468, 3798.978),
    "Pa": (18756.120, 12821.606, 10941.096, 10052.155, 9548.589, 9231.553, 9017.385),
    "Br": (40522.548, 26258.663, 21661.211, 19450.909, 18179.063, 17366.842),
    "Pf": (74598.534, 46537.787, 37405.599, 32969.890, 30391.988),
    "Hu": (123718.720, 75024.950, 59082.105, 51286.581),
}
METALS: dict[str, tuple[float, ...]] = {
    "HeI": (4472.755, 5877.289, 6679.994, 10833.167, 3889.742, 7067.168),
    "HeII": (1640.410, 4686.991),
    "[CI]": (9852.701, 8729.527, 4622.865, 6097561.865, 3703699.428),
    "[CII]": (1576789.750,),
    "CII]": (2326.714,),
    "CIII]": (1908.730,),
    "[CIII]": (1906.680,),
    "[NI]": (5201.708,),
    "[NII]": (6585.269, 6549.859, 5756.186, 1218021.967, 2053389.643),
    "NII]": (2139.684,),
    "[NIII]": (573394.276,),
    "[OI]": (6302.042, 6365.539, 5578.889, 631851.209, 1455346.649),
    "[OII]": (3727.090, 3729.870, 7334.020, 7325.018, 2471.747),
    "OIII]": (1660.810, 1666.150),
    "[OIII]": (5008.237, 4960.294, 4364.436, 2321.663, 883563.812, 518145.219),
    "[NeII]": (128135.924,),
    "[NeIII]": (155551.396, 360134.153, 3869.857, 3968.593, 3343.141, 1814.560),
    "[NeIV]": (4721.321,),
    "MgII": (2796.354, 2803.536),
    "[SiII]": (348140.885,),
    "[SII]": (10339.233, 6732.678, 6718.294, 4069.749, 4077.501),
    "[SIII]": (187129.002, 334795.247, 9533.234, 9071.109, 6313.806, 3722.689),
    "[SIV]": (105104.647,),
    "[ArII]": (69852.740,),
    "[ArIII]": (7137.757, 7753.243, 5193.266, 3110.082, 218312.501, 89914.307),
    "[ArIV]": (7334.170,),
    "AlII]": (2669.944,),
    "[AlII]": (2661.142,),
    "AlII": (1855.930, 1862.310),
    "[ClII]": (143678.160, 8581.057, 9126.104),
    "[ClIII]": (5539.408, 5519.243),
    "[PII]": (606428.280, 328709.589),
    "[FeII]": (12570.238,),
}
#: Level on which the lines of a series end.
ENDS_ON = {"Ly": 1, "H": 2, "Pa": 3, "Br": 4, "Pf": 5, "Hu": 6}
OF_HYDROGEN = re.compile(r"(Ly|H|Pa|Br|Pf|Hu)([abgd]|\d+)")


def named(species: str, wave: float) -> str:
    """Return the name of a line of a species at a wavelength in vacuum [Å]."""
    if wave < MICRONS_FROM_AA:
        return f"{species}_{wave:.0f}"
    return f"{species}_{f'{wave / 1e4:#.3g}'.rstrip('.')}um"


def _of_hydrogen(series: str, order: int) -> str:
    """Return what a line of a series is called: ``Ha``, ``Hb``, ``H7``."""
    return series + (*GREEK, *map(str, range(ENDS_ON[series] + 5, 20)))[order]


def _known() -> tuple[np.ndarray, list[str]]:
    """Return the wavelengths [Å] of all lines above, and their species."""
    pairs = [(wave, _of_hydrogen(series, order)) for series, waves in HYDROGEN.items()
             for order, wave in enumerate(waves)]  # fmt: skip
    pairs += [(wave, species) for species, waves in METALS.items() for wave in waves]
    return np.array([wave for wave, _ in pairs]), [species for _, species in pairs]


def nearest_line(wave: float) -> tuple[str, float] | None:
    """Return name and wavelength [Å] of the line that is within 15 km/s of a vacuum wavelength."""
    known, species = _known()
    nearest = int(np.argmin(np.abs(known / wave - 1.0)))
    if abs(known[nearest] / wave - 1.0) > NEAR:
        return None
    return named(species[nearest], known[nearest]), float(known[nearest])


@dataclass(frozen=True)
class LineList:
    """Lines in a fixed order; hashable.

    Attributes
    ----------
    names : tuple of str
    waves : tuple of float
        Vacuum wavelengths [Å].
    """

    names: tuple[str, ...] = ()
    waves: tuple[float, ...] = ()

    @classmethod
    def of_table(cls, wave: Iterable[float]) -> LineList:
        """Return the names of a table's lines, (n_line,) vacuum wavelengths [Å].

        Raises
        ------
        DataError
            A wavelength that is no line of those above.
        """
        known, species = _known()
        names = []
        for line in wave:
            nearest = int(np.argmin(np.abs(known / line - 1.0)))
            if abs(known[nearest] / line - 1.0) > SAME:
                raise DataError(f"The table has a line at {line:.3f} Å that has no name here: add "
                                "it to tengri.components.line_list.")  # fmt: skip
            names.append(named(species[nearest], known[nearest]))
        return cls(tuple(names), tuple(float(line) for line in wave))

    def __len__(self) -> int:
        return len(self.names)

    def __add__(self, other: LineList) -> LineList:
        return LineList(self.names + other.names, self.waves + other.waves)

    def index(self, name: str) -> int:
        """Return the place of a line.

        Raises
        ------
        ParameterError, UnknownNameError
            A name that is no text; one that no line has (the message has near matches).
        """
        if not isinstance(name, str):
            raise ParameterError(f"A line is asked for by its name, e.g. 'Ha_6565'; got {name!r}.")
        if (place := self._spellings.get(_plain(name))) is None:
            short = (text for known in self.names for text in _spellings_of(known))
            raise unknown("line", name, {*self.names, *short})
        return place

    def indices(self, names: str | Sequence[str]) -> list[int]:
        """Return the places of several lines."""
        return [self.index(name) for name in ([names] if isinstance(names, str) else names)]

    @cached_property
    def _spellings(self) -> dict[str, int]:
        """Every way to write each line → its place; names in full come first."""
        found: dict[str, int] = {}
        for spell in (lambda name: (name,), _spellings_of):
            for place, name in enumerate(self.names):
                for other in spell(name):
                    found.setdefault(_plain(other), place)
        return found


def _plain(name: str) -> str:
    """Return a name without what may be left out."""
    return "".join(c for c in name.lower() if c not in "[] _")


def _spellings_of(name: str) -> tuple[str, ...]:
    """Return other spellings of a line of hydrogen, that of a nucleus included; else none."""
    prefix, body = ("agn_", name[4:]) if name.startswith("agn_") else ("", name)
    species, _, wave = body.rpartition("_")
    if not (found := OF_HYDROGEN.fullmatch(species)):
        return ()
    series, order = found.groups()
    spelt = (*(series + letter for letter in GREEK.get(order, ())), *SPELT.get(species, ()))
    return tuple(prefix + text for each in (species, *spelt) for text in (each, f"{each}_{wave}"))
