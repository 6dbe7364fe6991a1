"""Device, precision, compilation, eval mode, memory allocation and random numbers."""
