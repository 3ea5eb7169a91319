"""The use cases on real Redis and a real database."""
