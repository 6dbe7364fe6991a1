"""Stands before the real engine on PYTHONPATH: `python -m engine` is the stand-in, its packages are the real ones."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[4] / "engine"))
