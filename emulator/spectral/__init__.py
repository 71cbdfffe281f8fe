"""Surrogates of spectra: the exact equations on a grid of few eigenspectra."""
