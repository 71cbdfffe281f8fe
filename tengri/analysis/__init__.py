"""Sweeps, grids and tracks through any photometric model, and what compares two of them."""
