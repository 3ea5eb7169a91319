"""The schema, in process."""
