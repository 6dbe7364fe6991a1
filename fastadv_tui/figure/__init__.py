"""Figures for papers: which lines they have, and the process of its own that draws them."""
