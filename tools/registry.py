"""Write the registry of published files anew from ``checkpoints/``; the address stays.

python -m tools.registry [--address https://zenodo.org/records/0000000/files]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tengri.io import atomic
from tengri.publications import REGISTRY, PublishedFile

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"


def entries() -> dict[str, dict[str, object]]:
    """Return the entries of the surrogates that are in the repository."""
    found = sorted(CHECKPOINTS.glob("*/surrogate.h5"))
    made = (PublishedFile.of(path.parent.name, path, "surrogate") for path in found)
    return {entry.name: entry.to_dict() for entry in made}


def write(address: str | None = None) -> Path:
    """Write the registry: what is not of ``checkpoints/`` stays, too."""
    data = json.loads(REGISTRY.read_text("utf-8")) if REGISTRY.exists() else {}
    stated = data.get("address", "") if address is None else address
    whole = {"address": stated, "files": {**data.get("files", {}), **entries()}}
    atomic.write_text(REGISTRY, json.dumps(whole, indent=1) + "\n")
    return REGISTRY


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--address", help="where all files are")
    print(write(parser.parse_args().address))


if __name__ == "__main__":
    main()
