"""What a draft is and how it changes: pure Python, no I/O, the standard library alone."""
