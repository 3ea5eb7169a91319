"""Service, store, orm and config on real servers."""
