"""Drafts from end to end: real worker processes, real sockets, real clients."""
