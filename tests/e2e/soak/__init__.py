"""Ten minutes of use of real workers, to see that nothing grows and nothing is left."""
