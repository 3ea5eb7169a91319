"""The ORM floor on real databases, with the models of `tests.clusters`."""
