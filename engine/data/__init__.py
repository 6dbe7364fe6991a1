"""Data sets: found, checked, fingerprinted and made into minibatches."""
