"""Catalogues of galaxies through any photometric model: columns in, columns out."""

from tengri.catalogue.predict import predict_table

__all__ = ["predict_table"]
