"""Stars: single populations, when they formed, and of what metallicity."""
