"""The physics: one folder per component of a galaxy, one registry per kind of component."""
