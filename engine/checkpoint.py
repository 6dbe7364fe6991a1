"""Compatibility module: keeps the import path of version 0.1. Add no code here.

New code uses `from engine import load_model`.
"""

from engine.training.checkpoint import load_model as load_model
