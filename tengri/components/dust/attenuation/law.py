"""Interface of attenuation laws, and extrapolation of measured curves.

``um`` are wavelengths in µm, ``wave_aa`` in Å, shape (n_wave,). Either may be NumPy or JAX. On a
fixed grid, in NumPy, all that depends on wavelength alone is computed once in float64, and only
what depends on a free parameter is a JAX operation. A JAX array may be traced and differentiated:
where two pieces of a curve meet, its derivative is that of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jax.typing import ArrayLike

from tengri.components.array_module import Floats, array_module, as_floats
from tengri.registry import Change, Param, Versioned

#: Parameter values of one galaxy, full public name to scalar.
Values = Mapping[str, ArrayLike]

#: ``curve(wave_aa, p)``: attenuation relative to 5500 Å; NumPy where the wavelengths are NumPy and
#: the law has no parameters.
Curve = Callable[[Floats, Values], Floats]

#: A published curve without free parameters, in any normalisation.
Shape = Callable[[Floats], Floats]

#: Where optical depths are defined [µm]: a number, and as wavelengths of which to ask a curve.
PIVOT = 0.55
PIVOT_UM = np.array([PIVOT])

#: Blueward of the Lyman limit curves are held constant: in Å, and in µm.
LYMAN_LIMIT_AA, LYMAN_LIMIT_UM = 912.0, 0.0912


@dataclass(frozen=True)
class HeldBelowLymanLimit:
    """A curve that keeps its value at the Lyman limit blueward of it.

    Attributes
    ----------
    measured : callable
        The curve as it was published.
    """

    measured: Curve

    def __call__(self, wave_aa: Floats, p: Values) -> Floats:
        """Return the curve at ``wave_aa`` [Å]."""
        wave = as_floats(wave_aa)
        held = array_module(wave).where(wave < LYMAN_LIMIT_AA, LYMAN_LIMIT_AA, wave)
        return self.measured(held, p)


@dataclass(frozen=True)
class DustLaw(Versioned):
    """One attenuation law.

    Below the Lyman limit, where no curve was measured and gas decides what escapes, every law is
    constant: ``curve`` is wrapped so, whatever the function that was given does there.

    Attributes
    ----------
    name : str
        Name in the registry ``LAWS``.
    params : tuple of Param
        The parameters that ``curve`` reads; empty if the curve depends on wavelength only.
    curve : callable
        ``curve(wave_aa, p) -> k``, shape (n_wave,), with ``k(5500 Å) = 1``. ``wave_aa`` are rest
        wavelengths [Å], a NumPy or a JAX array, traced or not; ``p`` maps parameter names to
        scalars.
    reference : str
        Where the curve was published.
    held : bool
        Whether the curve is constant below the Lyman limit: all are but those of the past.
    """

    family: ClassVar[str] = "dust"

    name: str
    params: tuple[Param, ...]
    curve: Curve
    reference: str
    held: bool = True

    def __post_init__(self) -> None:
        """Hold the curve below the Lyman limit, or let it go on."""
        super().__post_init__()
        curve = self.curve
        measured = curve.measured if isinstance(curve, HeldBelowLymanLimit) else curve
        curve = HeldBelowLymanLimit(measured) if self.held else measured
        object.__setattr__(self, "curve", curve)


def once_not_held(law: DustLaw) -> DustLaw:
    """Return a law whose first version went on below the Lyman limit, with that version."""
    before = replace(law, held=False)
    what = "attenuation is constant below the Lyman limit, where the curve went on before"
    return replace(law, changes=(*law.changes, Change(what, before)))


def microns(wave_aa: ArrayLike) -> Floats:
    """Return wavelengths in µm from wavelengths in Å, as float64 NumPy unless they are JAX's."""
    return as_floats(wave_aa) * 1e-4


def not_below_lyman_limit(um: Floats) -> Floats:
    """Return ``um``, at least the Lyman limit."""
    xp = array_module(um)
    return xp.where(um < LYMAN_LIMIT_UM, LYMAN_LIMIT_UM, um)


def fixed(shape: Shape) -> Curve:
    """Return the curve of a law without parameters: ``shape`` over its value at 5500 Å."""

    def curve(wave_aa: Floats, p: Values) -> Floats:
        return shape(microns(wave_aa)) / float(shape(PIVOT_UM)[0])

    return curve


def polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """Return Σ c_n x^n, with plain numbers for ``coefficients`` so that ``x`` keeps its dtype."""
    total = coefficients[-1] + 0.0 * x
    for c in coefficients[-2::-1]:
        total = c + total * x
    return total


def extended(shape: Shape, blue: float, red: float) -> Shape:
    """Continue a curve that was measured between ``blue`` and ``red`` [µm] to every wavelength.

    Outside its range the curve follows the power law that is tangent to it at the edge: it
    stays positive and smooth, and falls to zero in the infrared. Below the Lyman limit, where
    no curve was measured and gas decides what escapes, it is constant.
    """
    step = 1e-4

    def slope(edge: float, inward: float) -> float:
        pair = np.log(shape(np.array([edge, edge * (1.0 + inward)])))
        return float((pair[1] - pair[0]) / np.log1p(inward))

    blue_slope, red_slope = slope(blue, step), slope(red, -step)

    def everywhere(um: Floats) -> Floats:
        um, xp = not_below_lyman_limit(um), array_module(um)
        bluer, redder = um < blue, um > red
        measured = xp.where(bluer, blue, xp.where(redder, red, um))
        below, above = xp.where(bluer, um / blue, 1.0), xp.where(redder, um / red, 1.0)
        return shape(measured) * below**blue_slope * above**red_slope

    return everywhere
