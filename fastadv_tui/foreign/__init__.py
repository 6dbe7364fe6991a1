"""Reads runs that other programs have logged, and makes rows and curves of them to compare with."""
