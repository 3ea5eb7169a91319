"""The store and the service where several Redis work together, and one of them is gone."""
