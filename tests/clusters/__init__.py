"""A Django app of the tests: clusters of every kind that a project may have."""
