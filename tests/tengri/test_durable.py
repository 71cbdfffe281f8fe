"""Sealed JSON: every flipped bit and every truncation is found."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tengri import durable as files
from tengri.errors import DataError

CONTENT = {"a": [1, 2.5, "x"], "b": {"c": None, "d": True}}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, CONTENT)
    assert files.read_json(path) == CONTENT
    assert os.listdir(tmp_path) == ["x.json"]


def test_every_bit_flip_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, CONTENT)
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"x\.json"):
            files.read_json(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, CONTENT)
    good = path.read_bytes()
    for length in random.Random(0).sample(range(len(good)), 40):
        path.write_bytes(good[:length])
        with pytest.raises(DataError):
            files.read_json(path)


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        files.write_json(tmp_path / "nowhere" / "x.json", CONTENT)
