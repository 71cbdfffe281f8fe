"""Surrogates of spectra: made, judged and shown."""
