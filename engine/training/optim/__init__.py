"""The optimizers that training chooses from."""
