"""What maintainers run: tables of the docs, accuracy of grids. Never part of the wheel."""
