"""The optimizers of training."""
