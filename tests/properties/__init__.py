"""Properties: random input against a reference."""
