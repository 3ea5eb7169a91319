"""Drafts in Redis: keys, format, scripts, the store itself, and each worker's cache of it."""
