"""Results for others: the network of a run in forms that other programs read, model cards, the Hub, and RobustBench."""
