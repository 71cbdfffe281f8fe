"""From the light of one galaxy to what is observed of it: the exact model and its shell."""
