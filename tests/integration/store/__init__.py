"""The draft store on a real Redis."""
