"""Physical constants, CODATA 2018 and IAU 2015 nominal values; CGS unless the name says Å or Gyr.

The values are those of ``astropy.constants``, so that distances and ages agree with astropy's.
"""

from __future__ import annotations

import math

#: Natural logarithm of ten: a dex [ln].
LN10 = math.log(10.0)

#: A magnitude in ln(flux), and the other way round (Pogson 1856, MNRAS 17, 12).
LN_PER_MAG = 0.4 * LN10
MAG_PER_LN = 2.5 / LN10

#: Full width at half maximum of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = math.sqrt(8.0 * math.log(2.0))

#: Zero point of AB magnitudes: m = -2.5 log₁₀(f_ν [erg/s/cm²/Hz]) - 48.60 (Oke & Gunn 1983, ApJ
#: 266, 713).
AB_ZERO_POINT = 48.60

#: Speed of light [cm/s], [km/s], [Å/s] (exact).
C_CM_S = 2.99792458e10
C_KM_S = 2.99792458e5
C_AA_PER_S = 2.99792458e18

#: Planck constant [erg s] (exact).
H_ERG_S = 6.62607015e-27

#: Electronvolt [erg] (exact).
EV_ERG = 1.602176634e-12

#: Boltzmann constant [erg/K] (exact).
K_ERG_K = 1.380649e-16

#: Stefan–Boltzmann constant [erg/s/cm²/K⁴].
SIGMA_SB = 2.0 * math.pi**5 * K_ERG_K**4 / (15.0 * H_ERG_S**3 * C_CM_S**2)

#: Gravitational constant [cm³/g/s²], CODATA 2018.
G_CGS = 6.67430e-8

#: Proton mass [g], CODATA 2018, and Thomson cross-section [cm²].
M_PROTON_G = 1.67262192369e-24
SIGMA_T_CM2 = 6.6524587321e-25

#: Nominal solar luminosity [erg/s] (IAU 2015 resolution B3, exact).
LSUN_ERG_S = 3.828e33

#: Solar mass [g]: IAU 2015 nominal GM over the CODATA 2018 G.
MSUN_G = 1.3271244e26 / G_CGS

#: Parsec [cm] (IAU 2015 resolution B2: 648 000/π au) and megaparsec [cm].
AU_CM = 1.495978707e13
PC_CM = 648000.0 / math.pi * AU_CM
MPC_CM = 1e6 * PC_CM

#: Julian year and gigayear [s].
YR_S = 365.25 * 86400.0
GYR_S = 1e9 * YR_S

#: Angstrom and micron [cm].
AA_CM = 1e-8
UM_CM = 1e-4

#: Vacuum wavelength of Lyman α [Å].
LYMAN_ALPHA_AA = 1215.67

#: Wavelength of 1 keV [Å]: dust absorbs nothing of what is harder.
SOFTEST_XRAY_AA = 12.398

#: Temperature of the cosmic microwave background today [K] (Fixsen 2009, ApJ 707, 916).
T_CMB_K = 2.7255

#: The largest redshift that any model answers for.
MAX_REDSHIFT = 20.0
