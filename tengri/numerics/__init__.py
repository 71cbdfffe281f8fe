"""Numerical tools that know nothing of galaxies."""
