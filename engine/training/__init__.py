"""The training of a run: the loop, the weight updates, the events, the evaluations and the checkpoints."""
