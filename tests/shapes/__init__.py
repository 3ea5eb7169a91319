"""Clusters of every shape: a table of root models, and one walk through each of them."""
