"""Worker processes, real sockets, real clients, faults."""
