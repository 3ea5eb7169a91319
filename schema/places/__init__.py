"""The domain of places: kinds of one model, each with a table of its own."""
