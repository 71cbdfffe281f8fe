"""Light that is known exactly beside what a network has learnt: dust emission and AGN."""
