"""Exact terms added to the output of a network: dust emission and AGN."""
