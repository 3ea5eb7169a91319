"""An app of the tests, for its command alone: how the database is emptied after each."""
