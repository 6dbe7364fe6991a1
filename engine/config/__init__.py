"""The settings of a run: their types, validation, descriptions and presets."""
