"""Where this checkout lies, and where it keeps what it has found or built once."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent  # the checkout
CACHE = ROOT / "data"  # git-ignored; tests put another in its place
