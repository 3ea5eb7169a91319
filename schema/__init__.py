"""What this service serves: each domain is a small Django app, its models and its samples."""
