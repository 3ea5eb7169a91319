"""The domain: no I/O."""
