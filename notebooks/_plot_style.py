"""The gallery's figure style; notebooks look for this file to find the repository."""

from tengri.analysis.plotting import setup_style

setup_style()
