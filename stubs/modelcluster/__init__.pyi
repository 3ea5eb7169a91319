"""What the engine uses of django-modelcluster, which ships no types."""
