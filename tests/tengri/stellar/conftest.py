"""What the tests of this folder share: `curves`, and histories compiled once per shape."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
