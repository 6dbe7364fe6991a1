"""Stands before the real engine on PYTHONPATH: `python -m engine` is the stand-in, `engine.events` the real one."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[3] / "engine"))
