"""The tests of this folder share `curves`, the histories written a second time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
