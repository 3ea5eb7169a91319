"""An app of the tests: a troupe of actors, with relations of every kind."""
