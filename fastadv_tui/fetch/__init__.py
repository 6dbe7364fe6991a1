"""Weights from elsewhere: from the Hub and from the model zoo of RobustBench, downloaded once and checked."""
