"""Copies runs to the trackers of others (W&B, MLflow, trackio), from the events and never from training."""
