"""What a configuration determines before training starts: steps, learning rates and cost."""
