"""A festival: models as another project has them."""
