"""Where `load_model` was until version 0.1; `from engine import load_model` is its place now."""

from engine.training.checkpoint import load_model as load_model
