"""What strangers try: each attack is refused, soon, and nobody else waits for it."""
