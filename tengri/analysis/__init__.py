"""Sweeps, grids and tracks of any photometric model, and comparisons of two models."""
