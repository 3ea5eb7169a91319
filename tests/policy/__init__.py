"""Who may do what, over real requests, with real users of Django's."""
