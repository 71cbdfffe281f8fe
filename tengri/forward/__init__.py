"""From the light of one galaxy to observed quantities: the exact model and its interface."""
