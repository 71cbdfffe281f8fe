"""Tables in the place of a network: nodes in each band, eigenspectra, splines in ln(1 + z)."""
