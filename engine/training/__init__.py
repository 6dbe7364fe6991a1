"""A run as it trains: the loop, what it updates, what it says and what it saves."""
