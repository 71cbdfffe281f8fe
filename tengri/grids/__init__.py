"""Grids of light: where they are found, how they are built from public sources, how exact."""
