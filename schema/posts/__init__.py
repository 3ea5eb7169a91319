"""Blogs with their posts, tags and comments: models with managers, methods and mix-ins."""
