"""Configurations that come with the package; each docstring says what it costs and gives."""
