"""Reads the hardware of this machine and its load: GPUs, processor, memory and processes."""
