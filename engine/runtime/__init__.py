"""Device, precision, compilation, memory allocation and random numbers."""
