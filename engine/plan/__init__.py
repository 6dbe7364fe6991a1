"""What follows from a configuration before anything is trained: steps, learning rates, cost."""
