"""What `manage.py` can do for the operators of drafts."""
