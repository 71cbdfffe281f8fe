"""Maps ``data/`` and ``checkpoints/`` into the packages; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["tengri*", "emulator*", "train*"]),
        "tengri._data",
        "emulator._checkpoints",
    ],
    package_dir={"tengri._data": "data", "emulator._checkpoints": "checkpoints"},
    package_data={
        "tengri._data": ["*.h5", "*.json", "*.md"],
        "emulator._checkpoints": ["*", "*/*"],
        "train.configs": ["*.toml"],
        "": ["py.typed", "*.bib", "publications.json"],
    },
)
