"""What the machine computes with: device, precision, compiled code, random numbers."""
