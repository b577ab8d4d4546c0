"""Names the folders of this checkout: its root, and the cache of what was downloaded or built once."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent  # the checkout
CACHE = ROOT / "data"  # git-ignored; tests put another in its place
